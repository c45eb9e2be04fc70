import { copyFileSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { placeDatabase, removeDatabase, syncPath } from "./durable-names.ts";
import { entriesThrough, entry, journalFile, opened, temporaryFolder } from "./test-files.ts";

test("the log of a lost file, replayed into its replacement, brings back half of the dead", () => {
  const lost = journalFile(entriesThrough(3));
  const journal = opened(lost);
  journal.write({ entries: [entry(4)] });
  const folder = temporaryFolder();
  const path = join(folder, "order.db");
  copyFileSync(`${lost}-wal`, `${path}-wal`);
  const fresh = journalFile(entriesThrough(2));
  placeDatabase(fresh, path);
  expect(existsSync(fresh)).toBe(false);
  expect(readdirSync(folder)).toEqual(["order.db"]);
  expect(opened(path).lastPosition).toBe(2);
});

test("a database that is removed leaves nothing behind, and may be gone already", () => {
  const path = journalFile(entriesThrough(3));
  opened(path).write({ entries: [entry(4)] });
  removeDatabase(path);
  removeDatabase(path);
  for (const suffix of ["", "-wal", "-shm"]) expect(existsSync(path + suffix)).toBe(false);
});

test("files and folders can be made durable; what isn't there can't", () => {
  const path = journalFile();
  syncPath(path);
  syncPath(temporaryFolder());
  expect(() => syncPath(`${path}.missing`)).toThrow();
});
