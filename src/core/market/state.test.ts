import { describe, expect, it } from "vitest";
import { InvariantViolation } from "../invariant.ts";
import { MarketState } from "./state.ts";
import type { Command, RecordedRequest } from "./types.ts";

function order(number: number, type: "buy" | "sell", quantity: number, name = "FishCo"): Command {
  return { kind: "order", number, requestId: `r${number}`, name, type, quantity, price: 17.99 };
}

function fishMarket(older: ReadonlyMap<string, RecordedRequest> = new Map()): MarketState {
  return new MarketState({
    stocks: [
      { name: "FishCo", price: 17.99, quantity: 600 },
      { name: "BoarCo", price: 28.59, quantity: 1102 },
    ],
    lastNumber: 0,
    older: { request: (requestId) => older.get(requestId) },
  });
}

describe("MarketState", () => {
  it("a buy lowers the quantity, a sell raises it, an adjustment does either", () => {
    const market = fishMarket();
    market.apply(1, [order(1, "buy", 10), order(2, "sell", 3)]);
    market.apply(2, [{ kind: "adjust", requestId: "a", name: "FishCo", by: -93 }]);
    expect(market.stock("FishCo")).toEqual({ name: "FishCo", price: 17.99, quantity: 500 });
    expect(market.stock("BoarCo")?.quantity).toBe(1102);
    expect(market.lastNumber).toBe(2);
  });

  it("a stock that was read isn't changed under the reader", () => {
    const market = fishMarket();
    const before = market.stock("FishCo");
    const all = market.stocks();
    market.apply(1, [order(1, "buy", 10)]);
    expect(before?.quantity).toBe(600);
    expect(all[1]?.quantity).toBe(600);
  });

  it("a list of stocks isn't out of order, or short, after one is listed", () => {
    const market = fishMarket();
    expect(market.stocks().map(({ name }) => name)).toEqual(["BoarCo", "FishCo"]);
    market.apply(1, [
      { kind: "list", requestId: "l", name: "Coal", price: 1, quantity: 5 },
      order(1, "sell", 1, "Coal"),
    ]);
    expect(market.stocks().map(({ name, quantity }) => [name, quantity])).toEqual([
      ["BoarCo", 1102],
      ["Coal", 6],
      ["FishCo", 600],
    ]);
  });

  it("an order or a request id is never in neither the tail nor the tables", () => {
    const tables = new Map<string, RecordedRequest>();
    const market = fishMarket(tables);
    market.apply(7, [order(1, "buy", 1), order(2, "buy", 2)]);
    market.apply(9, [order(3, "buy", 3)]);
    market.releaseThrough(6);
    expect(market.tailSize).toBe(3);
    expect(market.order(1)).toMatchObject({ number: 1, quantity: 1 });

    tables.set("r1", {
      content: { kind: "trade", name: "FishCo", type: "buy", quantity: 1 },
      outcome: { kind: "accepted", number: 1 },
    });
    market.releaseThrough(8);
    expect(market.tailSize).toBe(1);
    expect(market.order(1)).toBeUndefined();
    expect(market.order(2)).toBeUndefined();
    expect(market.order(3)).toMatchObject({ number: 3, quantity: 3 });
    expect(market.request("r1")?.outcome).toEqual({ kind: "accepted", number: 1 });
    expect(market.request("r3")).toEqual({
      content: { kind: "trade", name: "FishCo", type: "buy", quantity: 3 },
      outcome: { kind: "accepted", number: 3 },
    });
    expect(market.request("r4")).toBeUndefined();
  });

  it("orders of the tail are paged without gaps or repeats, also after a release", () => {
    const market = fishMarket();
    for (let number = 1; number <= 10; number++) market.apply(number, [order(number, "buy", 1)]);
    const numbers = (after: number, limit: number) =>
      market.orders(after, limit).map(({ number }) => number);
    expect(numbers(0, 3)).toEqual([1, 2, 3]);
    expect(numbers(8, 100)).toEqual([9, 10]);
    expect(numbers(10, 100)).toEqual([]);
    market.releaseThrough(6);
    expect(numbers(0, 2)).toEqual([7, 8]);
    market.releaseThrough(10);
    expect(numbers(0, 100)).toEqual([]);
    market.apply(11, [order(11, "buy", 1)]);
    expect(numbers(0, 100)).toEqual([11]);
  });

  it("memory doesn't grow with history, however long the tail was held", () => {
    const market = fishMarket();
    for (let number = 1; number <= 20_000; number++) {
      market.apply(number, [order(number, number % 2 ? "buy" : "sell", 1)]);
      if (number > 50) market.releaseThrough(number - 50);
    }
    expect(market.tailSize).toBe(50);
    expect(market.order(19_950)).toBeUndefined();
    expect(market.orders(0, 100)).toHaveLength(50);
    expect(market.request("r19951")).toBeDefined();
    expect(market.request("r19950")).toBeUndefined();
  });

  it("M2: a quantity below zero or beyond exactness stops the process, with the numbers", () => {
    expect(() => fishMarket().apply(1, [order(1, "buy", 601)])).toThrow(InvariantViolation);
    expect(() => fishMarket().apply(1, [order(1, "buy", 601)])).toThrow('"quantity":-1');
    expect(() => fishMarket().apply(1, [order(1, "sell", Number.MAX_SAFE_INTEGER - 599)])).toThrow(
      InvariantViolation,
    );
    expect(() => fishMarket().apply(1, [order(1, "buy", 0.5)])).toThrow(InvariantViolation);
    expect(() => fishMarket().apply(1, [order(1, "buy", -1)])).toThrow(InvariantViolation);
    expect(() => fishMarket().apply(1, [order(1, "buy", 1, "Hey")])).toThrow(InvariantViolation);
    const list: Command = {
      kind: "list",
      requestId: "l",
      name: "FishCo",
      price: 17.99,
      quantity: 600,
    };
    expect(() => fishMarket().apply(1, [list])).toThrow(InvariantViolation);
    expect(() => fishMarket().apply(1, [{ ...list, name: "New", price: 0 }])).toThrow(
      InvariantViolation,
    );
  });

  it("M3: a gap in the numbers, or a second outcome of a request id, stops the process", () => {
    expect(() => fishMarket().apply(1, [order(2, "buy", 1)])).toThrow(InvariantViolation);
    const market = fishMarket();
    market.apply(1, [order(1, "buy", 1)]);
    expect(() => market.apply(1, [order(1, "buy", 1)])).toThrow(InvariantViolation);
    const again: Command = { kind: "adjust", requestId: "r1", name: "FishCo", by: 1 };
    expect(() => market.apply(2, [again])).toThrow("a request id has one outcome");
    expect(() => market.apply(0, [order(2, "buy", 1)])).toThrow("positions never go back");
  });
});
