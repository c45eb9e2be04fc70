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

  it("an order or a request id leaves the tail only when the tables hold it", () => {
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

  it("M2: a trade of nothing, or of more than there is, stops the process", () => {
    for (const command of [
      order(1, "buy", 0),
      order(1, "buy", -1),
      order(1, "sell", 0.5),
      order(1, "buy", 601),
      order(1, "buy", 1, "Hey"),
    ]) {
      expect(() => fishMarket().apply(1, [command]), JSON.stringify(command)).toThrow(
        InvariantViolation,
      );
    }
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
