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

test("a cell holds only its own calls, not the warm-up's or its neighbour's", async () => {
  const under = bazaar();
  let ms = 0;
  const parts: number[] = [];
  const cells = await loadCells({
    bazaar: under,
    hasCache: true,
    names: ["FishCo"],
    clients: 2,
    iterations: 30,
    counters: async () => ({ hits: under.made.lookups, misses: 7 }),
    random: Math.random,
    now: () => {
      ms += 1;
      return ms;
    },
    onProgress: (_probability, part) => parts.push(part),
  });
  expect(cells.map(({ probability }) => probability)).toEqual(PROBABILITIES);
  for (const { lookup, trade, hits, misses, requests, matched, total } of cells) {
    expect(lookup.count).toBe(60);
    expect([hits, misses]).toEqual([60, 0]);
    expect(requests).toBe(60 + trade.count + total);
    expect(matched).toBe(total);
  }
  expect(cells[0]?.trade.count).toBe(0);
  expect(cells[4]?.trade.count).toBeGreaterThan(0);
  expect(Math.max(...parts)).toBe(1);
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
