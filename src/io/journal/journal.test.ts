import {
  copyFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
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
import { createJournalFile, journalFolder, readJournal } from "./journal.ts";
import {
  entriesThrough,
  entry,
  HARD_STATE,
  IDENTITY,
  journalFile,
  opened,
  segmentFile,
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
    journal.writeTables(() => journal.setApplied(3));
    expect(() => journal.write({ truncateFrom: 3 })).toThrow(InvariantViolation);
    journal.write({ truncateFrom: 4 });
    expect(journal.lastPosition).toBe(3);
  });

  test("R1: the applied position never goes back, nor past the last entry", () => {
    const journal = opened(journalFile(entriesThrough(5)));
    journal.writeTables(() => journal.setApplied(3));
    expect(() => journal.writeTables(() => journal.setApplied(2))).toThrow(InvariantViolation);
    const other = opened(journalFile(entriesThrough(5)));
    expect(() => other.writeTables(() => other.setApplied(6))).toThrow(InvariantViolation);
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

  test("entries of many segments are found wherever a read begins, before and after a start", () => {
    const path = journalFile(entriesThrough(3));
    const journal = opened(path, { segmentBytes: 4_096 });
    for (let position = 4; position <= 150; position++) {
      journal.write({ entries: [entry(position, "x".repeat(position))] });
      // Now and then the newest are dropped, and made again.
      if (position % 40 !== 0) continue;
      const again = [position - 1, position].map((each) => entry(each, `again ${each}`, position));
      journal.write({ truncateFrom: position - 1, entries: again });
    }
    expect(readdirSync(journalFolder(path)).length).toBeGreaterThan(5);
    const check = (held: typeof journal) => {
      const all = held.entries(0, ALL_BYTES);
      expect(all.map(({ position }) => position)).toEqual(
        Array.from({ length: 150 }, (_, index) => index + 1),
      );
      for (let position = 0; position < 150; position++) {
        expect(held.entries(position, 1)).toEqual([all[position]]);
        expect(held.epochAt(position + 1)).toBe(all[position]?.epoch);
      }
      expect([39, 40, 41].map((position) => held.epochAt(position))).toEqual([40, 40, 1]);
    };
    check(journal);
    journal.close();
    check(opened(path, { entriesVerifiedMin: 5 }));
    const reader = readJournal(path);
    expect([...reader.rows(17, 149)].map(({ position }) => position)).toEqual(
      Array.from({ length: 132 }, (_, index) => index + 18),
    );
    reader.close();
  });

  test("an entry far into a segment is found by what earlier reads passed", () => {
    const entries = Array.from({ length: 4_000 }, (_, index) => entry(index + 1, "x".repeat(200)));
    const journal = opened(journalFile());
    for (let from = 0; from < 4_000; from += 20) {
      journal.write({ entries: entries.slice(from, from + 20) });
    }
    for (let position = 0; position < 4_000; position += 37) {
      expect(journal.entries(position, 1)[0]?.position).toBe(position + 1);
    }
  });

  test("epochs of entries older than memory holds come from the file", () => {
    const entries = Array.from({ length: 40 }, (_, index) => entry(index + 1, "x", index + 1));
    const path = journalFile(entries);
    const writer = opened(path);
    writer.writeTables(() => writer.setApplied(40));
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

/** A copy of all files of a replica, as a kill at this moment leaves them. */
function killed(path: string): string {
  const copy = join(temporaryFolder(), "order.db");
  for (const suffix of ["", "-wal"]) {
    if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix);
  }
  cpSync(journalFolder(path), journalFolder(copy), { recursive: true });
  return copy;
}

describe("a crash", () => {
  test("loses nothing that write() returned from", () => {
    const path = journalFile();
    const journal = opened(path, { segmentBytes: 32 * 1024 });
    for (let position = 1; position <= 20; position++) {
      journal.write({ entries: [entry(position, "x".repeat(3_000))] });
      const copy = opened(killed(path));
      expect(copy.lastPosition).toBe(position);
      expect(copy.entries(0, ALL_BYTES)).toHaveLength(position);
      copy.close();
    }
  });

  test("in a write, wherever that is cut off, leaves what was there before it", () => {
    const path = journalFile(entriesThrough(3));
    const journal = opened(path);
    const before = statSync(segmentFile(path)).size;
    const used = endOf(path);
    journal.write({ entries: [entry(4, "y".repeat(2_000)), entry(5, "z".repeat(2_000))] });
    const whole = readFileSync(segmentFile(path));
    const end = endOf(path);
    for (let cut = used; cut < end; cut += 250) {
      const copy = killed(path);
      const torn = Buffer.from(whole);
      torn.fill(0, cut, end);
      writeFileSync(segmentFile(copy), torn);
      const again = opened(copy);
      expect(again.lastPosition, `cut at ${cut}`).toBe(3);
      again.write({ entries: [entry(4, "other")] });
      again.close();
      expect(opened(copy).lastPosition).toBe(4);
    }
    expect(statSync(segmentFile(path)).size).toBe(before);
  });

  test("of tables behind their journal leaves them so, and they go on from there", () => {
    const path = journalFile(entriesThrough(3));
    const journal = opened(path);
    journal.writeTables(() => journal.setApplied(2));
    journal.write({ entries: [entry(4)] });
    const again = opened(killed(path));
    expect([again.appliedPosition, again.lastPosition]).toEqual([2, 4]);
  });

  test("tables that are ahead of the journal don't start", () => {
    const path = journalFile(entriesThrough(3));
    const journal = opened(path);
    const copy = killed(path);
    journal.write({ entries: [entry(4)] });
    journal.writeTables(() => journal.setApplied(4));
    journal.close();
    rmSync(copy);
    copyFileSync(path, copy);
    expect(thrown(() => opened(copy))).toMatchObject({ name: "JournalCorrupt", position: 4 });
  });
});

/** Where the last byte of a segment is that isn't zero, and a bit more. */
function endOf(path: string): number {
  const bytes = readFileSync(segmentFile(path));
  return bytes.findLastIndex((byte) => byte !== 0) + 1;
}

describe("a write that fails", () => {
  test("leaves memory as the disk is, and is the last", () => {
    const path = journalFile(entriesThrough(3));
    const journal = opened(path);
    const broken = new Error("broken");
    expect(
      thrown(() =>
        journal.writeTables(() => {
          journal.setApplied(3);
          throw broken;
        }),
      ),
    ).toBe(broken);
    expect(journal.lastPosition).toBe(3);
    expect(journal.appliedPosition).toBe(0);
    expect(thrown(() => journal.write({ entries: [entry(4)] }))).toBeInstanceOf(JournalFailed);
    journal.close();
    expect(opened(path).lastPosition).toBe(3);
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
    database.exec("PRAGMA user_version = 4");
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
