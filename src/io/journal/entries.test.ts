import { expect, test } from "vitest";
import { InvariantViolation } from "../../core/invariant.ts";
import { entryOf, isChained, RecentEpochs, rowOf } from "../../core/journal/entries.ts";
import type { Entry, EntryBody } from "../../core/replication/types.ts";
import { firstDigest } from "./entries.ts";
import { HASHES } from "./segment-files.ts";

const BODIES: readonly EntryBody[] = [
  { kind: "reign", leader: 9094, state: "no orders, é" },
  { kind: "admit", replica: 9090, incarnation: Number.MAX_SAFE_INTEGER },
  { kind: "members", members: [9090, 9092, 9094] },
  { kind: "command", bytes: new Uint8Array([1, 2, 3]) },
  { kind: "command", bytes: new Uint8Array() },
];
const START = firstDigest("cluster");

function entryWith(body: EntryBody): Entry {
  return { position: 5, epoch: 2, at: 1_700_000_000_000.5, body };
}

test.each(BODIES)("an entry comes back from its row as it was: $kind", (body) => {
  const row = rowOf(HASHES, START, entryWith(body));
  expect(entryOf(row)).toEqual(entryWith(body));
  expect(isChained(HASHES, START, row)).toBe(true);
});

test("a change of any field, or of what came before, breaks the chain", () => {
  const row = rowOf(HASHES, START, entryWith({ kind: "command", bytes: new Uint8Array([1, 2]) }));
  const changed = [
    { ...row, position: 6 },
    { ...row, epoch: 3 },
    { ...row, at: row.at + 0.5 },
    { ...row, kind: 1 },
    { ...row, body: new Uint8Array([1]) },
    { ...row, body: new Uint8Array([1, 3]) },
    { ...row, digest: START },
    { ...row, digest: row.digest.slice(1) },
  ];
  for (const each of changed) expect(isChained(HASHES, START, each)).toBe(false);
  expect(isChained(HASHES, firstDigest("other"), row)).toBe(false);
});

test("a kind of entry that nobody writes is no entry", () => {
  const row = rowOf(HASHES, START, entryWith({ kind: "command", bytes: new Uint8Array() }));
  expect(entryOf({ ...row, kind: 99 })).toBeNull();
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
