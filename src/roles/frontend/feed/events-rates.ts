// Trades and lookups of this front end by the second, with the latency of the
// trades. One trade costs two readings of the clock and a few additions.
//
// Latencies are counted in buckets that are a twelfth of an octave wide, so a
// percentile is right to 6 %, and its cost doesn't grow with the trades. Only
// answered trades have a latency: how long somebody waited in vain for one is the
// deadline's length, and would say nothing of the answers beside it.

import type { RatePoint } from "../../../client/event-messages.ts";
import type { WatchedEnd } from "../orders/trades.ts";
import { RATES_KEPT_S } from "./events-limits.ts";

/** Buckets an octave. */
const PER_OCTAVE = 12;
/** The first bucket ends here, milliseconds. */
const FIRST_MS = 0.01;
/** 22 octaves above: 42 s, more than a trade can take. */
const BUCKETS = 22 * PER_OCTAVE;
/** With fewer trades in a second, its 99th percentile is just its slowest trade. */
const P99_TRADES_MIN = 100;

export class Rates {
  readonly #buckets = new Uint32Array(BUCKETS);
  #ended = { accepted: 0, refused: 0, failed: 0 };
  #lookupsBefore = 0;
  #points: RatePoint[] = [];

  /** A trade was answered, or not in time. */
  traded(end: WatchedEnd, ms: number): void {
    this.#ended[end] += 1;
    if (end === "failed") return;
    this.#buckets[bucketOf(ms)] = (this.#buckets[bucketOf(ms)] ?? 0) + 1;
  }

  /** The points of the last two minutes, oldest first. */
  get points(): readonly RatePoint[] {
    return this.#points;
  }

  /** A second that began at `at` is over; `lookups`: how many there were since the start. */
  second(at: number, lookups: number): RatePoint {
    const { accepted, refused, failed } = this.#ended;
    const point = {
      at,
      trades: accepted,
      refused,
      failed,
      lookups: Math.max(0, lookups - this.#lookupsBefore),
      p50: this.#percentile(0.5),
      p99: accepted + refused >= P99_TRADES_MIN ? this.#percentile(0.99) : null,
    };
    this.#lookupsBefore = lookups;
    this.#ended = { accepted: 0, refused: 0, failed: 0 };
    this.#buckets.fill(0);
    this.#points = [...this.#points.slice(1 - RATES_KEPT_S), point];
    return point;
  }

  #percentile(share: number): number | null {
    const total = this.#buckets.reduce((sum, count) => sum + count, 0);
    if (total === 0) return null;
    let rest = Math.ceil(total * share);
    const bucket = this.#buckets.findIndex((count) => {
      rest -= count;
      return rest <= 0;
    });
    const ms = FIRST_MS * 2 ** ((bucket - 0.5) / PER_OCTAVE);
    return Number(ms.toPrecision(3));
  }
}

function bucketOf(ms: number): number {
  if (!(ms > FIRST_MS)) return 0;
  return Math.min(BUCKETS - 1, Math.ceil(Math.log2(ms / FIRST_MS) * PER_OCTAVE));
}
