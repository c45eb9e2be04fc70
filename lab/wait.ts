// Waiting for a condition, with a limit: the only way a test of processes waits.

import { setTimeout as delay } from "node:timers/promises";

/** Limit for what takes a moment on a busy machine. */
export const SOON_MS = 15_000;
/** How often a condition is looked at. */
const LOOK_MS = 10;

/**
 * Calls `probe` until it returns something other than false, null or undefined,
 * and returns that. After `limitMs`: an error that names `what` and the last
 * error of the probe, which may throw while the condition doesn't hold yet. Gives
 * up with its reason once `signal` is aborted.
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  limitMs = SOON_MS,
  signal?: AbortSignal,
): Promise<Exclude<T, false | null | undefined>> {
  const end = performance.now() + limitMs;
  let reason: unknown = null;
  for (;;) {
    signal?.throwIfAborted();
    try {
      const value = await probe();
      if (value !== false && value !== null && value !== undefined) {
        return value as Exclude<T, false | null | undefined>;
      }
      reason = null;
    } catch (error) {
      reason = error;
    }
    if (performance.now() >= end) {
      const because = reason === null ? "" : `: ${reason}`;
      throw new Error(`after ${limitMs} ms still not: ${what}${because}`, { cause: reason });
    }
    await delay(LOOK_MS);
  }
}
