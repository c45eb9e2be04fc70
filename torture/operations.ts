// From attempts to operations: what each call did, once, whatever the number of
// its attempts; and what can be told to be wrong without looking for an order.
//
//   O1. The attempts under one key are one call, with one answer.
//   O2. Each answered order is in the final list of orders, as it was asked for.
//   O3. Each order of that list is one call's: nothing is doubled, nothing made up.
//   O4. No answer is one that its call can't have.
//
// check() adds the search for an order that explains all answers.

import { type Attempt, describe, isUnknown, type OrderSeen, type StockSeen } from "./history.ts";
import {
  type Deed,
  linearize,
  type Movement,
  type Operation,
  type Seen,
  type SeenStock,
} from "./linearizable.ts";

export interface Recorded {
  /** The first stocks. */
  readonly stocks: readonly StockSeen[];
  readonly history: readonly Attempt[];
  /** All orders once everything had settled, as listed. */
  readonly orders: readonly OrderSeen[];
}

export interface Verdict {
  /** What is wrong, a line each; none when the history is linearizable. */
  readonly problems: readonly string[];
  readonly operations: number;
  /** Possible states that were looked at for one answer, at most. */
  readonly statesMax: number;
}

export function check({ stocks, history, orders }: Recorded): Verdict {
  const { operations, movements, problems } = operationsOf(history, orders);
  // With an order that is nobody's, or lost, the search would only say so again.
  if (problems.length > 0) return { problems, operations: operations.length, statesMax: 0 };
  const found = linearize({ stocks: byName(stocks), movements, operations });
  return found.ok
    ? { problems, operations: operations.length, statesMax: found.statesMax }
    : { problems: [found.problem], operations: operations.length, statesMax: 0 };
}

export interface Operations {
  readonly operations: readonly Operation[];
  /** Of the final orders, by number. */
  readonly movements: readonly Movement[];
  /** What is wrong, a line each. */
  readonly problems: readonly string[];
}

/** `orders` is the final list, from number 1 on. */
export function operationsOf(
  history: readonly Attempt[],
  orders: readonly OrderSeen[],
): Operations {
  const problems: string[] = [];
  for (const [index, { number }] of orders.entries()) {
    if (number !== index + 1) problems.push(`order ${number} stands where ${index + 1} should`);
  }
  const wrong = history.filter(({ outcome }) => outcome.startsWith("wrong"));
  problems.push(...wrong.map((attempt) => `can't be: ${describe(attempt)}`)); // O4
  const operations: Operation[] = [];
  const ownerOf = new Map<number, Attempt>();
  const unknownTrades: Attempt[] = [];
  for (const call of callsOf(history)) {
    const [first] = call;
    const answers = call
      .filter((attempt) => !isUnknown(attempt) && !attempt.outcome.startsWith("wrong"))
      .sort((a, b) => a.end - b.end);
    const [answer] = answers;
    for (const other of answers) {
      if (answer && isWrite(answer) && !isSameAnswer(answer, other)) {
        problems.push(`one call, two answers: ${describe(answer)}, and ${describe(other)}`); // O1
      }
    }
    if (!answer) {
      if (first.kind === "trade") unknownTrades.push(first);
      else if (first.kind !== "query" && first.kind !== "lookup") {
        operations.push(operation(first, { ...first, outcome: "accepted" }, Infinity));
      }
      continue;
    }
    if (answer.outcome === "accepted" && answer.kind === "trade" && answer.number !== undefined) {
      const owner = ownerOf.get(answer.number);
      if (owner) {
        problems.push(`one order, two calls: ${describe(owner)}, and ${describe(answer)}`); // O3
        continue;
      }
      ownerOf.set(answer.number, answer);
    }
    const contradiction = contradicts(answer, orders);
    if (contradiction)
      problems.push(contradiction); // O2
    else operations.push(operation(first, answer, answer.end));
  }
  const { found, nobodys } = attribute(
    orders.filter(({ number }) => !ownerOf.has(number)),
    unknownTrades,
  );
  for (const { number, attempt } of found) {
    operations.push(operation(attempt, { ...attempt, number, outcome: "accepted" }, Infinity));
  }
  problems.push(
    ...nobodys.map(
      ({ number, name, type, quantity }) =>
        `order ${number}, ${type} ${quantity} ${name}, is nobody's`, // O3
    ),
  );
  const movements = orders.map(({ name, type, quantity }) => ({
    name,
    by: type === "buy" ? -quantity : quantity,
  }));
  return { operations, movements, problems };
}

