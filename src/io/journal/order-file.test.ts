import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { InvariantViolation } from "../../core/invariant.ts";
import { JournalCorrupt } from "./errors.ts";
import {
  type Applied,
  AppliedRow,
  insertMeta,
  ORDER_FILE,
  prepareMetaUpdate,
  readApplied,
  readMeta,
} from "./order-file.ts";
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
])("a field that changed by itself isn't believed: %s", (sql) => {
  const database = fresh();
  database.exec(sql);
  expect(() => readMeta(database, "path")).toThrow(JournalCorrupt);
});

const APPLIED: Applied = {
  position: 7,
  orders: 5,
  requests: 9,
  stocks: 2,
  stocksSum: 123_456_789_012,
  greatestMade: new Uint8Array([1, 2, 3]),
};

function database(): DatabaseSync {
  const database = new DatabaseSync(":memory:");
  database.exec(ORDER_FILE.schema);
  AppliedRow.insert(database);
  return database;
}

test("R1: a new position shows once it is committed, not before, and never goes back", () => {
  const row = new AppliedRow(database(), "path");
  const settle = row.write(APPLIED);
  expect(row.applied).toMatchObject({ position: 0, greatestMade: null });
  settle();
  expect(row.applied).toEqual(APPLIED);
  expect(() => row.write({ ...APPLIED, position: 6 })).toThrow(InvariantViolation);
});

test.each([
  "UPDATE applied SET position = 6",
  "UPDATE applied SET orders = 4",
  "UPDATE applied SET requests = 8",
  "UPDATE applied SET stocks = 1",
  "UPDATE applied SET stocks_sum = 123456789013",
  "UPDATE applied SET greatest_made = x'010204'",
  "UPDATE applied SET greatest_made = NULL",
  "UPDATE applied SET checksum = checksum + 1",
  "DELETE FROM applied",
])("a field that changed by itself isn't believed: %s", (sql) => {
  const file = database();
  new AppliedRow(file, "path").write(APPLIED)();
  expect(readApplied(file, "path")).toEqual(APPLIED);
  file.exec(sql);
  expect(() => readApplied(file, "path")).toThrow(JournalCorrupt);
});
