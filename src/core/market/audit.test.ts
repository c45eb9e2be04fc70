import { describe, expect, it } from "vitest";
import { Audit } from "./audit.ts";
import type { Command } from "./types.ts";

const list: Command = {
  kind: "list",
  requestId: "seed-1",
  name: "FishCo",
  price: 17.99,
  quantity: 600,
};

function order(number: number, type: "buy" | "sell", quantity: number, name = "FishCo"): Command {
  return { kind: "order", number, requestId: `r${number}`, name, type, quantity, price: 17.99 };
}

/** The problems of a journal that lists FishCo at position 1 and has `commands` at position 2. */
function problemsOf(...commands: Command[]): readonly string[] {
  const audit = new Audit();
  audit.feed(1, [list]);
  audit.feed(2, commands);
  return audit.problems;
}

describe("Audit", () => {
  it("a sound journal isn't reported, and its stocks are its sums", () => {
    const audit = new Audit();
    audit.feed(1, [list, { ...list, requestId: "seed-2", name: "BoarCo", quantity: 0 }]);
    audit.feed(2, []);
    audit.feed(3, [order(1, "buy", 10), order(2, "sell", 4)]);
    audit.feed(4, [
      { kind: "adjust", requestId: "a", name: "FishCo", by: -594 },
      {
        kind: "refuse",
        requestId: "n",
        content: { kind: "trade", name: "FishCo", type: "buy", quantity: 1 },
        refusal: { kind: "insufficient-volume", name: "FishCo" },
      },
    ]);
    expect(audit.problems).toEqual([]);
    expect(audit.stocks()).toEqual([
      { name: "BoarCo", price: 17.99, quantity: 0 },
      { name: "FishCo", price: 17.99, quantity: 0 },
    ]);
    expect(audit.counts).toEqual({ entries: 4, orders: 2, requests: 6, refusals: 1, stocks: 2 });
    expect(audit.lastNumber).toBe(2);
    expect(audit.position).toBe(4);
  });

  it("M2: a stock below zero is reported where it went there", () => {
    expect(problemsOf(order(1, "buy", 600), order(2, "buy", 1), order(3, "sell", 1))).toEqual([
      "M2: position 2 makes the quantity of FishCo -1",
    ]);
  });

  it("M2: a stock beyond exact numbers is reported, though the sum rounds", () => {
    expect(problemsOf(order(1, "sell", Number.MAX_SAFE_INTEGER - 600))).toEqual([]);
    expect(problemsOf(order(1, "sell", Number.MAX_SAFE_INTEGER - 599))).toEqual([
      `M2: position 2 makes the quantity of FishCo ${2n ** 53n}`,
    ]);
  });

  it("M2: trades of nothing, of parts, or of an unknown stock are reported", () => {
    expect(problemsOf(order(1, "buy", 0))).toEqual([
      "M2: order 1 at position 2 trades 0 of FishCo",
    ]);
    expect(problemsOf(order(1, "buy", 1.5))).toEqual(["M2: position 2 moves FishCo by 1.5"]);
    expect(problemsOf(order(1, "buy", 1, "Hey"))).toEqual([
      "M2: position 2 moves Hey, which was never listed",
    ]);
    expect(problemsOf({ ...list, requestId: "l" })).toEqual([
      "M2: position 2 lists FishCo a second time",
    ]);
    expect(problemsOf({ ...list, requestId: "l", name: "A", price: Number.NaN })).toHaveLength(1);
    expect(problemsOf({ ...list, requestId: "l", name: "A", quantity: 0.5 })).toHaveLength(1);
    expect(problemsOf({ ...list, requestId: "l", name: "A", quantity: -1 })).toHaveLength(1);
    expect(problemsOf({ kind: "adjust", requestId: "a", name: "Hey", by: 1 })).toHaveLength(1);
  });

  it("M3: a gap, a repeat or a step back in the numbers is reported", () => {
    expect(problemsOf(order(1, "buy", 1), order(3, "buy", 1))).toEqual([
      "M3: position 2 has order 3 after order 1",
    ]);
    expect(problemsOf(order(2, "buy", 1))).toHaveLength(1);
    expect(problemsOf(order(1, "buy", 1), { ...order(1, "buy", 1), requestId: "x" })).toEqual([
      "M3: position 2 has order 1 after order 1",
    ]);
  });

  it("M1, M3: a request that was refused and became an order is reported", () => {
    const refused: Command = {
      kind: "refuse",
      requestId: "r1",
      content: { kind: "trade", name: "FishCo", type: "buy", quantity: 1 },
      refusal: { kind: "insufficient-volume", name: "FishCo" },
    };
    expect(problemsOf(refused, order(1, "buy", 1))).toEqual([
      "M3: position 2 records request id r1 a second time",
    ]);
  });

  it("an order at another price than its stock's is reported", () => {
    expect(problemsOf({ ...order(1, "buy", 1), price: 18 } as Command)).toEqual([
      "order 1 at position 2 is at a price of 18, but FishCo costs 17.99",
    ]);
  });

  it("entries fed twice or out of order are reported", () => {
    const audit = new Audit();
    audit.feed(2, []);
    audit.feed(2, []);
    audit.feed(1, []);
    expect(audit.problems).toEqual([
      "position 2 comes after position 2",
      "position 1 comes after position 2",
    ]);
    expect(audit.position).toBe(2);
  });

  it("a catalog that is behind is compared with the stocks of its own position", () => {
    const audit = new Audit({ stocksAt: [4, 2, 3, 2, 9] });
    audit.feed(1, [list]);
    audit.feed(2, [order(1, "buy", 100)]);
    // Position 3 is an entry without commands that was left out.
    audit.feed(4, [order(2, "buy", 100)]);
    audit.feed(5, [order(3, "buy", 100)]);
    const quantityAt = (position: number) => audit.stocksAt(position)?.[0]?.quantity;
    expect(quantityAt(2)).toBe(500);
    expect(quantityAt(3)).toBe(500);
    expect(quantityAt(4)).toBe(400);
    expect(quantityAt(5)).toBe(300);
    expect(audit.stocksAt(1), "not asked for").toBeUndefined();
    expect(audit.stocksAt(9), "not reached").toBeUndefined();
  });

  it("each difference between the tables and the journal is reported, with its name", () => {
    const audit = new Audit();
    audit.feed(1, [list, { ...list, requestId: "seed-2", name: "BoarCo", quantity: 5 }]);
    audit.feed(2, [order(1, "buy", 100)]);
    expect(audit.differences(audit.stocks(), 1)).toEqual([]);
    expect(
      audit.differences(
        [
          { name: "FishCo", price: 17.99, quantity: 600 },
          { name: "Hey", price: 1, quantity: 1 },
        ],
        0,
      ),
    ).toEqual([
      "at position 2 the journal's last order is 1, the table's 0",
      "at position 2 the journal makes FishCo 500 at 17.99, the table has 600 at 17.99",
      "at position 2 the table has Hey, which the journal never listed",
      "at position 2 the table lacks BoarCo",
    ]);
  });

  it("a journal that is wrong everywhere doesn't fill the memory with reports", () => {
    const audit = new Audit();
    for (let position = 1; position <= 150; position++) {
      audit.feed(position, [order(position, "buy", 1, "Hey")]);
    }
    expect(audit.problems).toHaveLength(101);
    expect(audit.problems.at(-1)).toBe("and 50 more problems");
  });
});
