// The slow checker that the fast one is compared with: tries every order.
// For a handful of operations only.

import type { Operation, SeenStock } from "./linearizable.ts";
import { byName, operationsOf, type Recorded } from "./operations.ts";

interface Market {
  readonly stocks: ReadonlyMap<string, SeenStock>;
  readonly trades: number;
}

/** Whether some order of all operations, each within its time, explains the answers. */
export function explainedByTrying({ stocks, history, orders }: Recorded): boolean {
  const { operations, movements, problems } = operationsOf(history, orders);
  const moved = (market: Market, name: string, by: number): Market | null => {
    const stock = market.stocks.get(name);
    if (!stock || stock.quantity + by < 0) return null;
    const changed = { ...stock, quantity: stock.quantity + by };
    return { ...market, stocks: new Map([...market.stocks, [name, changed]]) };
  };
  const after = (market: Market, { deed }: Operation): Market | null => {
    switch (deed.kind) {
      case "trade": {
        const movement = movements[deed.number - 1];
        if (!movement || deed.number !== market.trades + 1) return null;
        const traded = moved(market, movement.name, movement.by);
        return traded && { ...traded, trades: deed.number };
      }
      case "adjust":
        return moved(market, deed.name, deed.by);
      case "list":
        if (market.stocks.has(deed.name)) return null;
        return { ...market, stocks: new Map([...market.stocks, [deed.name, deed.stock]]) };
      case "read": {
        const { seen } = deed;
        const same = (a: SeenStock | undefined | null, b: SeenStock | undefined | null) =>
          a?.price === b?.price && a?.quantity === b?.quantity;
        if (seen.kind === "order")
          return market.trades >= seen.number === seen.isThere ? market : null;
        if (seen.kind === "stocks") {
          const names = new Set([...market.stocks.keys(), ...seen.stocks.keys()]);
          const all = [...names].every((name) =>
            same(market.stocks.get(name), seen.stocks.get(name)),
          );
          return all ? market : null;
        }
        const stock = market.stocks.get(seen.name);
        if (seen.kind === "stock") return same(stock, seen.stock) ? market : null;
        if (seen.kind === "listed") return stock ? market : null;
        return stock && stock.quantity < seen.than ? market : null;
      }
    }
  };
  const tried = (market: Market, left: readonly Operation[]): boolean =>
    // What was never answered needn't have happened.
    left.every(({ end }) => end === Number.POSITIVE_INFINITY) ||
    left.some((next) => {
      if (left.some((other) => other.end < next.start)) return false;
      const then = after(market, next);
      return (
        then !== null &&
        tried(
          then,
          left.filter((other) => other !== next),
        )
      );
    });
  return problems.length === 0 && tried({ stocks: byName(stocks), trades: 0 }, operations);
}
