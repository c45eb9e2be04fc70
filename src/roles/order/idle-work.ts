// What a replica does for its file while there is nothing better to do: brings
// the tables up to what is committed, where no append took that along, and
// verifies old entries that the start took on trust. A moment without a commit
// isn't idle yet, and one without a leader never is: clients wait then, for an
// election that needs this thread.
//
// Both throw when the disk fails or damage shows, and the replica must stop.

import { FLUSH_DELAY_MS, IDLE_AFTER_MS, SCRUB_BYTES, SCRUB_EVERY_MS } from "./limits.ts";

export interface IdleWorkOptions {
  readonly tables: {
    readonly appliedPosition: number;
    flush(): void;
  };
  readonly journal: { scrub(bytesMax: number): { readonly done: boolean } };
  /** Everything up to here is committed and was delivered. */
  readonly deliveredPosition: () => number;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

export class IdleWork {
  readonly #options: IdleWorkOptions;
  /** What was delivered at the last tick. */
  #delivered = 0;
  /** When something was delivered, or no leader known, last. */
  #busyAtMs = Number.NEGATIVE_INFINITY;
  #applied = 0;
  /** Since when the tables have been where they are, behind what is committed. */
  #behindSinceMs: number | null = null;
  #scrubbedAtMs = Number.NEGATIVE_INFINITY;
  #scrubDone = false;

  constructor(options: IdleWorkOptions) {
    this.#options = options;
  }

  /** Every beat; `hasLeader`: it leads, or hears who does. */
  tick(hasLeader: boolean): void {
    const nowMs = this.#options.nowMs();
    const delivered = this.#options.deliveredPosition();
    if (delivered !== this.#delivered || !hasLeader) this.#busyAtMs = nowMs;
    this.#delivered = delivered;
    if (!hasLeader) return;
    this.#flush(nowMs, delivered);
    this.#scrub(nowMs, nowMs - this.#busyAtMs < IDLE_AFTER_MS);
  }

  #flush(nowMs: number, delivered: number): void {
    const { tables } = this.#options;
    const applied = tables.appliedPosition;
    if (applied === delivered) {
      this.#behindSinceMs = null;
    } else if (this.#behindSinceMs === null || applied !== this.#applied) {
      this.#behindSinceMs = nowMs;
    } else if (nowMs - this.#behindSinceMs >= FLUSH_DELAY_MS) {
      tables.flush();
      this.#behindSinceMs = null;
    }
    this.#applied = applied;
  }

  /** Each beat of idle time, and now and then under load. */
  #scrub(nowMs: number, busy: boolean): void {
    if (this.#scrubDone || (busy && nowMs - this.#scrubbedAtMs < SCRUB_EVERY_MS)) return;
    this.#scrubbedAtMs = nowMs;
    this.#scrubDone = this.#options.journal.scrub(SCRUB_BYTES).done;
  }
}
