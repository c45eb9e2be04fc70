// Where a front end keeps its copies of stocks: one interface, in memory or in
// Redis. A store knows nothing of when a copy is fresh (core/coherence does);
// it promises only that what was dropped or cleared doesn't come back:
//
//   K1. After drop(names) or clear(), a get() that is called later finds no
//       copy that was put before; after clear(), one under way doesn't either.
//   K2. Nothing here rejects or throws, and nothing takes longer than the
//       store's own short limit: a store that fails is a store without copies.

/** How long a copy is kept at most, milliseconds. */
export const COPY_TTL_MS = 600_000;

/** One stock as it was answered. */
export interface StockCopy {
  /** The body of the answer, ready to be sent. */
  readonly body: string;
  /** The journal position that it is true at. */
  readonly position: number;
}

/** What a store did since it was made. Null where the store can't tell. */
export interface CopyStats {
  readonly size: number | null;
  /** Copies that had to go for others. */
  readonly evictions: number | null;
  /** Copies that were dropped by name. */
  readonly invalidations: number;
}

/** Why a copy went. */
export type CopyRemoved = "evicted" | "invalidated" | "expired";

export interface StockCopies {
  readonly kind: "memory" | "redis" | "none";
  /** A promise only where the copy is on another machine: a copy in memory costs no turn of the event loop. */
  get(name: string): StockCopy | undefined | Promise<StockCopy | undefined>;
  put(name: string, copy: StockCopy): void;
  drop(names: readonly string[]): void;
  /** Drops everything, in constant time. */
  clear(): void;
  stats(): CopyStats;
  /** At most so many of its names, the most recently used first; missing where the store can't tell. */
  names?(max: number): readonly string[];
  close(): void;
}

/** The store of a front end that is told to keep no copies. */
export function noCopies(): StockCopies {
  return {
    kind: "none",
    get: () => undefined,
    put() {},
    drop() {},
    clear() {},
    stats: () => ({ size: 0, evictions: 0, invalidations: 0 }),
    close() {},
  };
}
