// Asks the catalog that is asked for stocks for the lease, too: often enough
// that a lost question ends none, and at once when another catalog is asked.

import type { Logger } from "pino";
import type { Grant } from "../../core/coherence/lease-holder.ts";
import { LEASE_ASK_MS } from "../../core/coherence/limits.ts";
import { errorText } from "../../io/rpc/error.ts";
import type { CatalogLinks } from "./catalog-links.ts";
import type { StockCache } from "./stock-cache.ts";

export interface LeasesOptions {
  readonly catalogs: Pick<CatalogLinks, "asked" | "showed">;
  readonly stocks: Pick<StockCache, "askLease"> & {
    granted(catalog: string, grant: Grant): unknown;
  };
  readonly log: Logger;
}

export class Leases {
  readonly #options: LeasesOptions;
  readonly #timer: NodeJS.Timeout;

  constructor(options: LeasesOptions) {
    this.#options = options;
    // Behind the poll phase: after a pause, what arrived meanwhile is read first.
    this.#timer = setInterval(() => setImmediate(() => void this.ask()), LEASE_ASK_MS);
  }

  /** Asks once. Never rejects: without an answer the lease ends by itself. */
  async ask(): Promise<void> {
    const { catalogs, stocks, log } = this.#options;
    const { asked } = catalogs;
    if (!asked) return;
    const { name } = asked.peer.identity;
    try {
      const { grant } = await asked.calls.lease(stocks.askLease(name));
      if (grant !== null && asked.peer.isOpen) stocks.granted(name, grant);
      catalogs.showed(asked, grant !== null);
    } catch (error) {
      log.debug({ catalog: name, why: errorText(error) }, "No lease");
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
