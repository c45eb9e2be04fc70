import { describe, expect, test } from "vitest";
import { createJournal, type JournalWrite, SegmentJournal } from "../src/core/journal/journal.ts";
import type { Write } from "../src/core/replication/events.ts";
import type { Entry, HardState } from "../src/core/replication/types.ts";
import { after, optionsOver, readAll, SimulatedDisk } from "./disk.ts";
import { Random } from "./random.ts";
import { Interrupted, SimulatedFiles } from "./segment-files.ts";

/** On a busy machine. */
const LIMIT_MS = 60_000;

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

describe("a journal over files that a crash leaves torn", () => {
  const HARD_STATE = { promise: { epoch: 1, nominee: 9094 }, voter: true };
  const FIRST = [entry(1, 1), entry(2, 1)];
  /** Small ones, and those that need a new segment: entries are dropped, or don't fit. */
  const WRITES: readonly JournalWrite[] = [
    { entries: [entry(3, 1, 300)] },
    { hardState: { promise: { epoch: 2, nominee: 9092 }, voter: true } },
    { truncateFrom: 3, entries: [entry(3, 2, 1_000), entry(4, 2)] },
    { entries: [entry(5, 2, 1_900)] },
    { entries: [entry(6, 2)] },
    { entries: [entry(7, 2, 100)] },
  ];
  /** More changes of files than any write makes: it isn't cut off. */
  const CHANGES = 10;

  /** Files with the first `count` writes, and what is in them. */
  function written(count: number) {
    const files = new SimulatedFiles();
    const identity = { cluster: "simulated", members: [9094], replica: 9094, incarnation: 1 };
    createJournal(optionsOver(files), identity, HARD_STATE, FIRST);
    let state = { hardState: HARD_STATE as HardState, entries: FIRST as readonly Entry[] };
    for (const write of WRITES.slice(0, count)) {
      new SegmentJournal(optionsOver(files)).write(write);
      state = stateAfter(state, write);
    }
    return { files, state };
  }

  function stateAfter(
    state: { hardState: HardState; entries: readonly Entry[] },
    write: JournalWrite,
  ) {
    return {
      hardState: write.hardState ?? state.hardState,
      entries: after(state.entries, write),
    };
  }

  function found(files: SimulatedFiles) {
    const journal = new SegmentJournal(optionsOver(files));
    return { hardState: journal.hardState, entries: readAll(journal) };
  }

  /** Carries out a write that is cut off after so many changes of files. */
  function cutOff(files: SimulatedFiles, write: JournalWrite, changes: number): void {
    const journal = new SegmentJournal(optionsOver(files));
    files.interruptAfter(changes);
    try {
      journal.write(write);
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
    }
  }

  test(
    "has all of a write or nothing, wherever a crash comes, and another one in the write after it",
    () => {
      for (const [index, write] of WRITES.entries()) {
        for (let changes = 0; changes <= CHANGES; changes++) {
          for (let seed = 1; seed <= 4; seed++) {
            const random = new Random(seed);
            const { files, state } = written(index);
            cutOff(files, write, changes);
            files.end(seed % 3 === 0 ? random : null);
            const once = found(files);
            expect([state, stateAfter(state, write)], `${index} ${changes}`).toContainEqual(once);
            const next = { entries: [entry(once.entries.length + 1, 3)] };
            cutOff(files, next, seed === 1 ? CHANGES : random.below(CHANGES));
            files.end(random);
            expect([once, stateAfter(once, next)], `${index} ${changes}`).toContainEqual(
              found(files),
            );
          }
        }
      }
    },
    LIMIT_MS,
  );

  test("has all of a write or nothing, at whichever byte it was cut off, from either end", () => {
    for (const index of [0, 1, 5]) {
      const { files, state } = written(index);
      const { files: whole, state: all } = written(index + 1);
      const name = files.list().toSorted().at(-1) as string;
      const before = files.read(name, 0, files.size(name));
      const later = whole.read(name, 0, files.size(name));
      const from = later.findIndex((byte, at) => byte !== before[at]);
      const end = later.findLastIndex((byte, at) => byte !== before[at]) + 1;
      expect(end - from).toBeGreaterThan(30);
      for (let cut = from; cut <= end; cut++) {
        const head = files.spoiled(name, from, later.subarray(from, cut));
        expect(cut === end ? [all] : [state, all], `${index}, to ${cut}`).toContainEqual(
          found(head),
        );
        const tail = files.spoiled(name, cut, later.subarray(cut, end));
        expect(cut === from ? [all] : [state, all], `${index}, from ${cut}`).toContainEqual(
          found(tail),
        );
      }
    }
  });

  test("keeps through a power cut what a start found, also where a sync had failed before", () => {
    for (const [index, write] of WRITES.entries()) {
      for (let changes = 0; changes <= CHANGES; changes++) {
        for (let seed = 1; seed <= 4; seed++) {
          const { files } = written(index);
          cutOff(files, write, changes);
          files.end(null);
          const once = found(files);
          files.end(new Random(seed));
          expect(found(files), `${index} ${changes}`).toEqual(once);
        }
      }
    }
  });

  test("isn't written to any more once a sync failed that was asked for alone", () => {
    const { files } = written(0);
    const journal = new SegmentJournal({ ...optionsOver(files), syncsEachWrite: false });
    journal.write({ entries: [entry(3, 1)] });
    files.interruptAfter(0);
    expect(() => journal.sync()).toThrow(Interrupted);
    files.end(null);
    expect(() => journal.sync()).toThrow(Interrupted);
    expect(() => journal.write({ entries: [entry(4, 1)] })).toThrow(Interrupted);
  });
});
