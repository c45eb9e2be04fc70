// How long to wait before connecting again: exponential with full jitter, so
// that processes which lost the same listener don't all come back at once.

import type { Backoff } from "./limits.ts";

/** Doublings after which the bound no longer grows, whatever maxMs is: keeps the power finite. */
const DOUBLINGS_MAX = 30;

/**
 * Milliseconds to wait after `failures` failed attempts in a row (0 for a
 * connection that had worked): evenly spread from 0 to the doubled bound.
 * `random` gives numbers in [0, 1).
 */
export function backoffMs(failures: number, backoff: Backoff, random: () => number): number {
  const bound = backoff.firstMs * 2 ** Math.min(failures, DOUBLINGS_MAX);
  return random() * Math.min(bound, backoff.maxMs);
}
