// Percentiles of small sets, where off by one shows.

import { expect, test } from "vitest";
import { summarize } from "./percentiles.ts";

test("percentiles are the values at their ranks, up to the slowest calls", () => {
  const latencies = Array.from({ length: 100 }, (_, n) => 100 - n);
  expect(summarize(latencies)).toEqual({ count: 100, mean: 50.5, p50: 50, p95: 95, p99: 99 });
  expect(latencies[0]).toBe(100);
  expect(summarize([7, 3])).toEqual({ count: 2, mean: 5, p50: 3, p95: 7, p99: 7 });
});

test("without calls all latencies are null", () => {
  expect(summarize([])).toEqual({ count: 0, mean: null, p50: null, p95: null, p99: null });
});

test("latencies are sorted as numbers, not as text", () => {
  expect(summarize([10, 9, 8]).p99).toBe(10);
});
