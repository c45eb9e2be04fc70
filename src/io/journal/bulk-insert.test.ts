import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { InvariantViolation } from "../../core/invariant.ts";
import { prepareBulkInsert } from "./bulk-insert.ts";

function table(): DatabaseSync {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE t (a INTEGER, b TEXT, c INTEGER)");
  return database;
}

test("rows left out, doubled or shifted at the seam between two statements", () => {
  for (const rows of [0, 1, 15, 16, 17, 32, 100]) {
    const database = table();
    const insert = prepareBulkInsert(database, "t (a, b)", 2);
    insert(Array.from({ length: rows }, (_, index) => [index, `row ${index}`]).flat());
    const stored = database.prepare("SELECT * FROM t ORDER BY rowid").all();
    expect(stored.map(({ a, b, c }) => ({ a, b, c }))).toEqual(
      Array.from({ length: rows }, (_, a) => ({ a, b: `row ${a}`, c: null })),
    );
  }
});

test("half a row must not be taken for the start of the next", () => {
  const insert = prepareBulkInsert(table(), "t (a, b)", 2);
  expect(() => insert([1, "one", 2])).toThrow(InvariantViolation);
});
