// The front end's connections to its catalogs: all of them may push
// invalidations, one of them is asked.
//
// Asked is the one that has been answering for longest, so that a catalog that
// comes back doesn't take over while it still catches up. One that lets a call
// time out is left aside until it answers a probe. Whenever a catalog goes,
// either way, what it would have pushed may be missing: `lost` says so.

import type { Logger } from "pino";
import { RpcError } from "../../io/rpc/error.ts";
import type { Calls, Peer } from "../../io/rpc/types.ts";
import { catalogContract } from "../contract.ts";
import { CATALOG_ANSWER_LIMIT_MS, CATALOG_PROBE_INTERVAL_MS } from "./limits.ts";

type CatalogCalls = Calls<typeof catalogContract>;
export type CatalogLookup = Awaited<ReturnType<CatalogCalls["lookup"]>>;
export type CatalogStocks = Awaited<ReturnType<CatalogCalls["stocks"]>>;

/** What lookups need of the catalogs. */
export interface Catalogs {
  /** Whether one is connected and answers. */
  readonly usable: boolean;
  /** Names and stocks pair up. Null when no catalog answers: ask the leader. Never rejects. */
  lookup(names: readonly string[]): Promise<CatalogLookup | null>;
  /** All stocks. Null when no catalog answers: ask the leader. Never rejects. */
  stocks(): Promise<CatalogStocks | null>;
}

interface Connected {
  readonly peer: Peer;
  readonly calls: CatalogCalls;
}

export class CatalogLinks implements Catalogs {
  readonly #log: Logger;
  readonly #lost: () => void;
  /** Those that answer, the longest serving first. */
  #answering: readonly Connected[] = [];
  readonly #probes = new Map<Peer, NodeJS.Timeout>();
  #ended = false;

  /** `lost` is called on the turn in which a catalog closed or was left aside. */
  constructor(options: { readonly log: Logger; readonly lost: () => void }) {
    this.#log = options.log;
    this.#lost = options.lost;
  }

  get usable(): boolean {
    return this.#answering.length > 0;
  }

  /** A connection to a catalog is open. */
  opened(peer: Peer): void {
    const calls = peer.calls(catalogContract, { timeoutMs: CATALOG_ANSWER_LIMIT_MS });
    this.#answering = [...this.#answering, { peer, calls }];
    this.#log.info({ catalog: peer.identity.name }, "Catalog connected");
  }

  /** That connection is gone. */
  closed(peer: Peer): void {
    if (this.#ended) return;
    this.#stopProbing(peer);
    this.#without(peer);
    this.#log.warn({ catalog: peer.identity.name }, "Catalog connection closed");
    this.#lost();
  }

  /** Ends the probes; the connections are their opener's. */
  close(): void {
    this.#ended = true;
    for (const peer of [...this.#probes.keys()]) this.#stopProbing(peer);
    this.#answering = [];
  }

  lookup(names: readonly string[]): Promise<CatalogLookup | null> {
    return this.#ask((calls) => calls.lookup({ names: [...names] }));
  }

  stocks(): Promise<CatalogStocks | null> {
    return this.#ask((calls) => calls.stocks({}));
  }

  async #ask<T>(call: (calls: CatalogCalls) => Promise<T>): Promise<T | null> {
    const asked = this.#answering[0];
    if (!asked) return null;
    try {
      const answer = call(asked.calls);
      asked.peer.flush(); // the batch is complete: it needn't wait for this turn's end
      return await answer;
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      if (error.failure === "timeout") this.#leaveAside(asked);
      return null;
    }
  }

  #leaveAside(late: Connected): void {
    if (!this.#answering.includes(late)) return; // closed meanwhile, or another call said so
    this.#without(late.peer);
    this.#log.warn(
      { catalog: late.peer.identity.name, limitMs: CATALOG_ANSWER_LIMIT_MS },
      "Catalog doesn't answer; left aside",
    );
    this.#lost();
    this.#probeLater(late);
  }

  #probeLater(late: Connected): void {
    const timer = setTimeout(() => void this.#probe(late), CATALOG_PROBE_INTERVAL_MS);
    this.#probes.set(late.peer, timer);
  }

  async #probe(late: Connected): Promise<void> {
    const answers = await late.calls.status({}).then(
      () => true,
      () => false,
    );
    if (!this.#probes.has(late.peer)) return; // closed meanwhile
    if (!answers) return this.#probeLater(late);
    this.#stopProbing(late.peer);
    this.#answering = [...this.#answering, late];
    this.#log.info({ catalog: late.peer.identity.name }, "Catalog answers again");
  }

  #stopProbing(peer: Peer): void {
    clearTimeout(this.#probes.get(peer));
    this.#probes.delete(peer);
  }

  #without(peer: Peer): void {
    this.#answering = this.#answering.filter((connected) => connected.peer !== peer);
  }
}
