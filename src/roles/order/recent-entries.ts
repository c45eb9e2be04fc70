// The newest committed entries, in memory, for catalogs that are a little
// behind; who is further behind is served from the log's disk.

import { invariant } from "../../core/invariant.ts";
import type { CommittedEntry } from "../../io/log/log.ts";

/** What an entry costs beside its command: its fields and the object. */
const ENTRY_OVERHEAD_BYTES = 64;

/** Consecutive entries, at most about `bytesMax` bytes of them: the oldest go. */
export class RecentEntries {
  readonly #bytesMax: number;
  #entries: CommittedEntry[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Adds entries that follow the newest. */
  push(entries: readonly CommittedEntry[]): void {
    for (const entry of entries) {
      const newest = this.#entries.at(-1);
      invariant(
        newest === undefined || entry.position === newest.position + 1,
        "committed entries come without gaps",
        { newest: newest?.position, position: entry.position },
      );
      this.#entries.push(entry);
      this.#bytes += bytesOf(entry);
    }
    if (this.#bytes > this.#bytesMax) this.#dropOldest();
  }

  /**
   * Entries after `position`, at most about `bytesMax` bytes, at least one if
   * there is any; null when the first of them is no longer, or not yet, here.
   */
  after(position: number, bytesMax: number): readonly CommittedEntry[] | null {
    const oldest = this.#entries[0];
    if (oldest === undefined) return null;
    const first = position + 1 - oldest.position;
    if (first < 0 || first >= this.#entries.length) return null;
    let bytes = 0;
    let end = first;
    for (let entry = this.#entries[end]; entry; entry = this.#entries[++end]) {
      bytes += bytesOf(entry);
      if (bytes > bytesMax && end > first) break;
    }
    return this.#entries.slice(first, end);
  }

  /** Drops to half, so that the cost of moving the rest is paid seldom. */
  #dropOldest(): void {
    let dropped = 0;
    for (const entry of this.#entries) {
      if (this.#bytes <= this.#bytesMax / 2 || dropped === this.#entries.length - 1) break;
      this.#bytes -= bytesOf(entry);
      dropped++;
    }
    this.#entries = this.#entries.slice(dropped);
  }
}

function bytesOf(entry: CommittedEntry): number {
  return ENTRY_OVERHEAD_BYTES + (entry.command?.byteLength ?? 0);
}
