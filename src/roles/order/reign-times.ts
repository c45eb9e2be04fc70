// How long each of a leader's entries takes: from being appended until a quorum
// holds it, and from then until clients may see it. The second is where a view
// that is waited for shows; the waits that ended with a lease, because the view
// is dead, are also told by themselves.

import type { Observer } from "../../io/metrics/role-metrics.ts";

/** Entries that are kept in mind; of more the times aren't taken. */
const ENTRIES_MAX = 1_024;

interface Entry {
  readonly position: number;
  readonly appendedMs: number;
  committedMs: number | null;
}

export interface ReignTimesOptions {
  /** In seconds, as all metrics are. */
  readonly commit: Observer;
  readonly expose: Observer;
  readonly leaseWait: Observer;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

export class ReignTimes {
  readonly #options: ReignTimesOptions;
  /** Ascending; the first `#committed` of them are committed. */
  #entries: Entry[] = [];
  #committed = 0;

  constructor(options: ReignTimesOptions) {
    this.#options = options;
  }

  /** A turn's entries were appended, the last of them at `position`. */
  appended(position: number): void {
    if (this.#entries.length >= ENTRIES_MAX) return;
    this.#entries.push({ position, appendedMs: this.#options.nowMs(), committedMs: null });
  }

  /** A quorum holds everything up to `position`. */
  committed(position: number): void {
    const now = this.#options.nowMs();
    for (
      let entry = this.#entries[this.#committed];
      entry;
      entry = this.#entries[this.#committed]
    ) {
      if (entry.position > position) break;
      entry.committedMs = now;
      this.#options.commit.observe((now - entry.appendedMs) / 1_000);
      this.#committed += 1;
    }
  }

  /**
   * Clients may see everything up to `position`, which is committed; `leaseEnded`: since a
   * view that doesn't hold it may show nothing any more.
   */
  exposed(position: number, leaseEnded: boolean): void {
    let count = 0;
    const now = this.#options.nowMs();
    for (const { position: at, committedMs } of this.#entries) {
      if (at > position || committedMs === null) break;
      this.#options.expose.observe((now - committedMs) / 1_000);
      if (leaseEnded && count === 0) this.#options.leaseWait.observe((now - committedMs) / 1_000);
      count += 1;
    }
    if (count === 0) return;
    this.#entries.splice(0, count);
    this.#committed -= count;
  }
}
