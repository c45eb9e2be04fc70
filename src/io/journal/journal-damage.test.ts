// What a disk may do to a journal's file, and what the journal must not do then.

import { copyFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { JournalCorrupt } from "./errors.ts";
import {
  entriesThrough,
  entry,
  flipBit,
  IDENTITY,
  journalFile,
  offsetOf,
  opened,
  temporaryFolder,
  thrown,
} from "./test-files.ts";

/** Enough that no read stops early because of it. */
const ALL_BYTES = 1 << 30;

/** Makes a table or index of a single page show one row less. */
function hideRow(path: string, name: string): void {
  const database = new DatabaseSync(path);
  const root = database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = ?").get(name);
  database.close();
  const bytes = readFileSync(path);
  const cells = (Number(root?.rootpage) - 1) * 4_096 + 3;
  bytes.writeUInt16BE(bytes.readUInt16BE(cells) - 1, cells);
  writeFileSync(path, bytes);
}

describe("a damaged file", () => {
  const EPOCH = 1_234_567_890_123;

  function fileWithPromise(): string {
    const path = journalFile(entriesThrough(3));
    const journal = opened(path);
    journal.write({
      hardState: { promise: { epoch: EPOCH, nominee: 9092 }, voter: true },
      entries: [{ ...entry(4, "the fourth command"), epoch: 41 }],
    });
    journal.close();
    return path;
  }

  function bigEndian(value: number): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(BigInt(value));
    return bytes.subarray(2); // as SQLite stores a number of this size
  }

  test("doesn't start, wherever in it a bit was flipped", () => {
    const path = fileWithPromise();
    opened(path).close();
    const digest = (position: number) => {
      const journal = opened(path);
      const hex = journal.digestAt(position);
      journal.close();
      return Buffer.from(hex, "hex");
    };
    const places: [string, number][] = [
      ["the body of an entry", offsetOf(path, "the fourth command") + 5],
      ["the time of an entry", offsetOf(path, "the fourth command") - 3],
      ["the digest of the last entry", readFileSync(path).lastIndexOf(digest(4)) + 31],
      ["where the journal ends", readFileSync(path).indexOf(digest(4)) + 31],
      ["the digest of another", offsetOf(path, digest(2))],
      ["the cluster", offsetOf(path, IDENTITY.cluster) + 1],
      ["the promise", offsetOf(path, bigEndian(EPOCH)) + 7],
    ];
    for (const [what, offset] of places) {
      flipBit(path, offset);
      const error = thrown(() => opened(path));
      expect(error, what).toBeInstanceOf(JournalCorrupt);
      expect((error as Error).message, what).toContain(path);
      flipBit(path, offset);
    }
    opened(path).close();
  });

  test("names the position, so that the operator can look", () => {
    const path = fileWithPromise();
    flipBit(path, offsetOf(path, "the fourth command"));
    expect(thrown(() => opened(path))).toMatchObject({ path, position: 4 });
  });

  test("with an entry, or all applied ones, gone doesn't start", () => {
    const path = journalFile(entriesThrough(5));
    const journal = opened(path);
    journal.write({}, () => journal.setApplied(5));
    journal.database.exec("DELETE FROM entries WHERE position = 3");
    journal.close();
    expect(thrown(() => opened(path))).toMatchObject({ name: "JournalCorrupt", position: 3 });
    const other = new DatabaseSync(path);
    other.exec("DELETE FROM entries WHERE position > 2");
    other.close();
    expect(thrown(() => opened(path))).toMatchObject({ name: "JournalCorrupt", position: 5 });
  });

  test("doesn't start with an admission that its index hides", () => {
    const path = journalFile(entriesThrough(2));
    const journal = opened(path);
    const body = { kind: "admit", replica: 9090, incarnation: 5 } as const;
    journal.write({ entries: [{ position: 3, epoch: 1, at: 0, body }] });
    journal.close();
    opened(path).close();
    hideRow(path, "entries_admit");
    expect(thrown(() => opened(path))).toBeInstanceOf(JournalCorrupt);
  });

  test("doesn't start without its newest entries, which no table holds yet", () => {
    const path = journalFile(entriesThrough(5));
    for (const hidden of [1, 2, 5]) {
      const copy = join(temporaryFolder(), "order.db");
      copyFileSync(path, copy);
      const other = new DatabaseSync(copy);
      other.exec(`DELETE FROM entries WHERE position > ${5 - hidden}`);
      other.close();
      expect(
        thrown(() => opened(copy)),
        `${hidden} hidden`,
      ).toBeInstanceOf(JournalCorrupt);
    }
  });

  test("doesn't start with an older newest entry, dropped long ago, in the place of the last", () => {
    const path = journalFile([...entriesThrough(4), entry(5, "dropped")]);
    const journal = opened(path);
    const stale = journal.database.prepare("SELECT * FROM entries WHERE position = 5").get();
    journal.write({ truncateFrom: 5, entries: [entry(5, "acknowledged", 2)] });
    const { epoch, at, body, digest } = stale as Record<string, number | Uint8Array>;
    journal.database
      .prepare("UPDATE entries SET epoch = ?, at = ?, body = ?, digest = ? WHERE position = 5")
      .run(epoch ?? 0, at ?? 0, body ?? 0, digest ?? 0);
    journal.close();
    expect(thrown(() => opened(path))).toBeInstanceOf(JournalCorrupt);
  });

  test("doesn't start without the end of its write-ahead log that SQLite would drop", () => {
    const path = journalFile(entriesThrough(3));
    const journal = opened(path);
    for (const position of [4, 5, 6]) journal.write({ entries: [entry(position)] });
    const crashed = join(temporaryFolder(), "order.db");
    copyFileSync(path, crashed);
    copyFileSync(`${path}-wal`, `${crashed}-wal`);
    flipBit(`${crashed}-wal`, 100);
    const error = thrown(() => opened(crashed));
    expect(error).toBeInstanceOf(JournalCorrupt);
    flipBit(`${crashed}-wal`, 100);
    expect(opened(crashed).lastPosition).toBe(6);
  });

  test("that was cut short, emptied or overwritten doesn't start as a new one", () => {
    const entries = Array.from({ length: 200 }, (_, index) => entry(index + 1, "x".repeat(500)));
    const path = journalFile(entries);
    const whole = readFileSync(path);
    for (const length of [0, 50, 4_096, 8_192, whole.length - 4_096, whole.length - 1]) {
      writeFileSync(path, whole);
      truncateSync(path, length);
      expect(
        thrown(() => opened(path)),
        `${length} bytes`,
      ).toBeInstanceOf(JournalCorrupt);
    }
    writeFileSync(path, "name,price,quantity\n".repeat(1_000));
    expect(thrown(() => opened(path))).toBeInstanceOf(JournalCorrupt);
  });

  test("gives no damaged entry to a reader, though the start passed it over", () => {
    const path = journalFile(entriesThrough(50));
    const writer = opened(path);
    writer.write({}, () => writer.setApplied(50));
    writer.close();
    flipBit(path, offsetOf(path, "command 7") + 1);
    const journal = opened(path, { entriesVerifiedMin: 10 });
    expect(journal.entries(10, ALL_BYTES)).toHaveLength(40);
    expect(thrown(() => journal.entries(3, ALL_BYTES))).toMatchObject({ position: 7 });
    expect(thrown(() => journal.digestAt(7))).toBeInstanceOf(JournalCorrupt);
    expect(thrown(() => journal.epochAt(7))).toBeInstanceOf(JournalCorrupt);
  });
});

