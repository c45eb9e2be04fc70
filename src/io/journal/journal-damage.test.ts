// What a disk may do to a journal's file, and what the journal must not do then.

import {
  copyFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { JournalCorrupt } from "./errors.ts";
import { journalFolder, openJournal } from "./journal.ts";
import {
  entriesThrough,
  entry,
  flipBit,
  IDENTITY,
  journalFile,
  offsetOf,
  opened,
  segmentFile,
  thrown,
} from "./test-files.ts";

/** Enough that no read stops early because of it. */
const ALL_BYTES = 1 << 30;

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

  test("doesn't start, wherever in it a bit was flipped", () => {
    const path = fileWithPromise();
    opened(path).close();
    const segment = segmentFile(path);
    const end = readFileSync(segment).findLastIndex((byte) => byte !== 0) + 1;
    for (let offset = 0; offset < end; offset += offset < 512 ? 47 : 7) {
      flipBit(segment, offset);
      const error = thrown(() => opened(path));
      expect(error, `byte ${offset}`).toBeInstanceOf(JournalCorrupt);
      expect((error as Error).message, `byte ${offset}`).toContain(segment);
      flipBit(segment, offset);
    }
    opened(path).close();
  });

  test("isn't one whose last write lost a sector that some flipped bit makes up for by chance", () => {
    /** What a bit flipped just before them does to a CRC-32, these four bytes do alone. */
    const LIKE_A_FLIPPED_BIT = [0x20, 0x83, 0xb8, 0xed];
    const SECTOR_BYTES = 512;
    const write = (bytes: Buffer): string => {
      const path = journalFile(entriesThrough(3));
      const journal = opened(path);
      journal.write({ entries: [{ ...entry(4), body: { kind: "command", bytes } }] });
      journal.close();
      return segmentFile(path);
    };
    const first = write(Buffer.alloc(3_000, "4"));
    const begin = offsetOf(first, "4".repeat(3_000));
    const sector = Math.ceil(begin / SECTOR_BYTES + 1) * SECTOR_BYTES;
    const bytes = Buffer.alloc(3_000);
    bytes.set(LIKE_A_FLIPPED_BIT, sector - begin);
    const segment = write(bytes);
    const torn = readFileSync(segment);
    expect([...torn.subarray(sector, sector + 4)]).toEqual(LIKE_A_FLIPPED_BIT);
    torn.fill(0, sector, sector + SECTOR_BYTES);
    writeFileSync(segment, torn);
    expect(opened(join(dirname(dirname(segment)), "order.db")).lastPosition).toBe(3);
  });

  test("names the position, so that the operator can look", () => {
    const path = fileWithPromise();
    flipBit(segmentFile(path), offsetOf(segmentFile(path), "the fourth command"));
    expect(thrown(() => opened(path))).toMatchObject({ path: segmentFile(path), position: 4 });
  });

  test("with a write destroyed that another one followed doesn't start", () => {
    const path = journalFile(entriesThrough(3));
    const journal = opened(path);
    journal.write({ entries: [entry(4, "the fourth command")] });
    journal.write({ entries: [entry(5, "the fifth command")] });
    journal.close();
    const segment = segmentFile(path);
    const whole = readFileSync(segment);
    for (const bytes of [2, 10, 55]) {
      const damaged = Buffer.from(whole);
      damaged.fill(
        0xff,
        whole.indexOf("the fourth") - 40,
        whole.indexOf("the fourth") - 40 + bytes,
      );
      writeFileSync(segment, damaged);
      expect(
        thrown(() => opened(path)),
        `${bytes} bytes`,
      ).toBeInstanceOf(JournalCorrupt);
    }
  });

  test("without one of its segments doesn't start", () => {
    const path = journalFile(entriesThrough(3));
    const journal = opened(path, { segmentBytes: 1_024 });
    for (let position = 4; position < 40; position++) {
      journal.write({ entries: [entry(position, "x".repeat(100))] });
      journal.write({ truncateFrom: position, entries: [entry(position, "y".repeat(100))] });
    }
    journal.close();
    const segments = readdirSync(journalFolder(path));
    expect(segments.length).toBeGreaterThan(30);
    for (const number of [1, 2, 17, segments.length]) {
      const file = segmentFile(path, number);
      renameSync(file, `${file}.gone`);
      const error = thrown(() => opened(path));
      expect(error, `segment ${number}`).toBeInstanceOf(JournalCorrupt);
      expect((error as Error).message).toContain("is gone");
      renameSync(`${file}.gone`, file);
    }
    opened(path).close();
  });

  test("with two of its segments swapped, or an older copy of one among newer ones, gives nothing from them", () => {
    const path = severalSegments(100);
    const [second, third] = [segmentFile(path, 2), segmentFile(path, 3)];
    renameSync(second, `${second}.kept`);
    renameSync(third, second);
    renameSync(`${second}.kept`, third);
    expect(thrown(() => opened(path))).toBeInstanceOf(JournalCorrupt);
    renameSync(second, `${third}.kept`);
    renameSync(third, second);
    renameSync(`${third}.kept`, third);
    // As it was before the last of its writes.
    truncateSync(second, readFileSync(second).length - 200);
    const journal = opened(path, { entriesVerifiedMin: 10 });
    const scrubAll = () => {
      while (!journal.scrub(1_000).done);
    };
    expect(thrown(scrubAll)).toMatchObject({ name: "JournalCorrupt", path: second });
  });

  test("with another replica's segment among its own doesn't start", () => {
    const path = journalFile(entriesThrough(3));
    const other = journalFile(entriesThrough(3), { ...IDENTITY, replica: 9092 });
    for (const [file, replica] of [
      [path, 9094],
      [other, 9092],
    ] as const) {
      const journal = openJournal(file, { replica });
      journal.write({ truncateFrom: 3, entries: [entry(3, "again", 2)] });
      journal.close();
    }
    copyFileSync(segmentFile(other, 2), segmentFile(path, 2));
    expect(thrown(() => opened(path))).toMatchObject({
      message: expect.stringContaining("another journal's segment"),
    });
  });

  test("that was cut short, emptied or overwritten doesn't start as a new one", () => {
    const path = journalFile(entriesThrough(3));
    const journal = opened(path);
    for (let position = 4; position <= 60; position++) {
      journal.write({ entries: [entry(position, "x".repeat(500))] });
    }
    journal.writeTables(() => journal.setApplied(60));
    journal.close();
    const segment = segmentFile(path);
    const whole = readFileSync(segment);
    for (const length of [0, 50, 512, 4_096, 8_192, 30_000]) {
      writeFileSync(segment, whole);
      truncateSync(segment, length);
      expect(
        thrown(() => opened(path)),
        `${length} bytes`,
      ).toBeInstanceOf(JournalCorrupt);
    }
    writeFileSync(segment, "name,price,quantity\n".repeat(1_000));
    expect(thrown(() => opened(path))).toBeInstanceOf(JournalCorrupt);
  });

  test("gives no damaged entry to a reader, though the start passed it over", () => {
    const path = severalSegments(50);
    const segment = segmentFile(path, 2);
    flipBit(segment, offsetOf(segment, "command 7 "));
    const journal = opened(path, { entriesVerifiedMin: 10 });
    expect(journal.entries(20, ALL_BYTES)).toHaveLength(30);
    expect(thrown(() => journal.entries(3, ALL_BYTES))).toMatchObject({ position: 7 });
    expect(thrown(() => journal.digestAt(7))).toBeInstanceOf(JournalCorrupt);
    expect(thrown(() => journal.epochAt(7))).toBeInstanceOf(JournalCorrupt);
  });
});

