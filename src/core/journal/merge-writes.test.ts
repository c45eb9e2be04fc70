import { describe, expect, test } from "vitest";
import type { Entry } from "../replication/types.ts";
import { mergeWrites } from "./merge-writes.ts";

function entry(position: number, epoch: number): Entry {
  return { position, epoch, at: 0, body: { kind: "reign", leader: 1, state: "" } };
}

/** What the disk holds after a write, the plain way. */
function carryOut(disk: readonly Entry[], write: ReturnType<typeof mergeWrites>): readonly Entry[] {
  const from = write.truncateFrom;
  const kept = from === undefined ? disk : disk.filter((kept) => kept.position < from);
  return [...kept, ...(write.entries ?? [])];
}

describe("mergeWrites", () => {
  const disk = [entry(1, 1), entry(2, 1), entry(3, 1)];
  const cases = {
    "appends only": [{ entries: [entry(4, 1)] }, { entries: [entry(5, 1), entry(6, 1)] }],
    "a truncation below the disk's end": [
      { entries: [entry(4, 1)] },
      { truncateFrom: 2, entries: [entry(2, 2)] },
      { entries: [entry(3, 2)] },
    ],
    "a truncation within what this batch added": [
      { entries: [entry(4, 1), entry(5, 1)] },
      { truncateFrom: 5, entries: [entry(5, 2)] },
    ],
    "two truncations, the second deeper": [
      { truncateFrom: 3, entries: [entry(3, 2)] },
      { truncateFrom: 2, entries: [entry(2, 3)] },
    ],
    "a truncation of all that this batch added": [
      { entries: [entry(4, 1)] },
      { truncateFrom: 4, entries: [entry(4, 2)] },
    ],
  };
  for (const [name, writes] of Object.entries(cases)) {
    test(`${name}: the merged write leaves the same journal as the single ones`, () => {
      const oneByOne = writes.reduce<readonly Entry[]>(
        (held, write) => carryOut(held, write),
        disk,
      );
      expect(carryOut(disk, mergeWrites(writes))).toEqual(oneByOne);
    });
  }

  test("the newest promise wins", () => {
    const first = { promise: { epoch: 1, nominee: 9 }, voter: true };
    const second = { promise: { epoch: 2, nominee: 8 }, voter: true };
    expect(mergeWrites([{ hardState: first }, { hardState: second }, {}]).hardState).toEqual(
      second,
    );
  });
});
