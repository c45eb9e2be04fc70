import { expect, test } from "vitest";
import type { Entry, EntryBody } from "../../core/replication/types.ts";
import { firstDigest, rowOf, verifiedEntry } from "./chain.ts";
import { JournalCorrupt } from "./errors.ts";
import { thrown } from "./test-files.ts";

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

test.each(BODIES)("an entry changed on its way to disk and back: $kind", (body) => {
  const row = rowOf(START, entryOf(body));
  expect(verifiedEntry("path", START, { ...row })).toEqual({
    entry: entryOf(body),
    digest: row.digest,
  });
});

test("a change of any field, or of what came before, must show", () => {
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

test("journals of two clusters with the same entries must not pass for equal", () => {
  expect(firstDigest("one")).not.toEqual(firstDigest("two"));
});
