// The stocks at one position of the journal, and what a command does to them.
//
//   M2. Stock = listed − bought + sold + adjusted, a safe integer, never negative.
//
// A trade costs the same whatever the number of stocks: the order by name is
// kept until a new stock is listed, and built only when a list is asked for.

import { invariant } from "../invariant.ts";
import type { Command, Stock } from "./types.ts";

/** A mutable set of stocks. Stocks handed out are never changed afterwards. */
export class StockBook {
  readonly #stocks = new Map<string, Stock>();
  /** Names in ascending order; null after a listing, until somebody asks. */
  #names: readonly string[] | null = null;

  constructor(stocks: Iterable<Stock> = []) {
    for (const stock of stocks) this.#list(stock.name, stock.price, stock.quantity);
  }

  get size(): number {
    return this.#stocks.size;
  }

  get(name: string): Stock | undefined {
    return this.#stocks.get(name);
  }

  /** All stocks, ascending by name (by UTF-16 code units, which for letters is SQLite's order too). */
  sorted(): Stock[] {
    this.#names ??= [...this.#stocks.keys()].sort();
    return this.#names.map((name) => this.#known(name));
  }

  /**
   * Does what a decided command says, and returns the stock as it is then;
   * null for a command that moves none. Can't fail for a command that was
   * decided on this state; throws InvariantViolation for any other.
   */
  apply(command: Command): Stock | null {
    switch (command.kind) {
      case "order":
        return this.#move(
          command.name,
          command.type === "buy" ? -command.quantity : command.quantity,
        );
      case "adjust":
        return this.#move(command.name, command.by);
      case "list":
        return this.#list(command.name, command.price, command.quantity);
      case "refuse":
        return null;
    }
  }

  #move(name: string, by: number): Stock {
    const before = this.#known(name);
    const quantity = before.quantity + by;
    assertQuantity(name, quantity);
    // before.name, not name: a decoded name can hold its whole batch in memory.
    const after = { name: before.name, price: before.price, quantity };
    this.#stocks.set(before.name, after);
    return after;
  }

  #list(name: string, price: number, quantity: number): Stock {
    invariant(!this.#stocks.has(name), "a stock is listed once", { name });
    invariant(Number.isFinite(price) && price > 0, "a price is positive", { name, price });
    assertQuantity(name, quantity);
    const stock = { name, price, quantity };
    this.#stocks.set(name, stock);
    this.#names = null;
    return stock;
  }

  #known(name: string): Stock {
    const stock = this.#stocks.get(name);
    invariant(stock !== undefined, "a command names a listed stock", { name });
    return stock;
  }
}

/** M2 */
function assertQuantity(name: string, quantity: number): void {
  invariant(
    Number.isSafeInteger(quantity) && quantity >= 0,
    "a quantity is a safe integer, never negative",
    { name, quantity },
  );
}
