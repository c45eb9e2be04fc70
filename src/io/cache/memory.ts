// Copies in this process: the least recently used goes first when there are
// too many, each goes after ten minutes.

import { LRUCache } from "lru-cache";
import {
  COPY_TTL_MS,
  type CopyRemoved,
  type CopyStats,
  type StockCopies,
  type StockCopy,
} from "./types.ts";

export interface MemoryCopiesOptions {
  /** How many copies are kept at most; at least 1. */
  readonly entriesMax: number;
  /** How long each is kept, milliseconds; 600,000 unless told. */
  readonly ttlMs?: number;
  /** A clock that never goes back, milliseconds; the process's unless told. */
  readonly now?: () => number;
  /** Told of each copy that goes while the others stay. */
  readonly onRemoved?: (name: string, why: CopyRemoved) => void;
}

/** Makes an empty store. Throws when `entriesMax` is no positive whole number. */
export function memoryCopies(options: MemoryCopiesOptions): StockCopies {
  return new MemoryCopies(options);
}

/** By lru-cache's word for it; a copy that is replaced didn't go. */
const REMOVED: Readonly<Record<string, CopyRemoved>> = {
  evict: "evicted",
  delete: "invalidated",
  expire: "expired",
};

class MemoryCopies implements StockCopies {
  readonly kind = "memory";
  readonly #copies: LRUCache<string, StockCopy>;
  #evictions = 0;
  #invalidations = 0;
  #isClearing = false;

  constructor(options: MemoryCopiesOptions) {
    this.#copies = new LRUCache<string, StockCopy>({
      max: options.entriesMax,
      ttl: options.ttlMs ?? COPY_TTL_MS,
      dispose: (_copy, name, reason) => {
        if (reason === "evict") this.#evictions++;
        const why = REMOVED[reason];
        if (why && !this.#isClearing) options.onRemoved?.(name, why);
      },
      ...(options.now && { perf: { now: options.now }, ttlResolution: 0 }),
    });
  }

  get(name: string): StockCopy | undefined {
    return this.#copies.get(name);
  }

  put(name: string, copy: StockCopy): void {
    this.#copies.set(name, copy);
  }

  drop(names: readonly string[]): void {
    for (const name of names) if (this.#copies.delete(name)) this.#invalidations++;
  }

  clear(): void {
    this.#isClearing = true;
    this.#copies.clear();
    this.#isClearing = false;
  }

  names(max: number): readonly string[] {
    return this.#copies.keys().take(max).toArray();
  }

  stats(): CopyStats {
    return {
      size: this.#copies.size,
      evictions: this.#evictions,
      invalidations: this.#invalidations,
    };
  }

  close(): void {
    this.#copies.clear();
  }
}
