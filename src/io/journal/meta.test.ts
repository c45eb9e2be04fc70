import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { JournalCorrupt } from "./errors.ts";
import { insertMeta, prepareMetaUpdate, readMeta } from "./meta.ts";
import { ORDER_FILE_SCHEMA } from "./order-file.ts";
import { HARD_STATE, IDENTITY } from "./test-files.ts";

function fresh(): DatabaseSync {
  const database = new DatabaseSync(":memory:");
  database.exec(ORDER_FILE_SCHEMA);
  insertMeta(database, { identity: IDENTITY, hardState: HARD_STATE });
  return database;
}

test("a promise that isn't read back as it was written", () => {
  const database = fresh();
  const identity = IDENTITY;
  expect(readMeta(database, "path")).toEqual({ identity, hardState: HARD_STATE });
  const hardState = { promise: { epoch: 8, nominee: 9090 }, voter: false };
  prepareMetaUpdate(database, identity)(hardState);
  expect(readMeta(database, "path")).toEqual({ identity, hardState });
});

test.each([
  "UPDATE meta SET cluster = 'another'",
  "UPDATE meta SET replica = 9092",
  "UPDATE meta SET incarnation = 2",
  "UPDATE meta SET promise_epoch = 1",
  "UPDATE meta SET promise_nominee = 1",
  "UPDATE meta SET voter = 0",
  "UPDATE meta SET checksum = zeroblob(32)",
  "DELETE FROM meta",
])("a field that changed by itself must not be believed: %s", (sql) => {
  const database = fresh();
  database.exec(sql);
  expect(() => readMeta(database, "path")).toThrow(JournalCorrupt);
});
