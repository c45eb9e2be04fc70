// What a replica does for its file while there is nothing better to do: brings
// the tables up to what is committed, where no append took that along, and
// verifies old entries that the start took on trust.
//
// Both throw when the disk fails or damage shows, and the replica must stop.

import { FLUSH_DELAY_MS, SCRUB_BYTES, SCRUB_EVERY_MS } from "./limits.ts";

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
  #applied = 0;
  /** Since when the tables have been where they are, behind what is committed. */
  #behindSinceMs: number | null = null;
  #scrubbedAtMs = Number.NEGATIVE_INFINITY;
  #scrubDone = false;

  constructor(options: IdleWorkOptions) {
    this.#options = options;
  }

  /** Every beat. */
  tick(): void {
    const nowMs = this.#options.nowMs();
    const delivered = this.#options.deliveredPosition();
    const busy = delivered !== this.#delivered;
    this.#delivered = delivered;
    this.#flush(nowMs, delivered);
    this.#scrub(nowMs, busy);
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

  /** Each beat while nothing happens, and now and then while much does. */
  #scrub(nowMs: number, busy: boolean): void {
    if (this.#scrubDone || (busy && nowMs - this.#scrubbedAtMs < SCRUB_EVERY_MS)) return;
    this.#scrubbedAtMs = nowMs;
    this.#scrubDone = this.#options.journal.scrub(SCRUB_BYTES).done;
  }
}
