import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { JournalCorrupt } from "./errors.ts";
import { insertMeta, prepareMetaUpdate, readMeta } from "./meta.ts";
import { ORDER_FILE } from "./order-file.ts";
import { HARD_STATE, IDENTITY } from "./test-files.ts";

const END = { position: 0, digest: new Uint8Array(32), admissions: 0 };

function fresh(): DatabaseSync {
  const database = new DatabaseSync(":memory:");
  database.exec(ORDER_FILE.schema);
  insertMeta(database, { identity: IDENTITY, hardState: HARD_STATE, end: END });
  return database;
}

test("what was written is read back as it was", () => {
  const database = fresh();
  const identity = IDENTITY;
  expect(readMeta(database, "path")).toEqual({ identity, hardState: HARD_STATE, end: END });
  const hardState = { promise: { epoch: 8, nominee: 9090 }, voter: false };
  const end = { position: 12, digest: new Uint8Array(32).fill(7), admissions: 1 };
  prepareMetaUpdate(database, identity)(hardState, end);
  expect(readMeta(database, "path")).toEqual({ identity, hardState, end });
});

test.each([
  "UPDATE meta SET cluster = 'another'",
  "UPDATE meta SET replica = 9092",
  "UPDATE meta SET incarnation = 2",
  "UPDATE meta SET promise_epoch = 1",
  "UPDATE meta SET promise_nominee = 1",
  "UPDATE meta SET voter = 0",
  "UPDATE meta SET last_position = 1",
  "UPDATE meta SET last_digest = zeroblob(31)",
  "UPDATE meta SET admissions = 1",
  "UPDATE meta SET checksum = zeroblob(32)",
  "DELETE FROM meta",
])("a field that changed by itself must not be believed: %s", (sql) => {
  const database = fresh();
  database.exec(sql);
  expect(() => readMeta(database, "path")).toThrow(JournalCorrupt);
});
