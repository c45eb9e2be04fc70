import { expect, test } from "vitest";
import type { OrderRow } from "../../../client/event-messages.ts";
import { TestMarket } from "../test-market.ts";
import { observedOrders } from "./events-observed.ts";

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
