import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import type { Entry } from "../../core/replication/types.ts";
import { EntryTable, prepareInsert } from "./entry-table.ts";
import { ORDER_FILE } from "./order-file.ts";
import { entriesThrough, thrown } from "./test-files.ts";

function tableOf(entries: readonly Entry[]): { table: EntryTable; database: DatabaseSync } {
  const database = new DatabaseSync(":memory:");
  database.exec(ORDER_FILE.schema);
  const table = new EntryTable(database, "path", "cluster");
  const insert = prepareInsert(database);
  entries.reduce((digest, entry) => insert(digest, entry), table.storedDigest(0));
  return { table, database };
}

test("an empty table has nothing to read", () => {
  const { table } = tableOf([]);
  expect([...table.after(0)]).toEqual([]);
  expect(thrown(() => table.read(1))).toMatchObject({ position: 1 });
});

test("entries come in order, each with the digest that the next is verified with", () => {
  const { table } = tableOf(entriesThrough(30));
  const positions = [...table.after(12)].map(({ entry }) => entry.position);
  expect(positions).toEqual(Array.from({ length: 18 }, (_, index) => index + 13));
  expect(table.read(13).digest).toEqual(table.storedDigest(13));
  expect(table.verifiedDigest(0)).toEqual(table.storedDigest(0));
});

test("a gap must not be passed over", () => {
  const { table, database } = tableOf(entriesThrough(9));
  database.exec("DELETE FROM entries WHERE position = 5");
  expect(thrown(() => [...table.after(3)])).toMatchObject({
    name: "JournalCorrupt",
    position: 5,
  });
  expect(thrown(() => table.read(5))).toMatchObject({ position: 5 });
});

test("a chain begun with another digest than the one on disk must not hold", () => {
  const { table } = tableOf(entriesThrough(9));
  expect(thrown(() => [...table.after(3, table.storedDigest(2))])).toMatchObject({ position: 4 });
});

test("a digest that is handed on without a look carries damage into what is written next", () => {
  const { table, database } = tableOf(entriesThrough(9));
  database.exec("UPDATE entries SET digest = zeroblob(32) WHERE position = 4");
  expect(thrown(() => table.verifiedDigest(4))).toMatchObject({ position: 4 });
});

test("admissions are found without reading the other entries", () => {
  const admit: Entry = {
    position: 10,
    epoch: 1,
    at: 0,
    body: { kind: "admit", replica: 9092, incarnation: 77 },
  };
  const { table, database } = tableOf([...entriesThrough(9), admit]);
  expect(table.admissions()).toEqual([{ position: 10, replica: 9092, incarnation: 77 }]);
  const plan = database
    .prepare("EXPLAIN QUERY PLAN SELECT position FROM entries WHERE kind = 1 ORDER BY position")
    .all();
  expect(plan.map(({ detail }) => detail)).toEqual([
    "SCAN entries USING COVERING INDEX entries_admit",
  ]);
});
