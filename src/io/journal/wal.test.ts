import { copyFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { JournalCorrupt } from "./errors.ts";
import { flipBit, temporaryFolder, thrown } from "./test-files.ts";
import { checkWriteAheadLog } from "./wal.ts";

const PAGE = 4_096;
const HEADER = 32;
const FRAME = PAGE + 24;

/** A database after a crash, with `transactions` in its log: numbers 1, 2, 3 …, three pages each. */
function crashed(transactions: number): string {
  const path = join(temporaryFolder(), "file.db");
  const database = new DatabaseSync(path);
  onTestFinished(() => database.close());
  database.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
  database.exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)");
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  for (let a = 1; a <= transactions; a++) {
    database.prepare("INSERT INTO t VALUES (?, ?)").run(a, "x".repeat(2 * PAGE));
  }
  const copy = join(temporaryFolder(), "file.db");
  copyFileSync(path, copy);
  copyFileSync(`${path}-wal`, `${copy}-wal`);
  return copy;
}

function framesOf(path: string): number {
  return (readFileSync(`${path}-wal`).length - HEADER) / FRAME;
}

function check(path: string): unknown {
  try {
    checkWriteAheadLog(path);
    return null;
  } catch (error) {
    return error;
  }
}

/** What SQLite itself makes of the file: how many transactions are left. */
function left(path: string): number {
  const database = new DatabaseSync(path);
  const count = Number(database.prepare("SELECT count(*) AS count FROM t").get()?.count);
  database.close();
  return count;
}

test("a log that is whole, empty or without a whole header passes", () => {
  const path = crashed(5);
  expect(check(path)).toBeNull();
  expect(left(path)).toBe(5);
  expect(check(path)).toBeNull();
  writeFileSync(`${path}-wal`, "");
  expect(check(path)).toBeNull();
  writeFileSync(`${path}-wal`, "half a header");
  expect(check(path)).toBeNull();
});

test("damage before the last transaction is found, though SQLite takes it for a torn write", () => {
  const path = crashed(5);
  const frames = framesOf(path);
  const lastOfFourth = Math.ceil((frames * 4) / 5) - 1;
  for (let frame = 0; frame < lastOfFourth; frame++) {
    // Page number, size after commit, salt, checksum, and places of the page.
    for (const place of [3, 7, 9, 18, 24, 24 + 2_000, FRAME - 1]) {
      const offset = HEADER + frame * FRAME + place;
      flipBit(`${path}-wal`, offset);
      expect(check(path), `frame ${frame + 1}, byte ${place}`).toBeInstanceOf(JournalCorrupt);
      flipBit(`${path}-wal`, offset);
    }
  }
  flipBit(`${path}-wal`, HEADER + FRAME + 100);
  expect(left(path)).toBeLessThan(4);
});

test("one flipped bit in the last transaction isn't taken for a torn write", () => {
  const path = crashed(2);
  const last = framesOf(path) - 1;
  // Page number, size after commit, salt, checksum, and places of the page.
  for (const place of [3, 7, 9, 13, 18, 23, 24, 24 + 2_000, FRAME - 1]) {
    const offset = HEADER + last * FRAME + place;
    flipBit(`${path}-wal`, offset);
    expect(check(path), `byte ${place}`).toBeInstanceOf(JournalCorrupt);
    flipBit(`${path}-wal`, offset);
  }
  expect(check(path)).toBeNull();
});

test("a damaged header is found", () => {
  const path = crashed(2);
  for (let offset = 0; offset < HEADER; offset++) {
    flipBit(`${path}-wal`, offset);
    expect(check(path), `byte ${offset}`).toBeInstanceOf(JournalCorrupt);
    flipBit(`${path}-wal`, offset);
  }
  expect(check(path)).toBeNull();
});

test("a last transaction torn by a crash passes", () => {
  const whole = crashed(5);
  const frames = framesOf(whole);
  const bytes = readFileSync(`${whole}-wal`);
  // Cut anywhere in it, as by a kill.
  for (const length of [bytes.length - 1, bytes.length - FRAME, bytes.length - FRAME - 10]) {
    truncateSync(`${whole}-wal`, length);
    expect(check(whole), `${length} bytes`).toBeNull();
    writeFileSync(`${whole}-wal`, bytes);
  }
  // With only some of its pages on disk, as by a power cut.
  const torn = Buffer.from(bytes);
  torn.fill(0, HEADER + (frames - 2) * FRAME, HEADER + (frames - 1) * FRAME);
  writeFileSync(`${whole}-wal`, torn);
  expect(check(whole)).toBeNull();
  expect(left(whole)).toBe(4);
});

test("frames of an earlier log behind the newest aren't taken for its own", () => {
  const path = join(temporaryFolder(), "file.db");
  const database = new DatabaseSync(path);
  onTestFinished(() => database.close());
  database.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
  database.exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)");
  const insert = database.prepare("INSERT INTO t VALUES (?, ?)");
  for (let a = 1; a <= 5; a++) insert.run(a, "x".repeat(2 * PAGE));
  database.exec("PRAGMA wal_checkpoint(RESTART)");
  const before = readFileSync(`${path}-wal`).length;
  insert.run(6, "short");
  expect(readFileSync(`${path}-wal`)).toHaveLength(before);
  expect(check(path)).toBeNull();
});

test("damage is told with the file that it is in", () => {
  const path = crashed(5);
  flipBit(`${path}-wal`, HEADER + 100);
  expect(thrown(() => checkWriteAheadLog(path))).toMatchObject({
    path: `${path}-wal`,
    message: expect.stringContaining("frame 1 is wrong"),
  });
});
