// What the committed journal says of stocks, orders and requests, at every
// position, and between the commands of one entry. The checkers compare it with
// what clients are told. Shares no code with the market but the words.

import type { Command, Content, Order, Outcome, Refusal, Stock } from "../src/core/market/types.ts";
import { Violation } from "./violation.ts";

interface QuantityAt {
  readonly position: number;
  readonly quantity: number;
}

interface StockHistory {
  readonly price: number;
  /** Ascending by position; one for each command, so several may have the same. */
  readonly changes: QuantityAt[];
}

/** What is recorded under a request id, and where. */
export interface Recorded {
  readonly command: Command;
  readonly position: number;
}

export class MarketHistory {
  readonly #orders: (Order & { readonly position: number })[] = [];
  readonly #recorded = new Map<string, Recorded>();
  readonly #stocks = new Map<string, StockHistory>();

  /** The next committed entry's commands. */
  feed(position: number, commands: readonly Command[]): void {
    for (const command of commands) {
      this.#recorded.set(command.requestId, { command, position });
      if (command.kind === "order") this.#orders.push({ ...command, position });
      if (command.kind === "refuse") this.#checkRefused(command, position);
      else if (command.kind !== "key" && command.kind !== "revoke") this.#moved(command, position);
    }
  }

  #moved(command: Exclude<Command, { kind: "refuse" | "key" | "revoke" }>, position: number): void {
    if (command.kind === "list") {
      const changes = [{ position, quantity: command.quantity }];
      this.#stocks.set(command.name, { price: command.price, changes });
      return;
    }
    // The audit has found a command for a stock that isn't listed.
    const changes = this.#stocks.get(command.name)?.changes;
    changes?.push({ position, quantity: (changes.at(-1)?.quantity ?? 0) + movedBy(command) });
  }

  /** A refusal that is recorded is the right one, for the very state that it was decided on. */
  #checkRefused(command: Extract<Command, { kind: "refuse" }>, position: number): void {
    const { content, refusal, requestId } = command;
    const quantity = this.#stocks.get(content.name)?.changes.at(-1)?.quantity ?? null;
    const right = refusedInAnyState(content) ? null : refusalOf(content, quantity);
    if (isSame(right, refusal)) return;
    throw new Violation(
      `M1: position ${position} refuses ${requestId} with ${JSON.stringify(refusal)}, ` +
        `at a quantity of ${quantity} it is ${JSON.stringify(right)}`,
    );
  }

  /** Whether `refusal` is what `content` gets in some state from that at `from` to that at `through`. */
  isRefused(content: Content, refusal: Refusal, from: number, through: number): boolean {
    const states: (number | null)[] = [this.quantityAt(content.name, from)];
    for (const { position, quantity } of this.#stocks.get(content.name)?.changes ?? [])
      if (position > from && position <= through) states.push(quantity);
    return states.some((quantity) => isSame(refusalOf(content, quantity), refusal));
  }

  /** The quantity of a stock after the entry at `position`; null if it isn't listed by then. */
  quantityAt(name: string, position: number): number | null {
    const at = this.#stocks.get(name)?.changes.findLast((change) => change.position <= position);
    return at ? at.quantity : null;
  }

  /**
   * The lowest position from `floor` on, and committed by now, at which a stock
   * has this quantity (null: isn't listed); null if there is none.
   */
  positionWith(name: string, quantity: number | null, floor: number): number | null {
    if (this.quantityAt(name, floor) === quantity) return floor;
    const changes = this.#stocks.get(name)?.changes ?? [];
    let found: number | null = null;
    for (let index = changes.length - 1; index >= 0; index -= 1) {
      const { position, quantity: then } = changes[index] as QuantityAt;
      if (position <= floor) break;
      // Only what the whole entry leaves is ever shown.
      const isLast = changes[index + 1]?.position !== position;
      if (isLast && then === quantity) found = position;
    }
    return found;
  }

  /** The price of a stock, which never changes; null if it was never listed. */
  priceOf(name: string): number | null {
    return this.#stocks.get(name)?.price ?? null;
  }

  /** All stocks as the entry at `position` leaves them, ascending by name. */
  stocksAt(position: number): readonly Stock[] {
    return [...this.#stocks]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([name, { price }]) => {
        const quantity = this.quantityAt(name, position);
        return quantity === null ? [] : { name, price, quantity };
      });
  }

  orderAt(number: number, position: number): Order | null {
    const order = this.#orders[number - 1];
    return order && order.position <= position ? order : null;
  }

  /** Orders with a number above `after` as of `position`, ascending, at most `limit`. */
  ordersAt(position: number, after: number, limit: number): readonly Order[] {
    return this.#orders.slice(after, after + limit).filter((order) => order.position <= position);
  }

  recorded(requestId: string): Recorded | undefined {
    return this.#recorded.get(requestId);
  }

  get lastNumber(): number {
    return this.#orders.length;
  }
}

