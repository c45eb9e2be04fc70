// A replica's journal as its core sees it: the newest entries in memory, older
// ones read back from disk.
//
//   E1. durable <= last: a position counts as durable only once its present
//       entry is, not one that a truncation replaced.
//   E2. Every entry that isn't durable is in memory; disk is asked only below
//       the oldest entry in memory, where it is up to date.

import { invariant } from "../invariant.ts";
import { ENTRY_BYTES_MIN, RECENT_BYTES_MAX, RECENT_ENTRIES_MAX } from "./limits.ts";
import type { Entry } from "./types.ts";

/** What is on disk. Reading is synchronous: it is a page cache away. */
export interface StoredEntries {
  readonly lastPosition: number;
  /** Epoch of the stored entry at `position`; 0 at position 0. */
  epochAt(position: number): number;
  /** Stored entries after `position`, about `bytesMax` bytes of them, at least one if there is any. */
  entries(position: number, bytesMax: number): readonly Entry[];
}

/** Bytes that an entry takes in a message, roughly. */
export function entryBytes(entry: Entry): number {
  return ENTRY_BYTES_MIN + (entry.body.kind === "command" ? entry.body.bytes.length : 0);
}

/** A journal position together with the epoch of its entry: what identifies a journal up to there. */
export interface LogPoint {
  readonly position: number;
  readonly epoch: number;
}

/** True if a journal ending at `a` is at least as good as one ending at `b` (Raft §5.4.1). */
export function atLeastAsGood(a: LogPoint, b: LogPoint): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.position >= b.position);
}

export class EntryLog {
  readonly #stored: StoredEntries;
  /** Consecutive; the newest is at `last`. */
  #recent: Entry[] = [];
  #recentBytes = 0;
  #last: LogPoint;
  #durable: number;

  constructor(stored: StoredEntries) {
    this.#stored = stored;
    this.#last = { position: stored.lastPosition, epoch: stored.epochAt(stored.lastPosition) };
    this.#durable = stored.lastPosition;
  }

  get last(): LogPoint {
    return this.#last;
  }

  get durable(): number {
    return this.#durable;
  }

  /** Position of the oldest entry in memory; last + 1 when there is none. */
  get #recentStart(): number {
    return this.#last.position + 1 - this.#recent.length;
  }

  epochAt(position: number): number {
    invariant(position >= 0 && position <= this.#last.position, "position within the journal", {
      position,
      last: this.#last.position,
    });
    if (position === this.#last.position) return this.#last.epoch;
    const entry = this.#recent[position - this.#recentStart];
    return entry ? entry.epoch : this.#stored.epochAt(position);
  }

  /** Entries after `position`, about `bytesMax` bytes, at least one if there is any. */
  entriesAfter(position: number, bytesMax: number): readonly Entry[] {
    if (position >= this.#last.position) return [];
    const start = this.#recentStart;
    if (position + 1 < start) {
      const stored = this.#stored.entries(position, bytesMax);
      // A truncation may be on its way to disk: what it drops isn't ours any more.
      return stored.filter((entry) => entry.position < start);
    }
    const entries: Entry[] = [];
    let bytes = 0;
    for (let index = position + 1 - start; index < this.#recent.length; index += 1) {
      const entry = this.#recent[index] as Entry;
      bytes += entryBytes(entry);
      if (entries.length > 0 && bytes > bytesMax) break;
      entries.push(entry);
    }
    return entries;
  }

  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      invariant(entry.position === this.#last.position + 1, "entries are consecutive", {
        position: entry.position,
        last: this.#last.position,
      });
      invariant(entry.epoch >= this.#last.epoch, "epochs never go back within a journal", {
        epoch: entry.epoch,
        last: this.#last.epoch,
      });
      this.#recent.push(entry);
      this.#recentBytes += entryBytes(entry);
      this.#last = { position: entry.position, epoch: entry.epoch };
    }
  }

  /** Drops the entries from `position` on. The caller has made sure that none of them is committed. */
  truncateFrom(position: number): void {
    const start = this.#recentStart;
    const epoch = this.epochAt(position - 1);
    this.#recent = position > start ? this.#recent.slice(0, position - start) : [];
    this.#recentBytes = this.#recent.reduce((sum, entry) => sum + entryBytes(entry), 0);
    this.#last = { position: position - 1, epoch };
    this.#durable = Math.min(this.#durable, position - 1); // E1
  }

  /** The entries through `position` are durable as they now stand. */
  setDurable(position: number): void {
    invariant(position <= this.#last.position, "durable <= last", {
      position,
      last: this.#last.position,
    }); // E1
    if (position <= this.#durable) return;
    this.#durable = position;
    this.#release();
  }

  /** Lets go of old entries, durable ones only (E2), in big steps so that each costs little. */
  #release(): void {
    if (this.#recent.length <= 2 * RECENT_ENTRIES_MAX && this.#recentBytes <= 2 * RECENT_BYTES_MAX)
      return;
    const durableCount = this.#durable + 1 - this.#recentStart;
    let drop = 0;
    while (
      drop < durableCount &&
      (this.#recent.length - drop > RECENT_ENTRIES_MAX || this.#recentBytes > RECENT_BYTES_MAX)
    ) {
      this.#recentBytes -= entryBytes(this.#recent[drop] as Entry);
      drop += 1;
    }
    if (drop > 0) this.#recent = this.#recent.slice(drop);
  }
}
