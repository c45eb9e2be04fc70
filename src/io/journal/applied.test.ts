import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { InvariantViolation } from "../../core/invariant.ts";
import { AppliedPosition, readApplied } from "./applied.ts";
import { JournalCorrupt } from "./errors.ts";
import { ORDER_FILE_SCHEMA } from "./order-file.ts";

function database(): DatabaseSync {
  const database = new DatabaseSync(":memory:");
  database.exec(ORDER_FILE_SCHEMA);
  AppliedPosition.insert(database);
  return database;
}

test("R1: a position that shows before it is committed lets the tail be released too early", () => {
  const applied = new AppliedPosition(database(), "path");
  const settle = applied.write(7);
  expect(applied.position).toBe(0);
  settle();
  expect(applied.position).toBe(7);
  expect(() => applied.write(6)).toThrow(InvariantViolation);
});

test("a damaged position would apply entries twice, or never", () => {
  const file = database();
  new AppliedPosition(file, "path").write(7)();
  expect(readApplied(file, "path")).toBe(7);
  for (const sql of [
    "UPDATE applied SET position = 6",
    "UPDATE applied SET position = 7, checksum = checksum + 1",
    "DELETE FROM applied",
  ]) {
    file.exec(sql);
    expect(() => readApplied(file, "path"), sql).toThrow(JournalCorrupt);
  }
});
