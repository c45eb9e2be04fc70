// How long to wait before connecting again: exponential with full jitter, so
// that processes which lost the same listener don't all come back at once.

import type { Backoff } from "./limits.ts";

/** Doublings after which the bound no longer grows, whatever maxMs is: keeps the power finite. */
const DOUBLINGS_MAX = 30;

/**
 * Milliseconds to wait after `failures` failed attempts in a row: evenly spread
 * from 0 to the doubled bound; after none, for a connection that had worked,
 * `lostMs` more. `random` gives numbers in [0, 1).
 */
export function backoffMs(failures: number, backoff: Backoff, random: () => number): number {
  const bound = backoff.firstMs * 2 ** Math.min(failures, DOUBLINGS_MAX);
  return (failures === 0 ? backoff.lostMs : 0) + random() * Math.min(bound, backoff.maxMs);
}