/** The attempts of each call, in the order of their starts. */
function callsOf(history: readonly Attempt[]): [Attempt, ...Attempt[]][] {
  const calls = new Map<string, [Attempt, ...Attempt[]]>();
  for (const [index, attempt] of history.toSorted((a, b) => a.start - b.start).entries()) {
    const id = attempt.key === undefined ? `#${index}` : `key ${attempt.key}`;
    const call = calls.get(id);
    if (call) call.push(attempt);
    else calls.set(id, [attempt]);
  }
  return [...calls.values()];
}

function isWrite({ kind }: Attempt): boolean {
  return kind === "trade" || kind === "list" || kind === "adjust";
}

function isSameAnswer(a: Attempt, b: Attempt): boolean {
  return (
    a.outcome === b.outcome &&
    a.number === b.number &&
    a.kind === b.kind &&
    a.name === b.name &&
    a.type === b.type &&
    a.quantity === b.quantity
  );
}

/** Why an answer isn't what the final orders say; null when it is. */
function contradicts(answer: Attempt, orders: readonly OrderSeen[]): string | null {
  if (answer.kind !== "trade" && answer.kind !== "query") return null;
  if (answer.outcome !== "accepted" && answer.outcome !== "found") return null;
  const order = orders[(answer.number ?? 0) - 1];
  if (!order) return `lost: ${describe(answer)}, which isn't among the ${orders.length} orders`;
  const isSame =
    order.name === answer.name && order.type === answer.type && order.quantity === answer.quantity;
  const { name, type, quantity } = order;
  return isSame ? null : `${describe(answer)} isn't the order: ${type} ${quantity} ${name}`;
}

/**
 * Gives each order that nobody was told of to a trade of unknown fate with the
 * same content. Such a trade may have been made at any time after its start, so
 * of two alike the one that began earlier is given the lower number: if any
 * choice has an order, this one has.
 */
function attribute(
  orders: readonly OrderSeen[],
  trades: readonly Attempt[],
): { found: { number: number; attempt: Attempt }[]; nobodys: OrderSeen[] } {
  const alike = Map.groupBy(
    trades.toSorted((a, b) => a.start - b.start),
    contentOf,
  );
  const found: { number: number; attempt: Attempt }[] = [];
  const nobodys: OrderSeen[] = [];
  for (const order of orders) {
    const attempt = alike.get(contentOf(order))?.shift();
    if (attempt) found.push({ number: order.number, attempt });
    else nobodys.push(order);
  }
  return { found, nobodys };
}

function contentOf({ name, type, quantity }: Attempt | OrderSeen): string {
  return `${name} ${type} ${quantity}`;
}

function operation(first: Attempt, answer: Attempt, end: number): Operation {
  return { deed: deedOf(answer), start: first.start, end, label: describe(answer) };
}

function deedOf(answer: Attempt): Deed {
  const { kind, name = "", price = 0, quantity = 0, number = 0, outcome } = answer;
  if (outcome === "accepted") {
    if (kind === "trade") return { kind: "trade", number };
    if (kind === "list") return { kind: "list", name, stock: { price, quantity } };
    return { kind: "adjust", name, by: quantity };
  }
  return { kind: "read", seen: seenBy(answer) };
}

function seenBy({ kind, name = "", price, quantity = 0, number, stocks, outcome }: Attempt): Seen {
  switch (outcome) {
    case "refused: unknown stock":
      return { kind: "stock", name, stock: null };
    case "refused: stock exists":
      return { kind: "listed", name };
    case "refused: insufficient volume":
      return { kind: "less", name, than: Math.abs(quantity) };
  }
  if (kind === "query") {
    return { kind: "order", number: number ?? 0, isThere: outcome === "found" };
  }
  if (stocks) return { kind: "stocks", stocks: byName(stocks) };
  return {
    kind: "stock",
    name,
    stock: outcome === "found" ? { price: price ?? 0, quantity } : null,
  };
}

/** Stocks by their name. */
export function byName(stocks: readonly StockSeen[]): ReadonlyMap<string, SeenStock> {
  return new Map(stocks.map(({ name, price, quantity }) => [name, { price, quantity }]));
}
