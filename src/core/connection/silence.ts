// When a connection that says nothing is given up, though nobody closed it.
//
// A cut network, or a host that lost its power, closes no connection: TCP tries
// to send again, less and less often, for a quarter of an hour, and goes on as
// late after the cut as its last attempt was before. So each end says something
// now and then, and each end judges by what it hears itself.
//
//   S1. Nothing came in three looks in a row: the connection is over. Its link
//       makes another one.
//   S2. A look that comes late doesn't count: this process was paused, or busy,
//       and what was said meanwhile may still be unread. It would else end all of
//       its living connections when it wakes. A second late one in a row counts,
//       or a process that is always late would never judge.

import { LINK_TICK_LATE_MS, SILENT_TICKS_MAX } from "./limits.ts";

export class Silence {
  #heard = 0;
  #quietTicks = 0;
  #tickAtMs: number;
  #wasLate = false;

  /** The connection opened at `nowMs`. */
  constructor(nowMs: number) {
    this.#tickAtMs = nowMs;
  }

  /**
   * Every LINK_TICK_MS, after reading what there is to read. `heard` is any number
   * that changes when something came. Returns whether the connection is to be ended.
   */
  tick(nowMs: number, heard: number): boolean {
    const isLate = nowMs - this.#tickAtMs > LINK_TICK_LATE_MS;
    const counts = !isLate || this.#wasLate; // S2
    this.#tickAtMs = nowMs;
    this.#wasLate = isLate;
    if (heard !== this.#heard) {
      this.#heard = heard;
      this.#quietTicks = 0;
    } else if (counts) this.#quietTicks += 1;
    return this.#quietTicks >= SILENT_TICKS_MAX; // S1
  }
}
