// Copies in this process: the least recently used goes first when there are
// too many, each goes after ten minutes.

import { LRUCache } from "lru-cache";
import type { Copy } from "../../core/coherence/stored-copies.ts";
import { COPY_TTL_MS, type CopyRemoved, type CopyStats, type StockCopies } from "./types.ts";

export interface MemoryCopiesOptions {
  /** How many copies are kept at most; at least 1. */
  readonly entriesMax: number;
  /** How long each is kept, milliseconds; 600,000 unless told. */
  readonly ttlMs?: number;
  /** A clock that never goes back, milliseconds; the process's unless told. */
  readonly now?: () => number;
}

/** Makes an empty store. Throws when `entriesMax` is no positive whole number. */
export function memoryCopies<B = string>(options: MemoryCopiesOptions): StockCopies<B> {
  return new MemoryCopies(options);
}

/** By lru-cache's word for it; a copy that is replaced didn't go. */
const REMOVED: Readonly<Record<string, CopyRemoved>> = {
  evict: "evicted",
  delete: "invalidated",
  expire: "expired",
};

class MemoryCopies<B> implements StockCopies<B> {
  readonly kind = "memory";
  readonly #copies: LRUCache<string, Copy<B>>;
  #evictions = 0;
  #invalidations = 0;
  #isClearing = false;
  #removed: (name: string, why: CopyRemoved) => void = () => {};

  constructor(options: MemoryCopiesOptions) {
    this.#copies = new LRUCache<string, Copy<B>>({
      max: options.entriesMax,
      ttl: options.ttlMs ?? COPY_TTL_MS,
      dispose: (_copy, name, reason) => {
        if (reason === "evict") this.#evictions++;
        const why = REMOVED[reason];
        if (why && !this.#isClearing) this.#removed(name, why);
      },
      ...(options.now && { perf: { now: options.now }, ttlResolution: 0 }),
    });
  }

  get(name: string): Copy<B> | undefined {
    return this.#copies.get(name);
  }

  put(name: string, copy: Copy<B>): void {
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

  observe(removed: (name: string, why: CopyRemoved) => void): void {
    this.#removed = removed;
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
