import { describe, expect, it } from "vitest";
import { InvariantViolation } from "../invariant.ts";
import { MarketTail } from "./tail.ts";
import type { Command } from "./types.ts";

function order(number: number): Command {
  const requestId = `r${number}`;
  return { kind: "order", number, requestId, name: "A", type: "buy", quantity: 1, price: 2 };
}

function adjust(requestId: string): Command {
  return { kind: "adjust", requestId, name: "A", by: 1 };
}

function numbersOf(tail: MarketTail, after: number, limit: number): number[] {
  return tail.orders(after, limit).map(({ number }) => number);
}

describe("MarketTail", () => {
  it("only what the tables hold is forgotten", () => {
    const tail = new MarketTail();
    const commands = [order(1), adjust("a"), order(2), adjust("b")];
    tail.add(3, commands[0] as Command);
    tail.add(3, commands[1] as Command);
    tail.add(5, commands[2] as Command);
    tail.add(8, commands[3] as Command);

    tail.releaseThrough(2);
    expect(tail.size).toBe(4);
    tail.releaseThrough(4);
    expect(tail.size).toBe(2);
    expect(tail.request("r1")).toBeUndefined();
    expect(tail.request("a")).toBeUndefined();
    expect(tail.order(1)).toBeUndefined();
    expect(tail.order(2)).toBe(commands[2]);
    expect(tail.request("b")).toBe(commands[3]);
    tail.releaseThrough(100);
    expect(tail.size).toBe(0);
  });

  it("orders are paged without gaps or repeats, also after a release", () => {
    const tail = new MarketTail();
    for (let number = 1; number <= 10; number++) tail.add(number, order(number));
    expect(numbersOf(tail, 0, 3)).toEqual([1, 2, 3]);
    expect(numbersOf(tail, 8, 100)).toEqual([9, 10]);
    expect(numbersOf(tail, 10, 100)).toEqual([]);
    tail.releaseThrough(6);
    expect(numbersOf(tail, 0, 2)).toEqual([7, 8]);
    tail.releaseThrough(10);
    expect(numbersOf(tail, 0, 100)).toEqual([]);
    tail.add(11, order(11));
    expect(numbersOf(tail, 0, 100)).toEqual([11]);
  });

  it("what is kept doesn't grow with history, and compacting loses nothing", () => {
    const tail = new MarketTail();
    for (let number = 1; number <= 20_000; number++) {
      tail.add(number, order(number));
      if (number > 50) tail.releaseThrough(number - 50);
      expect(tail.size).toBe(Math.min(number, 50));
    }
    expect(numbersOf(tail, 0, 100)).toHaveLength(50);
    expect(tail.request("r19951")).toBeDefined();
    expect(tail.request("r19950")).toBeUndefined();
  });

  it("M3: a second outcome of a request id stops the process", () => {
    const tail = new MarketTail();
    tail.add(1, order(1));
    expect(() => tail.add(2, adjust("r1"))).toThrow("a request id has one outcome");
  });

  it("a position that goes back stops the process, though all was released", () => {
    const tail = new MarketTail();
    tail.add(5, order(1));
    tail.add(5, order(2));
    for (let number = 3; number <= 5_000; number++) tail.add(5, order(number));
    tail.releaseThrough(5);
    expect(() => tail.add(4, order(5_001))).toThrow(InvariantViolation);
  });
});
