import { describe, expect, test } from "vitest";
import { atLeastAsGood, EntryLog, entryBytes } from "./entry-log.ts";
import { RECENT_BYTES_MAX, RECENT_ENTRIES_MAX } from "./limits.ts";
import { bulky, command, journal, TestDisk, textOf } from "./test-disk.ts";

const ALL = Number.MAX_SAFE_INTEGER;

describe("the better of two journals (Raft §5.4.1)", () => {
  test.each([
    [
      "is the one of the later epoch, though it is shorter",
      { epoch: 3, position: 1 },
      { epoch: 2, position: 9 },
    ],
    ["is the longer one of the same epoch", { epoch: 2, position: 9 }, { epoch: 2, position: 8 }],
  ])("%s", (_claim, better, worse) => {
    expect(atLeastAsGood(better, worse)).toBe(true);
    expect(atLeastAsGood(worse, better)).toBe(false);
  });

  test("is either when they are equal", () => {
    expect(atLeastAsGood({ epoch: 2, position: 9 }, { epoch: 2, position: 9 })).toBe(true);
  });
});

describe("a journal", () => {
  test("doesn't count an entry as durable because the one it replaced was (E1)", () => {
    const log = new EntryLog(new TestDisk(journal(1, 1, 1)));
    expect(log.durable).toBe(3);
    log.truncateFrom(2);
    log.append([command(2, 2)]);
    expect(log.durable).toBe(1);
    log.setDurable(2);
    expect(log.durable).toBe(2);
  });

  test("counts as durable nothing that it doesn't have (E1)", () => {
    const log = new EntryLog(new TestDisk(journal(1, 1)));
    expect(() => log.setDurable(3)).toThrow("durable <= last");
  });

  test("keeps its durable position when an older write is reported late", () => {
    const log = new EntryLog(new TestDisk());
    log.append(journal(1, 1, 1));
    log.setDurable(3);
    log.setDurable(1);
    expect(log.durable).toBe(3);
  });

  test("doesn't ask the disk for what has not been written yet (E2)", () => {
    const disk = new TestDisk();
    const log = new EntryLog(disk);
    const count = 3 * RECENT_ENTRIES_MAX;
    log.append(Array.from({ length: count }, (_, index) => command(index + 1, 1)));
    log.setDurable(10);
    expect(log.entriesAfter(10, ALL)).toHaveLength(count - 10);
    expect(log.epochAt(11)).toBe(1);
    expect(disk.reads).toBe(0);
  });

  test("keeps only its newest entries in memory", () => {
    const entries = Array.from({ length: 3 * RECENT_ENTRIES_MAX }, (_, at) => command(at + 1, 1));
    const disk = new TestDisk();
    const log = new EntryLog(disk);
    log.append(entries);
    disk.journal.push(...entries);
    log.setDurable(entries.length);
    const oldest = entries.length - RECENT_ENTRIES_MAX;
    expect(log.entriesAfter(oldest, ALL)).toHaveLength(RECENT_ENTRIES_MAX);
    expect(disk.reads).toBe(0);
    expect(log.entriesAfter(oldest - 1, ALL)).toHaveLength(1);
    expect(disk.reads).toBe(1);
    expect(log.epochAt(1)).toBe(1);
  });

  test("keeps fewer entries in memory when they are huge", () => {
    const entries = [1, 2, 3].map((position) => bulky(position, 1, RECENT_BYTES_MAX));
    const disk = new TestDisk();
    const log = new EntryLog(disk);
    log.append(entries);
    disk.journal.push(...entries);
    log.setDurable(3);
    log.entriesAfter(0, 1);
    expect(disk.reads).toBe(1);
  });

  test("hands out no entry that it dropped, while the truncation is on its way to disk", () => {
    const disk = new TestDisk(journal(1, 1, 1, 1, 1));
    const log = new EntryLog(disk);
    log.truncateFrom(4);
    expect(log.entriesAfter(1, ALL).map(textOf)).toEqual(["2@1", "3@1"]);
    expect(log.entriesAfter(3, ALL)).toEqual([]);
    log.append([command(4, 2)]);
    expect(log.entriesAfter(1, ALL).map(textOf)).toEqual(["2@1", "3@1"]);
    expect(log.entriesAfter(3, ALL).map(textOf)).toEqual(["4@2"]);
    expect(log.epochAt(4)).toBe(2);
    expect(log.last).toEqual({ position: 4, epoch: 2 });
  });

  test("takes the epoch of its end from the last entry that it kept", () => {
    const log = new EntryLog(new TestDisk(journal(1, 1)));
    log.append([command(3, 2), command(4, 3)]);
    log.truncateFrom(4);
    expect(log.last).toEqual({ position: 3, epoch: 2 });
    log.truncateFrom(2);
    expect(log.last).toEqual({ position: 1, epoch: 1 });
    log.truncateFrom(1);
    expect(log.last).toEqual({ position: 0, epoch: 0 });
  });

  test("puts no more into a message than its limit, and at least one entry", () => {
    const log = new EntryLog(new TestDisk());
    const entries = [1, 2, 3, 4].map((position) => bulky(position, 1, 1_000));
    const size = entryBytes(bulky(1, 1, 1_000));
    log.append(entries);
    expect(log.entriesAfter(0, 2 * size)).toHaveLength(2);
    expect(log.entriesAfter(0, 3 * size - 1)).toHaveLength(2);
    expect(log.entriesAfter(1, 10)).toEqual([entries[1]]);
    expect(log.entriesAfter(4, ALL)).toEqual([]);
  });

  test("has no gap, and no epoch that goes back", () => {
    const log = new EntryLog(new TestDisk(journal(1, 2)));
    expect(() => log.append([command(4, 2)])).toThrow("entries are consecutive");
    expect(() => log.append([command(3, 1)])).toThrow("epochs never go back within a journal");
  });

  test("answers for no position that it doesn't have", () => {
    const log = new EntryLog(new TestDisk(journal(1, 1)));
    expect(() => log.epochAt(3)).toThrow("position within the journal");
    expect(() => log.epochAt(-1)).toThrow("position within the journal");
    expect(log.epochAt(0)).toBe(0);
  });
});
