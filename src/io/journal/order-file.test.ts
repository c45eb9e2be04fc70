import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { InvariantViolation } from "../../core/invariant.ts";
import { JournalCorrupt } from "./errors.ts";
import { type Applied, AppliedRow, ORDER_FILE, readApplied } from "./order-file.ts";

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
