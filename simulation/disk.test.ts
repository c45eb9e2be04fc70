import { describe, expect, test } from "vitest";
import type { Write } from "../src/core/replication/events.ts";
import type { Entry } from "../src/core/replication/types.ts";
import { SimulatedDisk } from "./disk.ts";
import { Random } from "./random.ts";

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
  test("is on disk only once it landed", () => {
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

  test("lands with the truncation that is part of it", () => {
    const under = disk();
    under.begin({ truncateFrom: 2, entries: [entry(2, 3), entry(3, 3)] });
    under.land(1);
    expect(epochs(under)).toEqual([1, 3, 3]);
  });
});

describe("a crash", () => {
  test("loses what hadn't landed, and keeps what had", () => {
    const under = disk();
    under.begin({ entries: [entry(3, 2)] });
    under.land(1);
    under.begin({ entries: [entry(4, 2)] });
    under.crash(new Random(1));
    expect([3, 4]).toContain(under.lastPosition);
    const kept = under.lastPosition;
    under.land(5);
    expect(under.lastPosition).toBe(kept);
  });

  test("keeps all of what was under way, or a part that was begun alone, or nothing", () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 100; seed++) {
      const under = disk();
      under.begin({ entries: [entry(3, 2)] });
      under.begin(promise(2));
      under.begin({ entries: [entry(4, 2)] });
      under.crash(new Random(seed));
      expect(under.underWay).toBe(0);
      seen.add(`${under.lastPosition} in ${under.hardState.promise.epoch}`);
    }
    expect([...seen].sort()).toEqual(["2 in 1", "3 in 1", "3 in 2", "4 in 2"]);
  });
});

describe("what is read back", () => {
  test("comes from the position asked for, and no more than the limit", () => {
    const under = new SimulatedDisk(
      { promise: { epoch: 1, nominee: 9090 }, voter: true },
      [1, 2, 3, 4].map((position) => entry(position, 1, 100)),
    );
    const positions = (after: number, bytesMax: number) =>
      under.entries(after, bytesMax).map(({ position }) => position);
    expect(positions(1, 1_000)).toEqual([2, 3, 4]);
    expect(positions(0, 2 * 164)).toEqual([1, 2]);
    expect(positions(0, 1)).toEqual([1]);
    expect(positions(4, 1_000)).toEqual([]);
  });

  test("has no epoch beyond its end", () => {
    expect(disk().epochAt(0)).toBe(0);
    expect(() => disk().epochAt(3)).toThrow("read past the end of the disk: 3 of 2");
  });

  test("tells whom the journal admits", () => {
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

describe("a disk on R1", () => {
  const promised = (epoch: number, nominee: number): Write => ({
    hardState: { promise: { epoch, nominee }, voter: true },
  });
  const landing =
    (write: Write, options = {}) =>
    () => {
      const under = new SimulatedDisk(
        { promise: { epoch: 1, nominee: 9090 }, voter: true },
        [entry(1, 1), entry(2, 1)],
        options,
      );
      under.begin(write);
      under.land(1);
    };

  test("reports a promise that goes back", () => {
    landing(promised(1, 9090))();
    expect(landing(promised(0, 9090))).toThrow("R1: a promise goes back, from 1 to 0");
  });

  test("reports a promise to another nominee in the same epoch", () => {
    landing(promised(2, 9094))();
    expect(landing(promised(1, 9094))).toThrow("R1: epoch 1 is promised to 9090, then to 9094");
  });

  test("reports a committed entry that is dropped", () => {
    const committedIn = ({ position }: Entry) => (position === 1 ? 1 : null);
    landing({ truncateFrom: 2 }, { committedIn })();
    expect(landing({ truncateFrom: 1 }, { committedIn })).toThrow(
      "R1: the committed entry 1 is dropped",
    );
  });

  test("accepts that an entry is dropped which a later leader committed, before that one was heard", () => {
    landing({ truncateFrom: 1 }, { committedIn: () => 2 })();
  });

  test("reports a committed entry that is dropped in a crash", () => {
    const crash = (seed: number) => () => {
      const under = new SimulatedDisk(
        { promise: { epoch: 1, nominee: 9090 }, voter: true },
        [entry(1, 1)],
        { committedIn: () => 1 },
      );
      under.begin({ truncateFrom: 1 });
      under.crash(new Random(seed));
    };
    expect(() => {
      for (let seed = 1; seed <= 20; seed++) crash(seed)();
    }).toThrow("R1");
  });
});
