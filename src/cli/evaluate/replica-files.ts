// The files that stopped replicas leave, each read on its own: nothing that runs
// can have a say in whether they are the same.

import { createHash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import { lastPositionIn } from "../../io/journal/audit.ts";
import { auditInWorker } from "../../io/journal/audit-worker.ts";
import { orderFile } from "../../io/journal/cluster-files.ts";
import type { ReplicaFile } from "./results.ts";

/** What the file of `role` in `data` holds at `position`. Rejects with a DataFileError for one that can't be read. */
export async function readReplicaFile(
  data: string,
  role: string,
  position: number,
): Promise<ReplicaFile> {
  const path = orderFile(data, role);
  const audit = await auditInWorker({ path, position, stocksAt: [position] });
  const { journalDigest, ordersDigest, requestsDigest, problems } = audit;
  const [stocksDigest = ""] = audit.stocksDigests;
  return {
    role,
    bytes: statSync(path).size,
    fileDigest: await digestOf(path),
    journalDigest,
    ordersDigest,
    stocksDigest,
    requestsDigest,
    last: lastPositionIn(path),
    problems,
  };
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(path)) hash.update(bytes);
  return hash.digest("hex");
}
