// A made-up bazaar: whom it is told to strike, and what is made of it.

import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Order } from "../src/client/index.ts";
import { failOver, Watch } from "./fail-over.ts";

/** Three replicas of which the highest that is up leads. */
async function run(drawn: number) {
  const told: string[] = [];
  const up = new Set([1, 2, 3]);
  const orders: Omit<Order, "number">[] = [];
  const parts: number[] = [];
  const result = await failOver({
    struck: {
      replicas: [1, 2, 3],
      level: async () => Math.max(...up),
      strike: async (replica, how) => {
        told.push(`${how} ${replica}`);
        up.delete(replica);
        const back = () => {
          told.push(`back ${replica}`);
          up.add(replica);
        };
        return { back, closedMs: Promise.resolve(how === "kill" ? 5 : null) };
      },
    },
    strikes: [
      { how: "kill", whom: "leader" },
      { how: "pause", whom: "any" },
    ],
    bazaars: [
      {
        lookup: async (name) => ({ name, price: 1, quantity: 1 }),
        trade: async (trade) => {
          await delay(1);
          return { number: orders.push(trade) };
        },
        order: async (number) => {
          const order = orders[number - 1];
          if (!order) throw new RangeError("no such order");
          return { number, ...order };
        },
      },
    ],
    names: ["FishCo"],
    clients: 2,
    random: () => drawn,
    now: () => performance.now(),
    onProgress: (part) => parts.push(part),
  });
  return { told, result, parts };
}

test("the leader is struck where that is asked for, else whoever is drawn; each is brought back before the next", async () => {
  const { told, result, parts } = await run(0);
  expect(told).toEqual(["kill 3", "back 3", "pause 1", "back 1"]);
  expect(result.blows.map(({ replica, led, closedMs }) => [replica, led, closedMs])).toEqual([
    [3, true, 5],
    [1, false, null],
  ]);
  expect(result.failures).toBe(0);
  expect(result.total).toBeGreaterThan(0);
  expect(result.matched).toBe(result.total);
  expect(result.latency.count).toBe(result.requests - result.total);
  expect(Math.max(...parts)).toBe(1);
  expect(parts.at(-1)).toBe(1);
});

test("the longest wait is found, and told once", () => {
  let nowMs = 0;
  const watch = new Watch(1, () => nowMs);
  for (const ms of [2, 2, 700, 2]) {
    nowMs += ms;
    watch.note({ kind: "trade", client: 0, ms });
  }
  expect(watch.takeWorstMs()).toBe(700);
  expect(watch.takeWorstMs()).toBe(0);
  expect(watch.latency).toMatchObject({ count: 4, p50: 2 });
  expect(watch.timeline.map(({ atMs, worstMs }) => [atMs, worstMs])).toEqual([
    [0, 2],
    [700, 700],
  ]);
});
