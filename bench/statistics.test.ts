import { describe, expect, test } from "vitest";
import { percentile, summarize } from "./statistics.ts";

describe("a summary", () => {
  test("that orders numbers as text would take 10 for less than 9", () => {
    expect(summarize([10, 9, 100])).toEqual({ median: 10, min: 9, max: 100 });
  });

  test("of an even number takes neither middle value alone", () => {
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
