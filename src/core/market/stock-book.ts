// The stocks at one position of the journal, and what a command does to them.
//
//   M2. Stock = listed − bought + sold + adjusted, a safe integer, never negative.
//
// A trade costs the same whatever the number of stocks: they are put in order
// only when a list is asked for, and the next list is made from the last one.

import { invariant } from "../invariant.ts";
import { effectOf } from "./content.ts";
import type { Command, Stock } from "./types.ts";

/** A mutable set of stocks. Stocks handed out are never changed afterwards. */
export class StockBook {
  readonly #stocks = new Map<string, Stock>();
  /** What sorted() gave last; null before. */
  #sorted: readonly Stock[] | null = null;
  /** Names of the stocks that moved since then, and of those that are new. */
  readonly #moved = new Set<string>();
  #listed: string[] = [];

  constructor(stocks: Iterable<Stock> = []) {
    for (const stock of stocks) this.#list(stock);
  }

  get size(): number {
    return this.#stocks.size;
  }

  get(name: string): Stock | undefined {
    return this.#stocks.get(name);
  }

  /**
   * All stocks, ascending by name (by UTF-16 code units, which for letters is SQLite's order too).
   * What was given is never changed: it is given again until a stock changes, then another is.
   */
  sorted(): readonly Stock[] {
    if (this.#sorted === null) {
      this.#sorted = [...this.#stocks.keys()].sort().map((name) => this.#known(name));
    } else {
      if (this.#moved.size > 0) this.#sorted = this.#sorted.map((stock) => this.#newest(stock));
      if (this.#listed.length > 0) this.#sorted = this.#withListed(this.#sorted);
    }
    this.#moved.clear();
    this.#listed = [];
    return this.#sorted;
  }

  #newest(stock: Stock): Stock {
    return this.#moved.has(stock.name) ? this.#known(stock.name) : stock;
  }

  #withListed(sorted: readonly Stock[]): readonly Stock[] {
    const merged: Stock[] = [];
    let from = 0;
    for (const name of this.#listed.sort()) {
      for (; from < sorted.length; from++) {
        const stock = sorted[from];
        if (stock === undefined || stock.name > name) break;
        merged.push(stock);
      }
      merged.push(this.#known(name));
    }
    for (; from < sorted.length; from++) {
      const stock = sorted[from];
      if (stock !== undefined) merged.push(stock);
    }
    return merged;
  }

  /**
   * A number of 32 bits that all stocks amount to, in whatever order they were
   * listed: it differs where books differ by accident. Goes through all of them.
   */
  digest(): number {
    let sum = 0;
    for (const { name, price, quantity } of this.#stocks.values()) {
      sum = (sum + hashOf(`${name} ${price} ${quantity}`)) | 0;
    }
    return sum >>> 0;
  }

  /**
   * Does what a decided command says, and returns the stock as it is then;
   * null for a command that moves none. Can't fail for a command that was
   * decided on this state; throws InvariantViolation for any other.
   */
  apply(command: Command): Stock | null {
    const effect = effectOf(command);
    if (effect === null) return null;
    return effect.kind === "list" ? this.#list(effect.stock) : this.#move(effect.name, effect.by);
  }

  #move(name: string, by: number): Stock {
    const before = this.#known(name);
    const quantity = before.quantity + by;
    assertQuantity(name, quantity);
    // before.name, not name: a decoded name can hold its whole batch in memory.
    const after = { name: before.name, price: before.price, quantity };
    this.#stocks.set(before.name, after);
    if (this.#sorted !== null) this.#moved.add(before.name);
    return after;
  }

  #list({ name, price, quantity }: Stock): Stock {
    invariant(!this.#stocks.has(name), "a stock is listed once", { name });
    invariant(Number.isFinite(price) && price > 0, "a price is positive", { name, price });
    assertQuantity(name, quantity);
    const stock = { name, price, quantity };
    this.#stocks.set(name, stock);
    if (this.#sorted !== null) this.#listed.push(name);
    return stock;
  }

  #known(name: string): Stock {
    const stock = this.#stocks.get(name);
    invariant(stock !== undefined, "a command names a listed stock", { name });
    return stock;
  }
}

/** FNV-1a, and the finalizer of MurmurHash3, without which sums of similar texts are similar. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** M2 */
function assertQuantity(name: string, quantity: number): void {
  invariant(
    Number.isSafeInteger(quantity) && quantity >= 0,
    "a quantity is a safe integer, never negative",
    { name, quantity },
  );
}
