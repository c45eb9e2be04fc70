// The stocks as the catalog shows them: what the journal says up to a position.
//
// Entries are taken in order and once each. What was taken before is skipped,
// since a new leader, or a call whose answer was lost, may send it again; after
// a gap nothing is taken, so that the view is always true at its position.

import { StockBook } from "../../core/market/stock-book.ts";
import {
  StockLists,
  type StocksAnswer,
  type StocksQuestion,
} from "../../core/market/stock-lists.ts";
import type { Command, Stock } from "../../core/market/types.ts";

/** A committed entry, as the market reads it. */
export interface DecodedEntry {
  readonly position: number;
  /** Empty for the log's own entries. */
  readonly commands: readonly Command[];
}

/** Stocks that some entries changed, as they are after all of them, by name. */
export type ChangedStocks = ReadonlyMap<string, Stock>;

export class StockView {
  readonly #stocks: StockBook;
  readonly #lists: StockLists;
  #position: number;

  constructor(start: { readonly position: number; readonly stocks: Iterable<Stock> }) {
    this.#stocks = new StockBook(start.stocks);
    this.#lists = new StockLists(this.#stocks);
    this.#position = start.position;
  }

  /** Everything up to here is applied, nothing after. */
  get position(): number {
    return this.#position;
  }

  get size(): number {
    return this.#stocks.size;
  }

  stock(name: string): Stock | undefined {
    return this.#stocks.get(name);
  }

  /** All stocks, ascending by name. */
  stocks(): readonly Stock[] {
    return this.#stocks.sorted();
  }

  /** Some of them, in pieces. */
  list(question: StocksQuestion): StocksAnswer {
    return this.#lists.answer(question, this.#position);
  }

  /**
   * Applies those of `entries` (consecutive, ascending) that come next, and
   * returns the stocks they changed. Throws InvariantViolation for an entry that
   * can't have been decided by a leader.
   */
  apply(entries: readonly DecodedEntry[]): ChangedStocks {
    const changed = new Map<string, Stock>();
    for (const { position, commands } of entries) {
      if (position <= this.#position) continue;
      if (position > this.#position + 1) break;
      for (const command of commands) {
        const stock = this.#stocks.apply(command);
        if (stock !== null) changed.set(stock.name, stock);
      }
      this.#position = position;
    }
    return changed;
  }
}
