// Spoilt copies of a good history, each with one fault that clients could see.
// A checker that calls one of them good is too weak: this is how it is checked,
// after each run with the history of that run.

import type { Attempt } from "./history.ts";
import { operationsOf, type Recorded } from "./operations.ts";

export interface Mutation {
  readonly what: string;
  readonly copy: Recorded;
}

/** More than any history moves a stock by. */
const NEVER_SEEN = 1_000_000_007;

/** One copy for each kind of fault that the history has a place for. */
export function mutations(good: Recorded): readonly Mutation[] {
  const { history, orders } = good;
  const found: Mutation[] = [];
  const add = (what: string, copy: Recorded | null) => {
    if (copy) found.push({ what, copy });
  };
  const changed = (old: Attempt, by: Partial<Attempt>): Recorded => ({
    ...good,
    history: history.map((attempt) => (attempt === old ? { ...attempt, ...by } : attempt)),
  });
  const middle = <T>(some: readonly T[]): T | undefined => some[some.length >> 1];
  const onAttempt = (
    what: string,
    fits: (attempt: Attempt) => boolean,
    by: (attempt: Attempt) => Partial<Attempt>,
  ) => {
    const attempt = middle(history.filter(fits));
    add(what, attempt ? changed(attempt, by(attempt)) : null);
  };

  onAttempt(
    "a quantity that never was",
    ({ kind, outcome, name }) => kind === "lookup" && outcome === "found" && name !== undefined,
    () => ({ quantity: NEVER_SEEN }),
  );
  onAttempt(
    "a listed stock that isn't found",
    ({ kind, outcome, name }) =>
      kind === "lookup" && outcome === "found" && good.stocks.some((stock) => stock.name === name),
    () => ({ outcome: "not found" }),
  );
  onAttempt(
    "a list with one stock of another state",
    ({ kind, stocks }) => kind === "lookup" && (stocks?.length ?? 0) > 0,
    ({ stocks = [] }) => ({
      stocks: stocks.map((stock, index) =>
        index === 0 ? { ...stock, quantity: stock.quantity + NEVER_SEEN } : stock,
      ),
    }),
  );
  onAttempt(
    "an order found that wasn't made yet",
    ({ kind, outcome }) => kind === "query" && outcome === "not found",
    () => ({ outcome: "found", number: orders.length + 1 }),
  );
  onAttempt(
    "an adjustment that was none",
    ({ kind, outcome }) => kind === "adjust" && outcome === "accepted",
    ({ quantity = 0 }) => ({ quantity: quantity + NEVER_SEEN }),
  );
  onAttempt(
    "a yes told as a no",
    ({ kind, outcome }) => kind === "trade" && outcome === "accepted",
    () => ({ outcome: "refused: unknown stock" }),
  );
  add("the last order lost", orders.length > 0 ? { ...good, orders: orders.slice(0, -1) } : null);
  const last = orders.at(-1);
  add(
    "an order more than was asked for",
    last
      ? { ...good, orders: [...orders, { ...last, number: last.number + 1, quantity: NEVER_SEEN }] }
      : null,
  );
  add("the numbers of two trades exchanged", exchanged(good));
  add("an order that a query doesn't find any more", unfound(good));
  add("a stock as it was before the last trade", stale(good));
  add("a trade refused though there was enough", refused(good));
  return found;
}

/** Two accepted trades, the second begun after the first had ended, with each other's numbers, in the list too. */
function exchanged(good: Recorded): Recorded | null {
  const accepted = good.history
    .filter(({ kind, outcome }) => kind === "trade" && outcome === "accepted")
    .sort((a, b) => a.start - b.start);
  const alone = (attempt: Attempt) =>
    accepted.filter((other) => other.number === attempt.number).length === 1 &&
    good.history.filter(({ key }) => key !== undefined && key === attempt.key).length < 2;
  const [first] = accepted.filter(alone);
  const second = first && accepted.findLast((other) => alone(other) && other.start > first.end);
  if (!first || !second) return null;
  const { number: a = 0 } = first;
  const { number: b = 0 } = second;
  const renumbered = (number: number) => (number === a ? b : number === b ? a : number);
  return {
    ...good,
    history: good.history.map((attempt) =>
      attempt.number === undefined ? attempt : { ...attempt, number: renumbered(attempt.number) },
    ),
    orders: good.orders
      .map((order) => ({ ...order, number: renumbered(order.number) }))
      .sort((x, y) => x.number - y.number),
  };
}

/** A query after an answered trade that is told there is no such order. */
function unfound(good: Recorded): Recorded | null {
  const trade = good.history.find(
    ({ kind, outcome }) => kind === "trade" && outcome === "accepted",
  );
  if (trade?.number === undefined) return null;
  const { end, number } = trade;
  const query: Attempt = {
    process: "nobody",
    kind: "query",
    number,
    start: end + 1,
    end: end + 2,
    outcome: "not found",
  };
  return { ...good, history: [...good.history, query] };
}

/** A lookup after all else that finds what a cache would have that wasn't told of the last trade. */
function stale(good: Recorded): Recorded | null {
  const stock = stocksAtTheEnd(good).find(({ lastBy }) => lastBy !== 0);
  if (!stock) return null;
  const { name, price, quantity, lastBy } = stock;
  const found = { name, price, quantity: quantity - lastBy, outcome: "found" } as const;
  return withLast(good, { kind: "lookup", ...found });
}

/** A trade after all else that is told there is too little of a stock, of which there is some. */
function refused(good: Recorded): Recorded | null {
  const stock = stocksAtTheEnd(good).find(({ quantity }) => quantity > 0);
  if (!stock) return null;
  const { name, quantity } = stock;
  const outcome = "refused: insufficient volume";
  return withLast(good, { kind: "trade", type: "buy", name, quantity, outcome });
}

/** The first stocks of which the history leaves no doubt, as they are in the end, and by how much the last trade moved each. */
function stocksAtTheEnd({ stocks, history, orders }: Recorded) {
  const { operations, movements } = operationsOf(history, orders);
  return stocks.flatMap(({ name, price, quantity: first }) => {
    const adjusts = operations.filter(({ deed }) => deed.kind === "adjust" && deed.name === name);
    if (adjusts.some(({ end }) => end === Number.POSITIVE_INFINITY)) return [];
    const moved = movements.filter((movement) => movement.name === name).map(({ by }) => by);
    const adjusted = adjusts.map(({ deed }) => (deed.kind === "adjust" ? deed.by : 0));
    const quantity = [...moved, ...adjusted].reduce((sum, by) => sum + by, first);
    return [{ name, price, quantity, lastBy: moved.at(-1) ?? 0 }];
  });
}

function withLast(good: Recorded, what: Omit<Attempt, "process" | "start" | "end">): Recorded {
  const last = good.history.reduce((latest, { end }) => Math.max(latest, end), 0);
  const attempt: Attempt = { process: "nobody", ...what, start: last + 1, end: last + 2 };
  return { ...good, history: [...good.history, attempt] };
}
