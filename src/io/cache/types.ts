// Where a front end keeps its copies of stocks: one interface, in memory or in
// Redis. A store knows nothing of when a copy is fresh (core/coherence does);
// it promises only that what was dropped or cleared doesn't come back:
//
//   - After drop(names) or clear(), no copy is found that was put before;
//     clear() takes constant time, and what is being read then doesn't count.
//   - Nothing here throws, and nothing takes longer than the
//     store's own short limit: a store that fails is a store without copies.

import type { Copies, Copy } from "../../core/coherence/stored-copies.ts";

/** How long a copy is kept at most, milliseconds. */
export const COPY_TTL_MS = 600_000;

/** A copy as front ends keep it: the body of the answer, as text. */
export type StockCopy = Copy<string>;

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

export interface StockCopies<B = string> extends Copies<B> {
  readonly kind: "memory" | "redis" | "none";
  stats(): CopyStats;
  /** From now on `removed` is told of each copy that goes while the others stay; missing where the store can't tell. */
  observe?(removed: (name: string, why: CopyRemoved) => void): void;
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
