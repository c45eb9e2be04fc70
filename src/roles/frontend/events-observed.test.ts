import { expect, test } from "vitest";
import type { OrderRow } from "../../client/event-messages.ts";
import { LeaseWatch, observedOrders } from "./events-observed.ts";
import { TestMarket } from "./test-market.ts";

function observed() {
  const market = new TestMarket();
  const told: [string, OrderRow | null][] = [];
  const orders = observedOrders(market, { traded: (end, _ms, order) => told.push([end, order]) });
  const trade = async (type: string, quantity: number, requestId: string) => {
    await orders.ask({
      kind: "request",
      requestId,
      content: { kind: "trade", name: "FishCo", type, quantity },
      recordRefusal: false,
    });
  };
  return { market, told, trade, orders };
}

test("a trade is told as something else than it became", async () => {
  const { market, told, trade, orders } = observed();
  await trade("buy", 3, "a");
  await trade("buy", 1_000_000, "b");
  market.failing = "unavailable";
  await trade("sell", 1, "c");
  market.failing = new Error("gone");
  await expect(trade("sell", 1, "d")).rejects.toThrow("gone");
  expect(told).toEqual([
    ["accepted", { number: 1, name: "FishCo", type: "buy", quantity: 3 }],
    ["refused", null],
    ["failed", null],
    ["failed", null],
  ]);
  market.failing = null;
  await orders.ask({ kind: "stocks", after: "", limit: 10 });
  expect(told).toHaveLength(4);
  expect(orders.leader()).toBe(9094);
  expect(orders.health().ready).toBe(true);
});

test("a lease is shown that has run out, was lost, or never counted", () => {
  let nowMs = 0;
  let ask = 0;
  const granted: unknown[] = [];
  const watch = new LeaseWatch(
    {
      askLease: () => ({ ask: ++ask, held: null }),
      granted: (_catalog, grant) => granted.push(grant),
    },
    () => nowMs,
  );
  const grant = (of: number) => ({ epoch: 1, ask: of, ms: 500, exposed: 1, sent: 1 });
  expect(watch.lease).toBeNull();
  watch.observed.granted("catalog", grant(99)); // never asked for
  expect(watch.lease).toBeNull();
  watch.observed.askLease("catalog");
  nowMs = 100;
  watch.observed.granted("catalog", grant(1));
  expect(watch.lease).toEqual({ catalog: "catalog", ms: 500 });
  nowMs = 500; // 500 ms after it was asked for
  expect(watch.lease).toBeNull();
  watch.observed.askLease("catalog");
  watch.observed.granted("catalog", grant(2));
  watch.lost("catalog-9097");
  expect(watch.lease).not.toBeNull();
  watch.lost("catalog");
  expect(watch.lease).toBeNull();
  expect(granted).toHaveLength(3);
});
