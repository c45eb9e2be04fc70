import { describe, expect, test } from "vitest";
import { Random } from "./random.ts";

const draws = (seed: number, count = 1_000) => {
  const random = new Random(seed);
  return Array.from({ length: count }, () => random.next());
};

describe("a seed", () => {
  test("gives the same numbers the second time", () => {
    expect(draws(42)).toEqual(draws(42));
  });

  test("gives other numbers than its neighbour, and than one with the same low bits", () => {
    const firsts = [1, 2, 3, 2 ** 32 + 1, 2 ** 33 + 1].map((seed) => draws(seed, 1)[0]);
    expect(new Set(firsts).size).toBe(firsts.length);
  });

  test("gives the same numbers on every machine", () => {
    expect(draws(1, 3)).toMatchInlineSnapshot(`
      [
        0.18452622229233384,
        0.7486324321944267,
        0.03730680048465729,
      ]
    `);
  });
});

describe("a draw", () => {
  test("is in its range, and favours no part of it", () => {
    const counts = new Map<number, number>();
    for (const draw of draws(7, 20_000)) {
      const tenth = Math.floor(draw * 10);
      counts.set(tenth, (counts.get(tenth) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const count of counts.values()) expect(Math.abs(count - 2_000)).toBeLessThan(200);
  });

  test("of a whole number, or of an item, misses none of them", () => {
    const random = new Random(7);
    const numbers = Array.from({ length: 200 }, () => random.below(3));
    expect([...new Set(numbers)].sort()).toEqual([0, 1, 2]);
    const picked = new Set(Array.from({ length: 200 }, () => random.pick(["a", "b", "c"])));
    expect(picked.size).toBe(3);
  });

  test("of a chance comes at the rate asked for", () => {
    const random = new Random(7);
    const hits = Array.from({ length: 10_000 }, () => random.chance(0.3)).filter(Boolean).length;
    expect(Math.abs(hits - 3_000)).toBeLessThan(150);
    expect(Array.from({ length: 100 }, () => random.chance(0)).some(Boolean)).toBe(false);
    expect(Array.from({ length: 100 }, () => random.chance(1)).every(Boolean)).toBe(true);
  });

  test("between two numbers stays between them", () => {
    const random = new Random(7);
    const numbers = Array.from({ length: 1_000 }, () => random.between(-5, 5));
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(-5);
    expect(Math.max(...numbers)).toBeLessThan(5);
  });

  test("of a delay is about the mean, and long now and then", () => {
    const random = new Random(7);
    const delays = Array.from({ length: 10_000 }, () => random.heavy(10));
    const mean = delays.reduce((sum, delay) => sum + delay, 0) / delays.length;
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(5);
    expect(Math.abs(mean - 10)).toBeLessThan(1);
    expect(Math.max(...delays)).toBeGreaterThan(40);
  });
});
