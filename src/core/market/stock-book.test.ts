import { describe, expect, it } from "vitest";
import { InvariantViolation } from "../invariant.ts";
import { StockBook } from "./stock-book.ts";
import type { Command } from "./types.ts";

const LARGEST = Number.MAX_SAFE_INTEGER;

function book(): StockBook {
  return new StockBook([
    { name: "FishCo", price: 17.99, quantity: 600 },
    { name: "BoarCo", price: 28.59, quantity: 1102 },
  ]);
}

function order(type: "buy" | "sell", quantity: number, name = "FishCo"): Command {
  return { kind: "order", number: 1, requestId: "r", name, type, quantity, price: 17.99 };
}

function adjust(by: number, name = "FishCo"): Command {
  return { kind: "adjust", requestId: "r", name, by };
}

function list(name: string, price: number, quantity: number): Command {
  return { kind: "list", requestId: "r", name, price, quantity };
}

describe("StockBook", () => {
  it("a command moves its own stock only, and the caller learns which and to what", () => {
    const stocks = book();
    expect(stocks.apply(order("buy", 10))).toEqual({ name: "FishCo", price: 17.99, quantity: 590 });
    expect(stocks.apply(order("sell", 3))?.quantity).toBe(593);
    expect(stocks.apply(adjust(-93))?.quantity).toBe(500);
    expect(stocks.apply(list("Coal", 1, 5))).toEqual({ name: "Coal", price: 1, quantity: 5 });
    expect(
      stocks.apply({
        kind: "refuse",
        requestId: "r",
        content: { kind: "trade", name: "FishCo", type: "buy", quantity: 1 },
        refusal: { kind: "insufficient-volume", name: "FishCo" },
      }),
    ).toBeNull();
    expect(stocks.get("FishCo")?.quantity).toBe(500);
    expect(stocks.get("BoarCo")?.quantity).toBe(1102);
    expect(stocks.get("Hey")).toBeUndefined();
    expect(stocks.size).toBe(3);
  });

  it("a stock that was read isn't changed under the reader", () => {
    const stocks = book();
    const before = stocks.get("FishCo");
    const all = stocks.sorted();
    stocks.apply(order("buy", 10));
    stocks.apply(list("Coal", 1, 5));
    expect(before?.quantity).toBe(600);
    expect(all.map(({ name, quantity }) => [name, quantity])).toEqual([
      ["BoarCo", 1102],
      ["FishCo", 600],
    ]);
  });

  it("a list is in order, complete and current after a listing and a trade", () => {
    const stocks = book();
    expect(stocks.sorted().map(({ name }) => name)).toEqual(["BoarCo", "FishCo"]);
    stocks.apply(list("Coal", 1, 5));
    stocks.apply(order("sell", 1, "Coal"));
    expect(stocks.sorted().map(({ name, quantity }) => [name, quantity])).toEqual([
      ["BoarCo", 1102],
      ["Coal", 6],
      ["FishCo", 600],
    ]);
  });

  it("M2: a quantity below zero or beyond exactness stops the process, with the numbers", () => {
    expect(() => book().apply(order("buy", 601))).toThrow('"quantity":-1');
    for (const command of [
      order("buy", 601),
      order("sell", LARGEST - 599),
      order("buy", 0.5),
      adjust(-601),
      adjust(LARGEST - 599),
      adjust(Number.NaN),
      list("New", 1, -1),
      list("New", 1, LARGEST + 1),
    ]) {
      expect(() => book().apply(command), JSON.stringify(command)).toThrow(InvariantViolation);
    }
    expect(book().apply(order("buy", 600))?.quantity).toBe(0);
    expect(book().apply(order("sell", LARGEST - 600))?.quantity).toBe(LARGEST);
  });

  it("a stock that isn't listed, is listed twice, or has no price stops the process", () => {
    for (const command of [
      order("buy", 1, "Hey"),
      adjust(1, "Hey"),
      list("FishCo", 17.99, 600),
      list("New", 0, 1),
      list("New", Number.POSITIVE_INFINITY, 1),
    ]) {
      expect(() => book().apply(command), JSON.stringify(command)).toThrow(InvariantViolation);
    }
    const fish = { name: "FishCo", price: 17.99, quantity: 600 };
    expect(() => new StockBook([fish, fish])).toThrow(InvariantViolation);
  });
});