function movedBy(command: Extract<Command, { kind: "order" | "adjust" }>): number {
  if (command.kind === "adjust") return command.by;
  return command.type === "buy" ? -command.quantity : command.quantity;
}

/** Why the market refuses this while the stock has that quantity (null: isn't listed); null if it doesn't. */
function refusalOf(content: Content, quantity: number | null): Refusal | null {
  const { name } = content;
  // The simulation's operator asks for nothing of keys that could be refused.
  if (content.kind === "key" || content.kind === "revoke") return null;
  if (content.kind === "list") {
    if (content.quantity < 0) return { kind: "invalid-quantity", quantity: content.quantity };
    return quantity === null ? null : { kind: "stock-exists", name };
  }
  const by = content.kind === "adjust" ? content.by : content.quantity;
  if (content.kind === "trade") {
    if (by <= 0) return { kind: "invalid-quantity", quantity: by };
    if (content.type !== "buy" && content.type !== "sell")
      return { kind: "unknown-type", type: content.type };
  }
  if (quantity === null) return { kind: "unknown-stock", name };
  const takes = content.kind === "trade" && content.type === "buy" ? by : -Math.min(by, 0);
  if (content.kind === "trade" && content.type === "sell") return null;
  return takes > quantity ? { kind: "insufficient-volume", name } : null;
}

/** Why the market refuses this in every state; null where it depends on the state. */
export function refusedInAnyState(content: Content): Refusal | null {
  const refusal = refusalOf(content, null);
  return isSame(refusal, refusalOf(content, Number.POSITIVE_INFINITY)) ? refusal : null;
}

type Fields = Readonly<Record<string, unknown>>;

/** By fields, whatever their order; 0 and -0 are the same. */
export function isSame(a: object | null, b: object | null): boolean {
  if (a === null || b === null) return a === b;
  const [fields, others] = [a as Fields, b as Fields];
  let count = 0;
  for (const key in fields) {
    if (fields[key] !== others[key] || !(key in others)) return false;
    count += 1;
  }
  for (const _ in others) count -= 1;
  return count === 0;
}

/** The request behind a recorded command, and how it ended. */
export function recordedAs(command: Command): { content: Content; outcome: Outcome } {
  const { name } = command.kind === "refuse" ? command.content : command;
  switch (command.kind) {
    case "refuse":
      return { content: command.content, outcome: { kind: "refused", refusal: command.refusal } };
    case "order":
      return {
        content: { kind: "trade", name, type: command.type, quantity: command.quantity },
        outcome: { kind: "accepted", number: command.number },
      };
    case "list":
      return {
        content: { kind: "list", name, price: command.price, quantity: command.quantity },
        outcome: { kind: "listed" },
      };
    case "adjust":
      return { content: { kind: "adjust", name, by: command.by }, outcome: { kind: "adjusted" } };
    case "key": {
      const { requestId: _, ...content } = command;
      return { content, outcome: { kind: "key-made" } };
    }
    case "revoke":
      return { content: { kind: "revoke", name }, outcome: { kind: "key-revoked" } };
  }
}

export function isSameOutcome(a: Outcome, b: Outcome): boolean {
  if (a.kind === "refused" && b.kind === "refused") return isSame(a.refusal, b.refusal);
  return isSame(a, b);
}
