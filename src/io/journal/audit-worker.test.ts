import { expect, test } from "vitest";
import { auditOrderFile } from "./audit.ts";
import { auditInWorker } from "./audit-worker.ts";
import { appliedFile } from "./test-files.ts";

const path = () =>
  appliedFile([[{ kind: "list", requestId: "l", name: "FishCo", price: 2, quantity: 1 }]]);

test("an audit in a thread of its own gives the same answer", async () => {
  const request = { path: path(), position: 1, stocksAt: [1, 0] };
  expect(await auditInWorker(request)).toEqual(auditOrderFile(request));
});

test("a file that can't be read is an error, not silence", async () => {
  const request = { path: `${path()}.missing`, position: 1, stocksAt: [] };
  await expect(auditInWorker(request)).rejects.toThrow(request.path);
});
