// A made-up bazaar whose clock moves only while it answers.

import { expect, test } from "vitest";
import { BazaarError, type Order } from "../../client/index.ts";
import { TradingClients } from "./trading-clients.ts";

interface Made {
  readonly orders: Order[];
  clockMs: number;
  /** How long the next trades take, and which fail. */
  tradeMs: number;
  fails: BazaarError | null;
}

/** One client that is stopped once it has had `trades` answered; `during` is told before each. */
async function run(trades: number, during: (made: Made, traded: number) => void = () => {}) {
  const made: Made = { orders: [], clockMs: 0, tradeMs: 2, fails: null };
  const enough = Promise.withResolvers<void>();
  const clients = new TradingClients({
    bazaar: {
      lookup: async (name) => {
        made.clockMs += 1;
        return { name, price: 1, quantity: 1 };
      },
      trade: async (trade) => {
        during(made, clients.tradedByEach);
        made.clockMs += made.tradeMs;
        if (made.fails) throw made.fails;
        const number = made.orders.length + 1;
        made.orders.push({ number, ...trade });
        return { number };
      },
      order: async (number) => {
        const order = made.orders[number - 1];
        if (!order) throw new BazaarError("refused", "no such order");
        return order;
      },
    },
    names: ["FishCo"],
    clients: 1,
    random: () => 0.3,
    now: () => made.clockMs,
    think: async () => {
      if (clients.tradedByEach >= trades) {
        enough.resolve();
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  });
  await enough.promise;
  return { clients, made };
}

test("the longest wait is found, and told once", async () => {
  const { clients } = await run(10, (made, traded) => {
    made.tradeMs = traded === 4 ? 700 : 2;
  });
  expect(clients.takeWorstMs()).toBe(700);
  expect(clients.takeWorstMs()).toBe(0);
  await clients.stop(() => {});
  expect(clients.latency).toMatchObject({ count: clients.counts.calls - clients.counts.total });
  const worst = clients.timeline.map(({ atMs, worstMs }) => [atMs, worstMs]);
  expect(worst).toEqual([
    [0, 2],
    [700, 700],
  ]);
});

test("an order that was lost, or is another one now, doesn't match", async () => {
  const { clients, made } = await run(5);
  made.orders[0] = { number: 1, name: "BoarCo", type: "buy", quantity: 1 };
  made.orders.pop();
  const parts: number[] = [];
  await clients.stop((part) => parts.push(part));
  const { matched, total, refusals, failures } = clients.counts;
  expect({ missing: total - matched, refusals, failures }).toEqual({
    missing: 2,
    refusals: 0,
    failures: 0,
  });
  expect(parts.at(-1)).toBe(1);
});

test("a call without an answer is a failure, a no is not", async () => {
  const { clients } = await run(4, (made, traded) => {
    made.fails = null;
    if (traded === 1) made.fails = new BazaarError("unavailable", "no leader");
    if (traded === 2) made.fails = new BazaarError("refused", "not so many");
  });
  await clients.stop(() => {});
  expect(clients.counts).toMatchObject({ failures: 1, refusals: 1 });
  expect(clients.counts.matched).toBe(clients.counts.total);
});
