// How long a client waits before it asks again.

import { expect, test } from "vitest";
import { BACKOFF_BASE_MS, BACKOFF_MAX_MS, backoffMs, retryAfterMs } from "./backoff.ts";

test("the wait's bound doubles with each attempt, up to a maximum", () => {
  const almostOne = 1 - Number.EPSILON;
  expect(backoffMs(1, 0, almostOne)).toBeCloseTo(BACKOFF_BASE_MS);
  expect(backoffMs(2, 0, almostOne)).toBeCloseTo(2 * BACKOFF_BASE_MS);
  expect(backoffMs(1_000_000, 0, almostOne)).toBeCloseTo(BACKOFF_MAX_MS);
});

test("the wait is drawn at random below its bound", () => {
  expect(backoffMs(4, 0, 0)).toBe(0);
  expect(backoffMs(4, 0, 0.5)).toBeCloseTo(4 * BACKOFF_BASE_MS);
});

test("the wait is at least what the server asked for", () => {
  expect(backoffMs(1, 2_000, 0)).toBe(2_000);
});

test("a Retry-After in seconds or as a date is read, and any other counts as none", () => {
  const now = Date.parse("Wed, 21 Oct 2026 07:28:00 GMT");
  expect(retryAfterMs("3", now)).toBe(3_000);
  expect(retryAfterMs("Wed, 21 Oct 2026 07:28:05 GMT", now)).toBe(5_000);
  expect(retryAfterMs("Wed, 21 Oct 2026 07:00:00 GMT", now)).toBe(0);
  for (const unreadable of [null, "", "soon", "-5", "1.5", "99999999999"]) {
    expect(retryAfterMs(unreadable, now)).toBe(0);
  }
});
