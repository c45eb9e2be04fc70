import { describe, expect, test } from "vitest";
import { latencySummary, percentile, summarize } from "./statistics.ts";

describe("a summary", () => {
  test("orders numbers as numbers, not as text", () => {
    expect(summarize([10, 9, 100])).toEqual({ median: 10, min: 9, max: 100 });
  });

  test("of an even number has the mean of the two in the middle", () => {
    expect(summarize([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 });
    expect(summarize([7])).toEqual({ median: 7, min: 7, max: 7 });
  });

  test("of nothing is no number", () => {
    expect(summarize([])).toBeNull();
  });
});

describe("a percentile", () => {
  test("is one of the values, not something between", () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentile(values, 50)).toBe(50);
    expect(percentile(values, 99)).toBe(99);
    expect(percentile(values, 100)).toBe(100);
    expect(percentile([3], 99)).toBe(3);
    expect(percentile([], 99)).toBeNaN();
  });
});

test("percentiles are the values at their ranks, up to the slowest calls", () => {
  const latencies = Array.from({ length: 100 }, (_, n) => 100 - n);
  expect(latencySummary(latencies)).toEqual({ count: 100, mean: 50.5, p50: 50, p95: 95, p99: 99 });
  expect(latencies[0]).toBe(100);
  expect(latencySummary([7, 3])).toEqual({ count: 2, mean: 5, p50: 3, p95: 7, p99: 7 });
});

test("without calls all latencies are null", () => {
  expect(latencySummary([])).toEqual({ count: 0, mean: null, p50: null, p95: null, p99: null });
});

test("latencies are sorted as numbers, not as text", () => {
  expect(latencySummary([10, 9, 8]).p99).toBe(10);
});
