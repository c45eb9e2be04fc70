// How long a client waits before it asks again.

import { expect, test } from "vitest";
import { BACKOFF_BASE_MS, BACKOFF_MAX_MS, backoffMs, retryAfterMs } from "./backoff.ts";

test("attempts don't come ever faster, nor wait for ever", () => {
  const almostOne = 1 - Number.EPSILON;
  expect(backoffMs(1, 0, almostOne)).toBeCloseTo(BACKOFF_BASE_MS);
  expect(backoffMs(2, 0, almostOne)).toBeCloseTo(2 * BACKOFF_BASE_MS);
  expect(backoffMs(1_000_000, 0, almostOne)).toBeCloseTo(BACKOFF_MAX_MS);
});

test("clients that failed together don't return together", () => {
  expect(backoffMs(4, 0, 0)).toBe(0);
  expect(backoffMs(4, 0, 0.5)).toBeCloseTo(4 * BACKOFF_BASE_MS);
});

test("no attempt comes sooner than the server asked for", () => {
  expect(backoffMs(1, 2_000, 0)).toBe(2_000);
});

test("a Retry-After that can't be read is not taken for a long wait", () => {
  const now = Date.parse("Wed, 21 Oct 2026 07:28:00 GMT");
  expect(retryAfterMs("3", now)).toBe(3_000);
  expect(retryAfterMs("Wed, 21 Oct 2026 07:28:05 GMT", now)).toBe(5_000);
  expect(retryAfterMs("Wed, 21 Oct 2026 07:00:00 GMT", now)).toBe(0);
  for (const unreadable of [null, "", "soon", "-5", "1.5", "99999999999"]) {
    expect(retryAfterMs(unreadable, now)).toBe(0);
  }
});
