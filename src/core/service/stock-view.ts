// The stocks as a catalog shows them: what the journal says up to a position,
// and the entries after it that are received and not to be shown yet.
//
// Entries are received in order and once each: a new leader, or one whose answer
// was lost, may send them again, and what was received before is left out before
// anything is decoded. So the view is always true at its position. Its file lags
// behind it and nothing waits for that: after a crash the view reads on from
// where the file is.

import { invariant } from "../invariant.ts";
import { decodeCommands } from "../market/codec.ts";
import { StockBook } from "../market/stock-book.ts";
import { StockLists, type StocksAnswer, type StocksQuestion } from "../market/stock-lists.ts";
import type { Command, Stock } from "../market/types.ts";
import type { CommittedEntry } from "../replication/types.ts";

/** A committed entry as the market reads it. */
export interface DecodedEntry {
  readonly position: number;
  /** Empty for the log's own entries. */
  readonly commands: readonly Command[];
}

/** What the file lacks: the stocks that changed since, as they are at `position`. */
export interface Unsaved {
  readonly position: number;
  readonly stocks: readonly Stock[];
}

export class StockView {
  readonly #stocks: StockBook;
  readonly #lists: StockLists;
  /** Received and not shown, ascending, from the next position on without a gap. */
  #received: DecodedEntry[] = [];
  #position: number;
  #savedPosition: number;
  readonly #unsaved = new Map<string, Stock>();

  constructor(start: { readonly position: number; readonly stocks: Iterable<Stock> }) {
    this.#stocks = new StockBook(start.stocks);
    this.#lists = new StockLists(this.#stocks);
    this.#position = start.position;
    this.#savedPosition = start.position;
  }

  /** Everything up to here is shown, nothing after. */
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

  /** Those of `entries` (consecutive, ascending) that are new, if no entry before them is missing. */
  fresh(entries: readonly CommittedEntry[]): readonly DecodedEntry[] {
    const received = this.#received.at(-1)?.position ?? this.#position;
    const fresh = entries.filter(({ position }) => position > received);
    if (fresh[0]?.position !== received + 1) return [];
    return fresh.map(decode);
  }

  /** Takes what `fresh` gave, to be shown later. */
  receive(fresh: readonly DecodedEntry[]): void {
    this.#received.push(...fresh);
  }

  /** Shows what was received up to `through`. Throws InvariantViolation for an entry that can't have been decided by a leader. */
  show(through: number): void {
    const kept = this.#received.findIndex(({ position }) => position > through);
    const due = this.#received.splice(0, kept === -1 ? this.#received.length : kept);
    for (const { position, commands } of due) {
      invariant(position === this.#position + 1, "entries are shown one after another", {
        shown: this.#position,
        position,
      });
      for (const command of commands) {
        const stock = this.#stocks.apply(command);
        if (stock !== null) this.#unsaved.set(stock.name, stock);
      }
      this.#position = position;
    }
  }

  /** What the file lacks, once; null if nothing. */
  takeUnsaved(): Unsaved | null {
    if (this.#position === this.#savedPosition) return null;
    const stocks = [...this.#unsaved.values()];
    this.#unsaved.clear();
    this.#savedPosition = this.#position;
    return { position: this.#position, stocks };
  }
}

function decode({ position, command }: CommittedEntry): DecodedEntry {
  return { position, commands: command === null ? [] : decodeCommands(command) };
}
