// Made-up caches: one by the rule, one that forgets in the order of arrival.

import { expect, test } from "vitest";
import { CACHE_SIZE, occupancyPlot, unexpectedSteps, watchReplacement } from "./replacement.ts";

const NAMES = [..."ABCDEFGHIJKL"];

/** A cache, most recent first. `renews`: a lookup makes what it finds the most recent. */
async function watch(renews: boolean) {
  let held: string[] = [];
  const drop = (name: string) => {
    held = held.filter((each) => each !== name);
  };
  const parts: number[] = [];
  const replacement = await watchReplacement({
    bazaar: {
      lookup: async (name) => {
        if (renews) drop(name);
        if (!held.includes(name)) held = [name, ...held].slice(0, CACHE_SIZE);
        return { name, price: 1, quantity: 1 };
      },
      trade: async ({ name }) => {
        drop(name);
        return { number: 1, key: "k", attempts: 1 };
      },
    },
    names: NAMES,
    capacity: CACHE_SIZE,
    cached: async () => held,
    onProgress: (part) => parts.push(part),
  });
  expect(parts.at(-1)).toBe(1);
  return replacement;
}

test("a cache by the rule is found to be one, and shows what the rule does", async () => {
  const { steps, unexpected } = await watch(true);
  expect(unexpected).toEqual([]);
  const after = (step: number) => steps[step - 1]?.cached.join("");
  expect(after(5)).toBe("EDCBA");
  expect(after(8)).toBe("FBAED");
  expect(after(10)).toBe("GFBE");
  expect(after(13)).toBe(after(12));
  const held = new Set(steps.flatMap(({ cached }) => cached));
  expect([...held].sort()).toEqual(NAMES);
});

test("a cache that forgets the oldest though it is in use is found out", async () => {
  const { unexpected } = await watch(false);
  expect(unexpected.length).toBeGreaterThan(5);
});

test("a trade that leaves its stock in the cache is found out", () => {
  const steps = [
    { action: "lookup", name: "A", cached: ["A"] },
    { action: "trade", name: "A", cached: ["A"] },
  ] as const;
  expect(unexpectedSteps(steps, 5)).toEqual([2]);
});

test("a stock's row is filled in the steps in which it is in the cache, and only there", () => {
  const svg = occupancyPlot({
    capacity: 1,
    stocks: ["A", "B"],
    steps: [
      { action: "lookup", name: "A", cached: ["A"] },
      { action: "lookup", name: "A", cached: ["A"] },
      { action: "lookup", name: "B", cached: ["B"] },
      { action: "trade", name: "B", cached: [] },
    ],
    unexpected: [],
  });
  const rows = [
    ...(svg
      .split('class="paper"')[1]
      ?.split(">stock<")[1]
      ?.matchAll(/<rect class="(f0|faint)"/g) ?? []),
  ];
  // Row by row; then the legend's three.
  const cells = rows.map(([, kind]) => (kind === "f0" ? 1 : 0)).slice(0, 8);
  expect(cells).toEqual([1, 1, 0, 0, 0, 0, 1, 0]);
  // One hit, two misses; and one of each in the legend.
  expect(svg.match(/r="1.5"/g)).toHaveLength(2);
  expect(svg.match(/r="3.5"/g)).toHaveLength(3);
  expect(svg.match(/class="s1"/g)).toHaveLength(2);
});
