// Histories for the tests of the checker: written by hand, or recorded from a
// market that does one thing at a time, at a moment drawn within each call.

import { Random } from "../simulation/random.ts";
import type { Attempt, OrderSeen, Outcome, StockSeen } from "./history.ts";

export const STOCKS: readonly StockSeen[] = [
  { name: "BoarCo", price: 2, quantity: 20 },
  { name: "FishCo", price: 1, quantity: 10 },
];

type Span = readonly [start: number, end: number];

/** Attempts by hand: `buy("a", [0, 5], "FishCo", 3, 1)` is a buy of 3 that was told number 1. */
export function trade(
  process: string,
  [start, end]: Span,
  type: "buy" | "sell",
  name: string,
  quantity: number,
  told: number | Outcome,
  key?: string,
): Attempt {
  const answer =
    typeof told === "number" ? { number: told, outcome: "accepted" as const } : { outcome: told };
  return {
    process,
    kind: "trade",
    name,
    type,
    quantity,
    ...(key === undefined ? {} : { key }),
    start,
    end,
    ...answer,
  };
}

export function lookup(process: string, [start, end]: Span, name: string, quantity: number | null) {
  const price = STOCKS.find((stock) => stock.name === name)?.price ?? 9;
  const answer =
    quantity === null
      ? { outcome: "not found" as const }
      : { price, quantity, outcome: "found" as const };
  return { process, kind: "lookup", name, start, end, ...answer } satisfies Attempt;
}

export function order(number: number, type: string, name: string, quantity: number): OrderSeen {
  return { number, name, type, quantity };
}

/** What a market that does one thing at a time recorded: it is linearizable. */
export function recordedByModel(
  seed: number,
  calls: number,
  processes: number,
): { stocks: readonly StockSeen[]; history: Attempt[]; orders: OrderSeen[] } {
  const random = new Random(seed);
  const market = new Map(STOCKS.map((stock) => [stock.name, { ...stock }]));
  const orders: OrderSeen[] = [];
  const free = Array.from({ length: processes }, () => 0);
  const planned = Array.from({ length: calls }, (_, nth) => {
    const process = random.below(processes);
    const start = (free[process] ?? 0) + 1 + random.below(5);
    const end = start + 1 + random.below(30);
    free[process] = end + 1;
    // No two at one moment, whatever was drawn.
    return { process: `p${process}`, start, end, at: random.between(start, end) + nth * 1e-9 };
  }).sort((a, b) => a.at - b.at);
  const history = planned.map(({ process, start, end }, nth): Attempt => {
    const call = { process, start, end };
    const name = random.pick(["BoarCo", "FishCo", "FishCo", "NewCo"]);
    const stock = market.get(name);
    const quantity = 1 + random.below(9);
    const drawn = random.next();
    if (drawn < 0.4) {
      const type = random.chance(0.5) ? "buy" : "sell";
      const asked = { ...call, kind: "trade" as const, name, type, quantity, key: `k${nth}` };
      if (!stock) return { ...asked, outcome: "refused: unknown stock" };
      const by = type === "buy" ? -quantity : quantity;
      if (stock.quantity + by < 0) return { ...asked, outcome: "refused: insufficient volume" };
      stock.quantity += by;
      const number = orders.length + 1;
      orders.push({ number, name, type, quantity });
      return { ...asked, number, outcome: "accepted" };
    }
    if (drawn < 0.6) {
      const found = stock && { price: stock.price, quantity: stock.quantity };
      const outcome = found ? "found" : "not found";
      return { ...call, kind: "lookup", name, ...found, outcome };
    }
    if (drawn < 0.7) {
      const stocks = [...market.values()].map((each) => ({ ...each }));
      return { ...call, kind: "lookup", stocks, outcome: "found" };
    }
    if (drawn < 0.8) {
      const number = 1 + random.below(orders.length + 2);
      const found = orders[number - 1];
      return { ...call, kind: "query", number, ...found, outcome: found ? "found" : "not found" };
    }
    if (drawn < 0.9 && stock) {
      const by = random.chance(0.5) ? quantity : -quantity;
      const asked = { ...call, kind: "adjust" as const, name, quantity: by, key: `k${nth}` };
      if (stock.quantity + by < 0) return { ...asked, outcome: "refused: insufficient volume" };
      stock.quantity += by;
      return { ...asked, outcome: "accepted" };
    }
    const asked = { ...call, kind: "list" as const, name, price: 9, quantity, key: `k${nth}` };
    if (stock) return { ...asked, outcome: "refused: stock exists" };
    market.set(name, { name, price: 9, quantity });
    return { ...asked, outcome: "accepted" };
  });
  return { stocks: STOCKS, history, orders };
}
