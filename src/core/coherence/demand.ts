// Whether anybody reads a view. Only then is it worth a lease: every trade waits
// for whoever holds one, so a view that nobody reads lets its lease run out.
//
// Pure: time comes in with every call.

import { DEMAND_MS } from "./limits.ts";

export class Demand {
  #readMs = Number.NEGATIVE_INFINITY;

  /** The view was read. Returns true if it hadn't been for long: it has no lease, or soon none. */
  read(nowMs: number): boolean {
    const begins = !this.isThere(nowMs);
    this.#readMs = nowMs;
    return begins;
  }

  /** Whether the view was read lately, so that its lease is worth renewing. */
  isThere(nowMs: number): boolean {
    return nowMs - this.#readMs < DEMAND_MS;
  }
}
