import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { InvariantViolation } from "../../core/invariant.ts";
import type { Entry, EntryBody } from "../../core/replication/types.ts";
import {
  EntryTable,
  firstDigest,
  prepareInsert,
  RecentEpochs,
  rowOf,
  verifiedEntry,
} from "./entries.ts";
import { JournalCorrupt } from "./errors.ts";
import { ORDER_FILE } from "./order-file.ts";
import { entriesThrough, thrown } from "./test-files.ts";

const BODIES: readonly EntryBody[] = [
  { kind: "reign", leader: 9094, state: "" },
  { kind: "admit", replica: 9090, incarnation: Number.MAX_SAFE_INTEGER },
  { kind: "command", bytes: new Uint8Array([1, 2, 3]) },
  { kind: "command", bytes: new Uint8Array() },
];
const START = firstDigest("cluster");

function entryOf(body: EntryBody): Entry {
  return { position: 5, epoch: 2, at: 1_700_000_000_000.5, body };
}

test.each(BODIES)("an entry comes back from disk as it was: $kind", (body) => {
  const row = rowOf(START, entryOf(body));
  expect(verifiedEntry("path", START, { ...row })).toEqual({
    entry: entryOf(body),
    digest: row.digest,
  });
});

test("a change of any field, or of what came before, is damage", () => {
  const row = rowOf(START, entryOf({ kind: "command", bytes: new Uint8Array([1, 2, 3]) }));
  const changed = [
    { ...row, position: 6 },
    { ...row, epoch: 3 },
    { ...row, at: row.at + 0.5 },
    { ...row, kind: 1 },
    { ...row, body: new Uint8Array([1, 2]) },
    { ...row, body: new Uint8Array([1, 2, 4]) },
    { ...row, digest: firstDigest("") },
    { ...row, digest: row.digest.slice(1) },
  ];
  for (const columns of changed) {
    expect(thrown(() => verifiedEntry("path", START, columns))).toBeInstanceOf(JournalCorrupt);
  }
  expect(thrown(() => verifiedEntry("path", firstDigest("other"), { ...row }))).toMatchObject({
    path: "path",
    position: 5,
  });
});

test("journals of two clusters begin with different digests", () => {
  expect(firstDigest("one")).not.toEqual(firstDigest("two"));
});

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

test("a gap is damage", () => {
  const { table, database } = tableOf(entriesThrough(9));
  database.exec("DELETE FROM entries WHERE position = 5");
  expect(thrown(() => [...table.after(3)])).toMatchObject({
    name: "JournalCorrupt",
    position: 5,
  });
  expect(thrown(() => table.read(5))).toMatchObject({ position: 5 });
});

test("a chain begun with another digest than the one on disk is damage", () => {
  const { table } = tableOf(entriesThrough(9));
  expect(thrown(() => [...table.after(3, table.storedDigest(2))])).toMatchObject({ position: 4 });
});

test("a digest is verified before the next entry is chained to it", () => {
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

test("each position has the epoch that its entry was written in", () => {
  const epochs = new RecentEpochs();
  expect(epochs.at(1)).toBeUndefined();
  [5, 5, 6, 6, 6, 9].forEach((epoch, index) => {
    epochs.push(100 + index, epoch);
  });
  expect([99, 100, 101, 102, 104, 105].map((position) => epochs.at(position))).toEqual([
    undefined,
    5,
    5,
    6,
    6,
    9,
  ]);
});

test("epochs of dropped entries are forgotten", () => {
  const epochs = new RecentEpochs();
  for (const [position, epoch] of [
    [1, 1],
    [2, 1],
    [3, 2],
    [4, 3],
  ] as const) {
    epochs.push(position, epoch);
  }
  epochs.truncateFrom(3);
  expect(epochs.at(2)).toBe(1);
  epochs.push(3, 4);
  expect(epochs.at(3)).toBe(4);
  epochs.truncateFrom(1);
  expect(epochs.at(1)).toBeUndefined();
});

test("only the newest epochs are kept, however often leaders change", () => {
  const epochs = new RecentEpochs();
  for (let position = 1; position <= 5_000; position++) epochs.push(position, position);
  expect(epochs.at(1)).toBeUndefined();
  expect(epochs.at(5_000)).toBe(5_000);
  expect(epochs.at(4_500)).toBe(4_500);
});

test("an epoch told out of order is refused", () => {
  const epochs = new RecentEpochs();
  epochs.push(4, 1);
  expect(() => epochs.push(4, 2)).toThrow(InvariantViolation);
});
