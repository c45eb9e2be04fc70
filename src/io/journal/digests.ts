// Digests of facts, for telling whether two processes hold the same.

import { createHash, hash } from "node:crypto";
import { canonicalStocks } from "../../core/market/canonical.ts";
import type { Stock } from "../../core/market/types.ts";

/** Hex SHA-256 over all stocks in canonical form, whatever order they come in. */
export function stocksDigest(stocks: Iterable<Stock>): string {
  return hash("sha256", canonicalStocks(stocks));
}

/** Hex SHA-256 over canonical lines that come one by one. */
export class LinesDigest {
  readonly #hash = createHash("sha256");

  add(line: string): void {
    this.#hash.update(line);
  }

  /** The digest of the lines so far; more may follow. */
  hex(): string {
    return this.#hash.copy().digest("hex");
  }
}
