// A made-up bazaar: what is counted is what it answered.

import { expect, test } from "vitest";
import type { StateMessage } from "../../client/event-messages.ts";
import { cacheNow, loadCells, PROBABILITIES } from "./load-grid.ts";

function bazaar() {
  const orders: { name: string; type: "buy" | "sell"; quantity: number }[] = [];
  const made = { lookups: 0 };
  return {
    made,
    lookup: async (name: string) => {
      made.lookups += 1;
      return { name, price: 1, quantity: 1 };
    },
    trade: async (trade: { name: string; type: "buy" | "sell"; quantity: number }) => ({
      number: orders.push(trade),
    }),
    order: async (number: number) => {
      const order = orders[number - 1];
      if (order === undefined) throw new RangeError("no such order");
      return { number, ...order };
    },
  };
}

/** Runs the grid over two made-up bazaars; `told` are the cells in the order they were measured. */
async function run() {
  const [on, off] = [bazaar(), bazaar()];
  let ms = 0;
  const parts: number[] = [];
  const told: string[] = [];
  const cells = await loadCells({
    sides: [
      { bazaar: on, hasCache: true, counters: async () => ({ hits: on.made.lookups, misses: 7 }) },
      { bazaar: off, hasCache: false, counters: async () => ({ hits: 0, misses: 0 }) },
    ],
    names: ["FishCo"],
    clients: 2,
    iterations: 30,
    random: Math.random,
    now: () => {
      ms += 1;
      return ms;
    },
    onProgress: (part, { hasCache, probability }) => {
      parts.push(part);
      const cell = `${hasCache ? "on" : "off"} ${probability}`;
      if (told.at(-1) !== cell) told.push(cell);
    },
  });
  return { cells, parts, told };
}

test("a cell holds only its own calls, not the warm-up's or its neighbour's", async () => {
  const { cells } = await run();
  for (const { hasCache, lookup, trade, hits, misses, requests, matched, total } of cells) {
    expect(lookup.count).toBe(60);
    expect([hits, misses]).toEqual([hasCache ? 60 : 0, 0]);
    expect(requests).toBe(60 + trade.count + total);
    expect(matched).toBe(total);
  }
  expect(cells.map(({ probability }) => probability)).toEqual([...PROBABILITIES, ...PROBABILITIES]);
  expect(cells.map(({ hasCache }) => hasCache).indexOf(false)).toBe(PROBABILITIES.length);
  expect(cells[0]?.trade.count).toBe(0);
  expect(cells[4]?.trade.count).toBeGreaterThan(0);
});

test("cells with and without the cache take turns, so that a machine that becomes busy slows both", async () => {
  const { told, parts } = await run();
  expect(told.slice(0, 5)).toEqual(["on 0", "off 0", "off 0.2", "on 0.2", "on 0.4"]);
  expect(told).toHaveLength(10);
  expect(parts).toEqual(parts.toSorted((a, b) => a - b));
  expect([parts[0], parts.at(-1)]).toEqual([0, 1]);
});

test("a front end is watched no longer than until it has told of its cache", async () => {
  let isWatched = true;
  const cache = { kind: "memory", hits: 3 };
  const found = await cacheNow({
    async *events({ signal } = {}) {
      signal?.addEventListener("abort", () => {
        isWatched = false;
      });
      yield { kind: "change", id: "1", data: { at: 1 } };
      yield { kind: "state", id: "2", data: { cache } as StateMessage };
      throw new Error("asked for more");
    },
  });
  expect(found).toEqual(cache);
  expect(isWatched).toBe(false);
});
