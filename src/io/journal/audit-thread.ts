// The thread that audit-worker.ts starts: one audit, one answer, then it ends.

import { parentPort, workerData } from "node:worker_threads";
import { auditOrderFile } from "./audit.ts";

parentPort?.postMessage(auditOrderFile(workerData));
