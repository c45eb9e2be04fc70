import { copyFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { InvariantViolation } from "../../core/invariant.ts";
import type { Entry } from "../../core/replication/types.ts";
import {
  DataFileError,
  DataFileForeign,
  DataFileMissing,
  DataFileTooNew,
  JournalFailed,
} from "./errors.ts";
import { createJournalFile } from "./journal.ts";
import {
  entriesThrough,
  entry,
  HARD_STATE,
  IDENTITY,
  journalFile,
  opened,
  temporaryFolder,
  thrown,
} from "./test-files.ts";

/** Enough that no test stops early because of it. */
const ALL_BYTES = 1 << 30;

describe("writing", () => {
  test("an entry comes back as it was, also after a start", () => {
    const path = journalFile();
    const entries: Entry[] = [
      { position: 1, epoch: 0, at: 0, body: { kind: "command", bytes: Buffer.from([]) } },
      { position: 2, epoch: 3, at: 1.5, body: { kind: "reign", leader: 9094, state: "" } },
      {
        position: 3,
        epoch: 3,
        at: 1_800_000_000_000,
        body: { kind: "admit", replica: 9090, incarnation: 1_800_000_000_123 },
      },
      { position: 4, epoch: 7, at: 4, body: { kind: "command", bytes: Buffer.from([0, 255]) } },
    ];
    const journal = opened(path);
    journal.write({ entries });
    const plain = (all: readonly Entry[]) =>
      all.map(({ body, ...rest }) => ({
        ...rest,
        body: body.kind === "command" ? { ...body, bytes: [...body.bytes] } : body,
      }));
    expect(plain(journal.entries(0, ALL_BYTES))).toEqual(plain(entries));
    journal.close();
    const again = opened(path);
    expect(plain(again.entries(0, ALL_BYTES))).toEqual(plain(entries));
    expect([0, 1, 2, 3, 4].map((position) => again.epochAt(position))).toEqual([0, 0, 3, 3, 7]);
    expect(again.admissions()).toEqual([
      { position: 3, replica: 9090, incarnation: 1_800_000_000_123 },
    ]);
  });

  test("a promise and a vote are there after a start", () => {
    const path = journalFile();
    const journal = opened(path);
    const hardState = { promise: { epoch: 4, nominee: 9092 }, voter: false };
    journal.write({ hardState });
    expect(journal.hardState).toEqual(hardState);
    journal.close();
    expect(opened(path).hardState).toEqual(hardState);
    expect(opened(path).identity).toEqual(IDENTITY);
  });

  test("R1: a promise never goes back, nor changes within its epoch", () => {
    const journal = opened(journalFile());
    journal.write({ hardState: { promise: { epoch: 4, nominee: 9092 }, voter: true } });
    const promise = (epoch: number, nominee: number) => () =>
      journal.write({ hardState: { promise: { epoch, nominee }, voter: true } });
    expect(promise(3, 9092)).toThrow(InvariantViolation);
    expect(promise(4, 9094)).toThrow(InvariantViolation);
    promise(4, 9092)();
    promise(5, 9094)();
  });

  test("a tail that is dropped isn't found again, nor are its epochs", () => {
    const path = journalFile(entriesThrough(5));
    const journal = opened(path);
    journal.write({ truncateFrom: 3, entries: [entry(3, "other", 2), entry(4, "other", 2)] });
    const check = (held: typeof journal) => {
      expect(held.lastPosition).toBe(4);
      expect([1, 2, 3, 4].map((position) => held.epochAt(position))).toEqual([1, 1, 2, 2]);
      expect(held.entries(0, ALL_BYTES)).toHaveLength(4);
    };
    check(journal);
    journal.close();
    check(opened(path));
  });

  test("epochs that were dropped whole are forgotten, and others may begin where they did", () => {
    const path = journalFile(entriesThrough(3));
    const journal = opened(path);
    journal.write({ entries: [entry(4, "x", 2), entry(5, "x", 2), entry(6, "x", 3)] });
    journal.write({ truncateFrom: 4 });
    expect(journal.lastPosition).toBe(3);
    journal.write({ entries: [entry(4, "y", 7), entry(5, "y", 7)] });
    journal.write({ truncateFrom: 4, entries: [entry(4, "z", 9)] });
    journal.write({ entries: [entry(5, "z", 9)] });
    const epochs = (held: typeof journal) => [3, 4, 5].map((position) => held.epochAt(position));
    expect(epochs(journal)).toEqual([1, 9, 9]);
    journal.close();
    expect(epochs(opened(path))).toEqual([1, 9, 9]);
  });

  test("admissions are those of the entries that are there, after a start as before it", () => {
    const admit = (position: number, incarnation: number): Entry => ({
      position,
      epoch: 1,
      at: 0,
      body: { kind: "admit", replica: 9090, incarnation },
    });
    const path = journalFile(entriesThrough(2));
    const journal = opened(path);
    journal.write({ entries: [admit(3, 5), entry(4), admit(5, 6)] });
    journal.write({ truncateFrom: 5, entries: [admit(5, 7)] });
    const expected = [
      { position: 3, replica: 9090, incarnation: 5 },
      { position: 5, replica: 9090, incarnation: 7 },
    ];
    expect(journal.admissions()).toEqual(expected);
    journal.close();
    expect(opened(path).admissions()).toEqual(expected);
  });

  test("an entry out of line is refused", () => {
    const journal = opened(journalFile(entriesThrough(2)));
    expect(() => journal.write({ entries: [entry(4)] })).toThrow(InvariantViolation);
    expect(journal.lastPosition).toBe(2);
  });

  test("R1: applied entries can't be dropped", () => {
    const journal = opened(journalFile(entriesThrough(5)));
    journal.write({}, () => journal.setApplied(3));
    expect(() => journal.write({ truncateFrom: 3 })).toThrow(InvariantViolation);
    journal.write({ truncateFrom: 4 });
    expect(journal.lastPosition).toBe(3);
  });

  test("R1: the applied position never goes back, nor past the last entry", () => {
    const journal = opened(journalFile(entriesThrough(5)));
    journal.write({}, () => journal.setApplied(3));
    expect(() => journal.write({}, () => journal.setApplied(2))).toThrow(InvariantViolation);
    const other = opened(journalFile(entriesThrough(5)));
    expect(() => other.write({}, () => other.setApplied(6))).toThrow(InvariantViolation);
  });
});

describe("reading", () => {
  test("a read ends at its limit, and gives at least one entry if there is one", () => {
    const big = Array.from({ length: 10 }, (_, index) => entry(index + 1, "x".repeat(1_000)));
    const journal = opened(journalFile(big));
    expect(journal.entries(0, 3_500).map(({ position }) => position)).toEqual([1, 2, 3]);
    expect(journal.entries(8, 1).map(({ position }) => position)).toEqual([9]);
    expect(journal.entries(10, 1)).toEqual([]);
  });

  test("a read that stops early doesn't keep the write-ahead log from being reused", () => {
    const journal = opened(journalFile(entriesThrough(20)));
    journal.entries(0, 1);
    const row = journal.database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
    expect(row).toMatchObject({ busy: 0 });
  });

  test("epochs of entries older than memory holds come from the file", () => {
    const entries = Array.from({ length: 40 }, (_, index) => entry(index + 1, "x", index + 1));
    const path = journalFile(entries);
    const writer = opened(path);
    writer.write({}, () => writer.setApplied(40));
    writer.close();
    const journal = opened(path, { entriesVerifiedMin: 5 });
    expect(journal.epochAt(40)).toBe(40);
    expect(journal.epochAt(7)).toBe(7);
    expect(() => journal.epochAt(41)).toThrow(InvariantViolation);
  });
});

describe("digests", () => {
  test("equal journals have equal digests, and different ones have different digests", () => {
    const written = (entries: Entry[], cluster = IDENTITY.cluster) =>
      opened(journalFile(entries, { ...IDENTITY, cluster }));
    const one = written(entriesThrough(9));
    const same = opened(journalFile([]));
    for (const each of entriesThrough(9)) same.write({ entries: [each] });
    for (let position = 0; position <= 9; position++) {
      expect(one.digestAt(position)).toBe(same.digestAt(position));
    }
    const changed = (change: Partial<Entry>) =>
      written(
        entriesThrough(9).map((each) => (each.position === 4 ? { ...each, ...change } : each)),
      );
    const digests = [
      one,
      changed({ epoch: 2 }),
      changed({ at: 1 }),
      changed({ body: { kind: "reign", leader: 9094, state: "" } }),
      changed({ body: { kind: "reign", leader: 9092, state: "" } }),
      changed({ body: { kind: "command", bytes: Buffer.from("x") } }),
      written(entriesThrough(9), "another"),
    ].map((journal) => journal.digestAt(9));
    expect(new Set(digests).size).toBe(digests.length);
  });

  test("a tail dropped and written again as it was gives the same digest", () => {
    const journal = opened(journalFile(entriesThrough(9)));
    const digest = journal.digestAt(9);
    journal.write({ truncateFrom: 4 });
    journal.write({ entries: entriesThrough(9).slice(3) });
    expect(journal.digestAt(9)).toBe(digest);
  });
});

describe("a crash", () => {
  test("loses nothing that write() returned from, and keeps nothing of what it didn't", () => {
    const path = journalFile();
    const journal = opened(path);
    const copyTo = join(temporaryFolder(), "order.db");
    const copies: number[] = [];
    for (let position = 1; position <= 30; position++) {
      journal.write({ entries: [entry(position, "x".repeat(3_000))] }, () => {
        if (position % 7 === 0) copies.push(check(position - 1));
      });
      copies.push(check(position));
    }
    expect(copies).toHaveLength(34);

    /** What a crash at this moment would leave on disk. */
    function check(expected: number): number {
      for (const suffix of ["", "-wal"]) {
        rmSync(copyTo + suffix, { force: true });
        if (existsSync(path + suffix)) copyFileSync(path + suffix, copyTo + suffix);
      }
      const copy = opened(copyTo);
      expect(copy.lastPosition).toBe(expected);
      expect(copy.entries(0, ALL_BYTES)).toHaveLength(expected);
      copy.close();
      return expected;
    }
  });

  test("after it, the write-ahead log begins anew, so that torn writes of two crashes don't mix", () => {
    const path = journalFile(entriesThrough(3));
    const journal = opened(path);
    journal.write({ entries: [entry(4)] });
    const crashed = join(temporaryFolder(), "order.db");
    copyFileSync(path, crashed);
    copyFileSync(`${path}-wal`, `${crashed}-wal`);
    expect(readFileSync(`${crashed}-wal`).length).toBeGreaterThan(0);
    opened(crashed);
    expect(readFileSync(`${crashed}-wal`)).toHaveLength(0);
  });
});

describe("a write that fails", () => {
  test("leaves memory as the disk is, and is the last", () => {
    const path = journalFile(entriesThrough(3));
    const journal = opened(path);
    const broken = new Error("broken");
    expect(
      thrown(() =>
        journal.write({ entries: [entry(4)] }, () => {
          journal.setApplied(3);
          throw broken;
        }),
      ),
    ).toBe(broken);
    expect(journal.lastPosition).toBe(3);
    expect(journal.appliedPosition).toBe(0);
    expect(journal.isWriting).toBe(false);
    expect(thrown(() => journal.write({ entries: [entry(4)] }))).toBeInstanceOf(JournalFailed);
    journal.close();
    expect(opened(path).lastPosition).toBe(3);
  });

  test("because the disk is full says so, and acknowledges nothing", () => {
    const path = journalFile(entriesThrough(3));
    const journal = opened(path);
    const { page_count } = journal.database.prepare("PRAGMA page_count").get() ?? {};
    journal.database.exec(`PRAGMA max_page_count = ${Number(page_count) + 2}`);
    const error = thrown(() => journal.write({ entries: [entry(4, "x".repeat(100_000))] }));
    expect(error).toBeInstanceOf(JournalFailed);
    expect((error as Error).message).toMatch(/the disk is full; free some space/);
    expect(thrown(() => journal.write({ entries: [entry(4)] }))).toBe(error);
    expect(journal.lastPosition).toBe(3);
    journal.close();
    expect(opened(path).entries(0, ALL_BYTES)).toHaveLength(3);
  });
});

describe("a journal's file", () => {
  test("that is missing isn't made up: the disk may be lost", () => {
    const path = join(temporaryFolder(), "order.db");
    const error = thrown(() => opened(path));
    expect(error).toBeInstanceOf(DataFileMissing);
    expect((error as Error).message).toContain('"bazaar format --replace order-9094"');
    expect(existsSync(path)).toBe(false);
  });

  test("of another replica or cluster is refused", () => {
    const path = journalFile();
    expect(thrown(() => opened(path, { replica: 9092 }))).toBeInstanceOf(DataFileForeign);
    expect(thrown(() => opened(path, { cluster: "another" }))).toBeInstanceOf(DataFileForeign);
    opened(path, { cluster: IDENTITY.cluster });
  });

  test("written by a newer program is called too new, not damaged", () => {
    const path = journalFile();
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 3");
    database.close();
    const error = thrown(() => opened(path));
    expect(error).toBeInstanceOf(DataFileTooNew);
    expect(error).toBeInstanceOf(DataFileError);
    expect((error as Error).message).toContain("run a newer version");
  });

  test("that is there isn't overwritten by a new one", () => {
    const path = journalFile(entriesThrough(3));
    expect(() => createJournalFile(path, IDENTITY, HARD_STATE, [])).toThrow(InvariantViolation);
    expect(opened(path).lastPosition).toBe(3);
  });
});