/** A closed journal with an entry a write, some ten in a segment. */
function severalSegments(last: number): string {
  const path = journalFile(entriesThrough(2));
  const journal = opened(path, { segmentBytes: 2_048 });
  journal.write({ truncateFrom: 2, entries: [entry(2, "command 2 ", 1)] });
  for (let position = 3; position <= last; position++) {
    const epoch = position < 7 ? 1 : position;
    journal.write({ entries: [entry(position, `command ${position} `, epoch)] });
  }
  journal.writeTables(() => journal.setApplied(last));
  journal.close();
  return path;
}

describe("scrub", () => {
  test("a start verifies the newest entries, and of the others no more than a segment", () => {
    const path = severalSegments(500);
    const verified = opened(path, { entriesVerifiedMin: 20 }).entriesVerified;
    expect(verified).toBeGreaterThanOrEqual(20);
    expect(verified).toBeLessThan(60);
    expect(opened(path, { entriesVerifiedMin: 2_000 }).entriesVerified).toBeGreaterThanOrEqual(500);
  });

  test("goes through the older history in slices, and ends", () => {
    const journal = opened(severalSegments(500), { entriesVerifiedMin: 20 });
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
    const path = severalSegments(500);
    const number = [2, 3, 4, 5, 6, 7, 8, 9].find((each) =>
      readFileSync(segmentFile(path, each)).includes("command 21 "),
    );
    const segment = segmentFile(path, number);
    flipBit(segment, offsetOf(segment, "command 21 "));
    const journal = opened(path, { entriesVerifiedMin: 20 });
    const scrubAll = () => {
      while (!journal.scrub(1_000).done);
    };
    expect(thrown(scrubAll)).toMatchObject({
      name: "JournalCorrupt",
      path: segment,
      position: 21,
    });
  });
});
