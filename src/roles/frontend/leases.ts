// Asks the catalog that is asked for stocks for the lease, too: often enough
// that a lost question ends none, and at once when another catalog is asked; but
// only while somebody looks stocks up, since trades wait for whoever has a lease.

import type { Logger } from "pino";
import type { Demand } from "../../core/coherence/demand.ts";
import type { Grant } from "../../core/coherence/lease-holder.ts";
import { LEASE_ASK_MS, LEASE_WAIT_MS } from "../../core/coherence/limits.ts";
import { errorText } from "../../io/rpc/error.ts";
import { within } from "../../io/within.ts";
import type { CatalogLinks } from "./catalog-links.ts";
import type { StockCache } from "./stock-cache.ts";

export interface LeasesOptions {
  readonly catalogs: Pick<CatalogLinks, "asked" | "showed">;
  readonly demand: Demand;
  readonly stocks: Pick<StockCache, "askLease"> & {
    granted(catalog: string, grant: Grant): unknown;
  };
  /** Whether there is a lease that counts. */
  readonly isLeased: () => boolean;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  readonly log: Logger;
}

export class Leases {
  readonly #options: LeasesOptions;
  readonly #timer: NodeJS.Timeout;
  /** Set while the first readers wait for a lease. */
  #waking: Promise<void> | null = null;

  constructor(options: LeasesOptions) {
    this.#options = options;
    // Behind the poll phase: after a pause, what arrived meanwhile is read first.
    this.#timer = setInterval(() => setImmediate(() => void this.ask()), LEASE_ASK_MS);
  }

  /**
   * A stock without a copy is about to be looked up, which makes the cache worth a lease. A
   * promise if there is none yet because nobody looked for long: settles once there is one, or
   * after LEASE_WAIT_MS.
   */
  wanted(): Promise<void> | null {
    const { catalogs, demand, isLeased, nowMs } = this.#options;
    const begins = demand.read(nowMs());
    if (begins && catalogs.asked && !isLeased()) this.#waking ??= this.#wake();
    return this.#waking;
  }

  async #wake(): Promise<void> {
    await within(this.ask(), LEASE_WAIT_MS);
    this.#waking = null;
  }

  /** Asks once, if anybody reads. Never rejects: without an answer the lease ends by itself. */
  async ask(): Promise<void> {
    const { catalogs, demand, stocks, nowMs, log } = this.#options;
    const { asked } = catalogs;
    if (!asked || !demand.isThere(nowMs())) return;
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
