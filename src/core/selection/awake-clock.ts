// A clock that stands still while its process does.
//
// Silence is judged by what lies unread in the sockets when a paused process
// wakes, not by the wall: a leader is silent for 500 ms only if this process was
// there to hear it. So a step counts at most AWAKE_STEP_MAX_MS, however long ago
// the one before was. The monotonic clock alone would depose a healthy leader after
// every pause of the front end.

import { AWAKE_STEP_MAX_MS, TICK_GAP_MS } from "./limits.ts";

export class AwakeClock {
  /** Milliseconds awake so far; never goes back. */
  awakeMs = 0;

  #stepAtMs: number | null = null;
  #tickAtMs: number | null = null;
  #wasLate = false;

  /** Reads the time of a step; a time before the last one counts as the same. */
  advance(nowMs: number): void {
    if (this.#stepAtMs !== null && nowMs > this.#stepAtMs) {
      this.awakeMs += Math.min(nowMs - this.#stepAtMs, AWAKE_STEP_MAX_MS);
    }
    this.#stepAtMs = Math.max(nowMs, this.#stepAtMs ?? nowMs);
  }

  /**
   * Says whether to judge by this tick. Not when it comes late: what was said meanwhile may
   * still be unread. By the next it was read, however late that is.
   */
  tick(nowMs: number): boolean {
    const isLate = this.#tickAtMs !== null && nowMs - this.#tickAtMs > TICK_GAP_MS;
    const judges = !isLate || this.#wasLate;
    this.#tickAtMs = nowMs;
    this.#wasLate = isLate;
    return judges;
  }
}
