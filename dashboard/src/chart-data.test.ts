import { expect, test } from "vitest";
import { dataOf, lonePoints } from "./chart-data.ts";
import type { RatePoint } from "./model.ts";

const LATENCY = [{ value: ({ p50 }: RatePoint) => p50 }];

function point(at: number, p50: number | null, failed = 0): RatePoint {
  return { at, trades: p50 === null ? 0 : 1, refused: 0, failed, lookups: 0, p50, p99: null };
}

test("seconds without a trade are gaps, and a lone second with one between them is a point", () => {
  const rates = [point(1_000, null), point(2_000, 4), point(3_000, null), point(4_000, null)];
  const [, values = []] = dataOf(LATENCY, rates, 0);
  expect(values.slice(-4)).toEqual([null, 4, null, null]);
  expect(lonePoints([...values])).toEqual([values.length - 3]);
});

test("values beside each other get no points, and a lone one does", () => {
  expect(lonePoints([1, 2, null, 3, 4])).toEqual([]);
  expect(lonePoints([1, null, 2])).toEqual([0, 2]);
  expect(lonePoints([undefined, 5])).toEqual([1]);
});

test("seconds that were never told are a gap, wherever the clock's seconds begin", () => {
  const rates = [point(1_499, 1), point(2_502, 2), point(9_000, 3)];
  const [times, values = []] = dataOf(LATENCY, rates, 0);
  expect(values.slice(-4)).toEqual([1, 2, null, 3]);
  expect(times.slice(-4)).toEqual([1.499, 2.502, 3.502, 9]);
});

test("the axis is two minutes long, before anything is known and after", () => {
  expect(dataOf(LATENCY, [], 200_000)[0]).toEqual([81, 200]);
  const full = Array.from({ length: 120 }, (_, second) => point(second * 1_000, 1));
  const [times] = dataOf(LATENCY, full, 0);
  expect(times).toHaveLength(120);
  expect(times[0]).toBe(0);
});
