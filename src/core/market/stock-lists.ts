// All stocks in pieces, for whoever answers questions about all of them.
//
// A list of 100,000 stocks is megabytes, and would keep its sender from
// everything else. So it is read in pieces, of which each is a little work:
//
//   S1. All pieces of a list are true at one position, which the first of them
//       names: the list is kept as it was then.
//   S2. A list that isn't kept any more is begun anew, never gone on with from
//       another.
//   S3. A reader that has a list is spared another only if no stock has changed
//       since.
//
// A page is a piece by itself: nothing is kept for it. Stocks can be searched by
// a part of their names page by page, too: each looks at some of the names only,
// so that a search among many that finds nothing is no more work than a piece.

import type { StockBook } from "./stock-book.ts";
import type { Stock } from "./types.ts";

/** Lists kept for who reads them on: one for each front end, and some that were begun in vain. */
export const LISTS_KEPT_MAX = 32;

/** Letters of the names in one piece, about: keeps it far below what a connection takes. */
export const PIECE_LETTERS_MAX = 1_048_576;

/** Names that one page of a search looks at: as many as a piece of a list has stocks. */
export const NAMES_SEARCHED_MAX = 4_000;

/** Which stocks are wanted. */
export interface StocksQuestion {
  /** Those with a greater name than this; "" for the first. */
  readonly after: string;
  /** How many at most; of stocks with very long names there may be fewer. */
  readonly limit: number;
  /** Of which list: null begins one, a position goes on with the one that is true there. Without it this is a page. */
  readonly list?: number | null | undefined;
  /** Who begins a list has the one that is true at this position. */
  readonly known?: number | undefined;
  /** Only stocks whose names have these letters in them, capital or small; of a page only. */
  readonly containing?: string | undefined;
}

export type StocksAnswer =
  | {
      readonly kind: "stocks";
      /** Ascending by name. */
      readonly stocks: Stock[];
      /** The `after` of what follows; null at the end. Of a search there may be fewer stocks than asked for, or none, and more all the same. */
      readonly next: string | null;
      /** How many stocks there are in all. */
      readonly total: number;
      /** The journal position that this is true at. */
      readonly position: number;
    }
  /** No stock has changed from the known list to this position. */
  | { readonly kind: "unchanged"; readonly position: number }
  /** The list is kept no more: begin anew. */
  | { readonly kind: "gone" };

export class StockLists {
  readonly #book: Pick<StockBook, "sorted">;
  /** By position; the first begun is the first to go. */
  readonly #kept = new Map<number, readonly Stock[]>();

  constructor(book: Pick<StockBook, "sorted">) {
    this.#book = book;
  }

  /** `position` is where the book is. */
  answer(question: StocksQuestion, position: number): StocksAnswer {
    const { list, known } = question;
    if (typeof list === "number") {
      const kept = this.#kept.get(list); // S1
      if (kept === undefined) return { kind: "gone" }; // S2
      this.#keep(list, kept); // the list that goes first is one that nobody reads
      return piece(kept, question, list);
    }
    const stocks = this.#book.sorted();
    if (list === null) {
      // The book gives the same array as long as no stock changes.
      if (known !== undefined && this.#kept.get(known) === stocks) {
        return { kind: "unchanged", position }; // S3
      }
      this.#keep(position, stocks);
    }
    return piece(stocks, question, position);
  }

  #keep(position: number, stocks: readonly Stock[]): void {
    this.#kept.delete(position);
    this.#kept.set(position, stocks);
    if (this.#kept.size <= LISTS_KEPT_MAX) return;
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined) this.#kept.delete(oldest);
  }
}

function piece(
  list: readonly Stock[],
  { after, limit, containing }: StocksQuestion,
  position: number,
): StocksAnswer {
  const from = firstAfter(list, after);
  if (containing !== undefined) return found(list, from, limit, containing.toLowerCase(), position);
  let letters = 0;
  let to = from;
  for (; to < list.length && to - from < limit; to++) {
    letters += list[to]?.name.length ?? 0;
    if (letters > PIECE_LETTERS_MAX && to > from) break;
  }
  const stocks = list.slice(from, to);
  const next = to < list.length ? (stocks.at(-1)?.name ?? null) : null;
  return { kind: "stocks", stocks, next, total: list.length, position };
}

function found(
  list: readonly Stock[],
  from: number,
  limit: number,
  wanted: string,
  position: number,
): StocksAnswer {
  const stocks: Stock[] = [];
  const end = Math.min(list.length, from + NAMES_SEARCHED_MAX);
  let letters = 0;
  let to = from;
  for (; to < end && stocks.length < limit && letters <= PIECE_LETTERS_MAX; to++) {
    const stock = list[to];
    if (stock === undefined || !stock.name.toLowerCase().includes(wanted)) continue;
    stocks.push(stock);
    letters += stock.name.length;
  }
  const next = to < list.length ? (list[to - 1]?.name ?? null) : null;
  return { kind: "stocks", stocks, next, total: list.length, position };
}

/** Index of the first stock with a greater name. */
function firstAfter(list: readonly Stock[], name: string): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle]?.name ?? "") <= name) low = middle + 1;
    else high = middle;
  }
  return low;
}
