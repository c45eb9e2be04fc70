// Real files for the tests of this folder: a directory each, entries to put
// into them, and the damage that disks do.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { segmentName } from "../../core/journal/reader.ts";
import { encodeCommands } from "../../core/market/codec.ts";
import type { Command } from "../../core/market/types.ts";
import type { Entry, HardState } from "../../core/replication/types.ts";
import { createJournalFile, type FileJournal, journalFolder, openJournal } from "./journal.ts";
import { Ledger } from "./ledger.ts";
import type { JournalIdentity, JournalOptions } from "./types.ts";

export const IDENTITY: JournalIdentity = {
  cluster: "cluster of the tests",
  members: [9090, 9092, 9094],
  replica: 9094,
  incarnation: 1,
};
export const HARD_STATE: HardState = { promise: { epoch: 0, nominee: 0 }, voter: true };

/** A directory that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "bazaar-journal-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The path of a fresh journal file that holds `entries`. */
export function journalFile(entries: readonly Entry[] = [], identity = IDENTITY): string {
  const path = join(temporaryFolder(), "order.db");
  createJournalFile(path, identity, HARD_STATE, entries);
  return path;
}

/** Opens a journal that is closed after the test. */
export function opened(path: string, options: Partial<JournalOptions> = {}): FileJournal {
  const journal = openJournal(path, { replica: IDENTITY.replica, ...options });
  onTestFinished(() => journal.close());
  return journal;
}

/** An entry with some bytes that replication doesn't look into. */
export function entry(position: number, text = `command ${position}`, epoch = 1): Entry {
  const body = { kind: "command", bytes: Buffer.from(text) } as const;
  return { position, epoch, at: 1_700_000_000_000 + position, body };
}

/** An entry with commands of the market. */
export function marketEntry(position: number, commands: readonly Command[]): Entry {
  const body = { kind: "command", bytes: encodeCommands(commands) } as const;
  return { position, epoch: 1, at: 1_700_000_000_000 + position, body };
}

/**
 * The path of a closed file with an entry for each array of commands, applied
 * through `applied` (default all), with a flush for each if so told.
 */
export function appliedFile(
  history: readonly (readonly Command[])[],
  { applied = history.length, flushEach = false } = {},
): string {
  const path = journalFile(history.map((commands, index) => marketEntry(index + 1, commands)));
  const journal = opened(path);
  const ledger = new Ledger(journal);
  history.slice(0, applied).forEach((commands, index) => {
    ledger.queue(index + 1, commands);
    if (flushEach) ledger.flush();
  });
  ledger.flush();
  journal.close();
  return path;
}

/** Entries 1 to `last`. */
export function entriesThrough(last: number): Entry[] {
  return Array.from({ length: last }, (_, index) => entry(index + 1));
}

/** Flips a bit of the byte at `offset`, counted from the end if negative. */
export function flipBit(path: string, offset: number): void {
  const bytes = readFileSync(path);
  const at = offset < 0 ? bytes.length + offset : offset;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
  writeFileSync(path, bytes);
}

/** The file of a segment of the journal beside the tables at `path`. */
export function segmentFile(path: string, number = 1): string {
  return join(journalFolder(path), segmentName(number));
}

/** Where `wanted` is in a file; exactly one place, or this throws. */
export function offsetOf(path: string, wanted: string | Uint8Array): number {
  const bytes = readFileSync(path);
  const offset = bytes.indexOf(wanted);
  if (offset < 0 || bytes.indexOf(wanted, offset + 1) >= 0) {
    throw new Error(`${path} doesn't hold it exactly once`);
  }
  return offset;
}

/** What is thrown by `run`, for tests that look into it. */
export function thrown(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}
