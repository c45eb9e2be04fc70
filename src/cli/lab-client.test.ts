// The lab's client against bazaars that lose, change or withhold what they were told.

import { expect, test } from "vitest";
import { BazaarError, type Order } from "../client/index.ts";
import { allMatched, type LabBazaar, type LabOptions, runLab } from "./lab-client.ts";

/** A bazaar that keeps its word; parts of it can be replaced. */
function honest(replaced: Partial<LabBazaar> = {}) {
  const orders = new Map<number, Order>();
  const asked: string[] = [];
  const bazaar: LabBazaar = {
    lookup: async (name) => {
      asked.push(`lookup ${name}`);
      return { name, price: 1, quantity: 100 };
    },
    trade: async (request) => {
      asked.push(`trade ${request.name}`);
      const number = orders.size + 1;
      orders.set(number, { number, ...request });
      return { number };
    },
    order: async (number) => {
      asked.push(`order ${number}`);
      const order = orders.get(number);
      if (!order) throw new BazaarError("refused", `Bad request. ${number} order not found`);
      return order;
    },
    ...replaced,
  };
  return { bazaar, orders, asked };
}

/** Numbers from 0 to 1 that look random and are the same every time. */
function sequence(): () => number {
  let state = 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

const run = (bazaar: LabBazaar, options: Partial<LabOptions> = {}) => {
  let now = 0;
  return runLab({
    bazaars: [bazaar],
    names: ["FishCo", "BoarCo"],
    clients: 3,
    iterations: 20,
    probability: 0.5,
    random: sequence(),
    now: () => now++,
    ...options,
  });
};

test("every order of an honest bazaar matches", async () => {
  const { bazaar, orders, asked } = honest();
  const result = await run(bazaar);
  expect(result.matched).toBe(orders.size);
  expect(result.total).toBe(orders.size);
  expect(orders.size).toBeGreaterThan(10);
  expect(orders.size).toBeLessThan(60);
  expect(result.requests).toBe(asked.length);
  expect(result.latencyMs.lookup.count).toBe(60);
  expect(allMatched(result)).toBe(true);
  const names = new Set([...orders.values()].map((order) => order.name));
  const types = new Set([...orders.values()].map((order) => order.type));
  expect([names.size, types.size]).toEqual([2, 2]);
});

test("a lost order is reported as a problem", async () => {
  const { bazaar, orders } = honest();
  const trade = bazaar.trade;
  const losing = {
    ...bazaar,
    trade: async (request: Parameters<typeof trade>[0]) => {
      const answer = await trade(request);
      if (answer.number === 5) queueMicrotask(() => orders.delete(5));
      return answer;
    },
  };
  const result = await run(losing, { clients: 1 });
  expect(allMatched(result)).toBe(false);
  expect(result.total - result.matched).toBeGreaterThanOrEqual(1);
  expect(result.problems[0]).toMatch(/^order 5: made 5 (buy|sell) \d+ \w+, found /);
});

test.each<[string, Partial<Order>]>([
  ["name", { name: "Other" }],
  ["type", { type: "buy" }],
  ["quantity", { quantity: 99 }],
  ["number", { number: 1_000 }],
])("an order with another %s doesn't match", async (_, change) => {
  const { bazaar, orders } = honest();
  const changing = {
    ...bazaar,
    order: async (number: number) => ({ ...(orders.get(number) as Order), ...change }),
  };
  expect(allMatched(await run(changing))).toBe(false);
});

test("a refused trade is counted as a refusal, not as a failure", async () => {
  const { bazaar } = honest({
    trade: async () => {
      throw new BazaarError("refused", "Insufficient volume for FishCo stock");
    },
  });
  const result = await run(bazaar, { probability: 1 });
  expect(result).toMatchObject({ refusals: 60, trades: 0, failures: 0, matched: 0, total: 0 });
  expect(allMatched(result)).toBe(true);
});

test.each(["lookup", "trade", "order"] as const)(
  "a %s without an answer is counted as a failure",
  async (call) => {
    const { bazaar } = honest({
      [call]: async () => {
        throw new BazaarError("unavailable", "no answer in time");
      },
    });
    const result = await run(bazaar, { probability: 1 });
    expect(result.failures).toBe(60);
    expect(result.problems.length).toBe(10);
    expect(result.problems[0]).toBe(`${call}: no answer in time`);
    expect(allMatched(result)).toBe(false);
  },
);

test("with probability 0 nothing is traded, and with 1 a trade follows every lookup", async () => {
  const none = honest();
  await run(none.bazaar, { probability: 0 });
  expect(none.orders.size).toBe(0);
  const all = honest();
  await run(all.bazaar, { probability: 1 });
  expect(all.orders.size).toBe(60);
});

test("clients are spread over all front ends", async () => {
  const [one, other] = [honest(), honest()];
  await run(one.bazaar, { bazaars: [one.bazaar, other.bazaar], clients: 4 });
  expect(other.asked.length).toBeGreaterThan(40);
  expect(one.asked.length).toBeGreaterThan(40);
});

test("progress ends at its total", async () => {
  const { bazaar } = honest();
  const seen: [number, number][] = [];
  const onProgress = (done: number, total: number) => seen.push([done, total]);
  const result = await run(bazaar, { onProgress });
  expect(seen.length).toBe(60 + result.total);
  expect(seen.at(-1)).toEqual([60 + result.total, 60 + result.total]);
});

test("an error in the client itself ends the run", async () => {
  const { bazaar } = honest({ lookup: () => Promise.reject(new TypeError("a bug")) });
  await expect(run(bazaar)).rejects.toThrow("a bug");
});
