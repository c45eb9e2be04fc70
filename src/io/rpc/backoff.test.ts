import { expect, test } from "vitest";
import { backoffMs } from "./backoff.ts";

const backoff = { firstMs: 10, maxMs: 500, lostMs: 50 };

test("the wait's bound doubles with each attempt, up to the maximum", () => {
  const bounds = [0, 1, 2, 3, 4, 5, 6, 7, 1_000_000].map((n) => backoffMs(n, backoff, () => 1));
  expect(bounds).toEqual([60, 20, 40, 80, 160, 320, 500, 500, 500]);
});

test("the wait is drawn at random below its bound", () => {
  expect(backoffMs(3, backoff, () => 0)).toBe(0);
  expect(backoffMs(3, backoff, () => 0.25)).toBe(20);
});