describe("scrub", () => {
  function appliedJournal(last: number): string {
    const path = journalFile(entriesThrough(last));
    const journal = opened(path);
    journal.write({}, () => journal.setApplied(last));
    journal.close();
    return path;
  }

  test("a start verifies the newest of the applied entries, and no more than a limit", () => {
    const path = appliedJournal(500);
    expect(opened(path, { entriesVerifiedMin: 20 }).entriesVerified).toBe(20);
    expect(opened(path, { entriesVerifiedMin: 2_000 }).entriesVerified).toBe(500);
    expect(opened(path).entriesVerified).toBe(500);
  });

  test("entries that the tables don't hold are all verified, however many", () => {
    const path = journalFile(entriesThrough(500));
    const journal = opened(path, { entriesVerifiedMin: 20 });
    expect(journal.entriesVerified).toBe(500);
    journal.write({}, () => journal.setApplied(100));
    journal.close();
    expect(opened(path, { entriesVerifiedMin: 20 }).entriesVerified).toBe(400);
  });

  test("goes through the older history in slices, and ends", () => {
    const journal = opened(appliedJournal(500), { entriesVerifiedMin: 20 });
    const progress = [];
    do progress.push(journal.scrub(10_000));
    while (progress.at(-1)?.done === false);
    expect(progress.length).toBeGreaterThan(2);
    expect(progress.length).toBeLessThan(10);
    expect(progress[0]?.verifiedThrough).toBeLessThan(480);
    expect(progress.at(-1)).toEqual({ done: true, verifiedThrough: 500 });
    journal.write({ entries: [entry(501)] });
    expect(journal.scrub(1)).toEqual({ done: true, verifiedThrough: 501 });
  });

  test("finds damage that the start passed over", () => {
    const path = appliedJournal(500);
    flipBit(path, offsetOf(path, "command 321"));
    const journal = opened(path, { entriesVerifiedMin: 20 });
    const scrubAll = () => {
      while (!journal.scrub(1_000).done);
    };
    expect(thrown(scrubAll)).toMatchObject({ name: "JournalCorrupt", path, position: 321 });
  });
});
