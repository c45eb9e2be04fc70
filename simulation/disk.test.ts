import { describe, expect, test } from "vitest";
import type { Write } from "../src/core/replication/events.ts";
import type { Entry } from "../src/core/replication/types.ts";
import { SimulatedDisk } from "./disk.ts";

function entry(position: number, epoch: number, bytes = 1): Entry {
  return { position, epoch, at: 0, body: { kind: "command", bytes: new Uint8Array(bytes) } };
}

const promise = (epoch: number): Write => ({
  hardState: { promise: { epoch, nominee: 9094 }, voter: true },
});

/** Holds 1@1 and 2@1. */
function disk(): SimulatedDisk {
  return new SimulatedDisk({ promise: { epoch: 1, nominee: 9090 }, voter: true }, [
    entry(1, 1),
    entry(2, 1),
  ]);
}

const epochs = (of: SimulatedDisk) =>
  Array.from({ length: of.lastPosition }, (_, index) => of.epochAt(index + 1));

describe("a write", () => {
  test("is on disk before it landed", () => {
    const under = disk();
    under.begin(promise(2));
    under.begin({ entries: [entry(3, 2)] });
    expect(under.underWay).toBe(2);
    expect(under.hardState.promise.epoch).toBe(1);
    expect(under.lastPosition).toBe(2);
    under.land(1);
    expect(under.hardState.promise.epoch).toBe(2);
    expect(under.lastPosition).toBe(2);
    under.land(1);
    expect(epochs(under)).toEqual([1, 1, 2]);
    expect(under.underWay).toBe(0);
  });

  test("lands without the truncation that is part of it", () => {
    const under = disk();
    under.begin({ truncateFrom: 2, entries: [entry(2, 3), entry(3, 3)] });
    under.land(1);
    expect(epochs(under)).toEqual([1, 3, 3]);
  });
});

describe("a crash", () => {
  test("keeps what hadn't landed, or loses what had", () => {
    const under = disk();
    under.begin({ entries: [entry(3, 2)] });
    under.land(1);
    under.begin({ entries: [entry(4, 2)] });
    under.crash(() => 0);
    expect(under.lastPosition).toBe(3);
    under.land(5);
    expect(under.lastPosition).toBe(3);
  });

  test("keeps a later write without the one before it", () => {
    const under = disk();
    under.begin({ entries: [entry(3, 2)] });
    under.begin(promise(2));
    under.begin({ entries: [entry(4, 2)] });
    under.crash((pending) => {
      expect(pending).toBe(3);
      return 2;
    });
    expect(under.lastPosition).toBe(3);
    expect(under.hardState.promise.epoch).toBe(2);
    expect(under.underWay).toBe(0);
  });
});

describe("what is read back", () => {
  test("comes from another position, or goes beyond the limit", () => {
    const under = new SimulatedDisk(
      { promise: { epoch: 1, nominee: 9090 }, voter: true },
      [1, 2, 3, 4].map((position) => entry(position, 1, 100)),
    );
    const positions = (after: number, bytesMax: number) =>
      under.entries(after, bytesMax).map(({ position }) => position);
    expect(positions(1, 1_000)).toEqual([2, 3, 4]);
    expect(positions(0, 2 * 148)).toEqual([1, 2]);
    expect(positions(0, 1)).toEqual([1]);
    expect(positions(4, 1_000)).toEqual([]);
  });

  test("has an epoch beyond its end", () => {
    expect(disk().epochAt(0)).toBe(0);
    expect(() => disk().epochAt(3)).toThrow("read past the end of the disk: 3 of 2");
  });

  test("forgets whom the journal admits", () => {
    const under = disk();
    under.begin({
      entries: [
        { position: 3, epoch: 2, at: 0, body: { kind: "admit", replica: 9090, incarnation: 2 } },
      ],
    });
    expect(under.admissions()).toEqual([]);
    under.land(1);
    expect(under.admissions()).toEqual([{ position: 3, replica: 9090, incarnation: 2 }]);
  });
});
