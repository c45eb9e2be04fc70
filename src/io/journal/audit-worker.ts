// Audits in a thread of its own: reading a million orders takes many seconds, in
// which the role's own thread must go on answering.

import { Worker } from "node:worker_threads";
import type { OrderAudit } from "../../core/service/reports.ts";
import type { OrderAuditRequest } from "./audit.ts";

const THREAD = new URL("./audit-thread.ts", import.meta.url);

/** An audit that takes longer has hung: a hundred million orders would. */
const AUDIT_MS_MAX = 30 * 60_000;

/** As auditOrderFile(), without stopping this thread. Rejects with what that throws. */
export async function auditInWorker(request: OrderAuditRequest): Promise<OrderAudit> {
  const worker = new Worker(THREAD, { workerData: request });
  const timer = setTimeout(() => void worker.terminate(), AUDIT_MS_MAX);
  timer.unref();
  try {
    return await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.once("exit", (code) => reject(new Error(`the audit ended with status ${code}`)));
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
