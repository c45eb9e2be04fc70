// The cache as those who watch see it: how much, what is in it, what just went.

import type { CachePart, GoneCopy } from "../../../client/event-messages.ts";
import type { CopyRemoved, StockCopies } from "../../../io/cache/types.ts";
import type { Stocks } from "../stocks/stocks.ts";
import { CACHE_GONE_MAX, CACHE_NAMES_MAX } from "./events-limits.ts";

type WatchedCopies = Pick<StockCopies, "kind" | "names">;
type WatchedLookups = Pick<Stocks<never>, "stats">;

export class WatchedCache {
  readonly #copies: WatchedCopies;
  readonly #stocks: WatchedLookups;
  readonly #sizeMax: number | null;
  #gone: GoneCopy[] = [];

  /** `sizeMax`: how many copies it holds at most; null where that isn't known. */
  constructor(copies: WatchedCopies, stocks: WatchedLookups, sizeMax: number | null) {
    this.#copies = copies;
    this.#stocks = stocks;
    this.#sizeMax = sizeMax;
  }

  look(): CachePart {
    const { size, hits, misses, evictions, invalidations } = this.#stocks.stats();
    return {
      kind: this.#copies.kind,
      size,
      sizeMax: this.#sizeMax,
      hits,
      misses,
      evictions,
      invalidations,
      names: this.#copies.names?.(CACHE_NAMES_MAX) ?? null,
      gone: this.#gone,
    };
  }

  /** Lookups since the start, answered by a copy or not. */
  get lookups(): number {
    const { hits, misses } = this.#stocks.stats();
    return hits + misses;
  }

  /** A copy went. */
  removed(name: string, why: CopyRemoved, at: number): void {
    this.#gone = [{ name, why, at }, ...this.#gone.slice(0, CACHE_GONE_MAX - 1)];
  }
}
