// The front end's connections to its catalogs: all of them may say what
// changed, one of them is asked: for stocks, and for the lease.
//
// Asked is the one that has been answering for longest, so that a catalog that
// comes back doesn't take over while it still catches up. One that lets a call
// time out is left aside until it answers a probe; one that stays without a lease
// of its own, cut off from the leader, goes behind the others. `lost` and `asks`
// say when a catalog goes, and when another is the one that is asked.

import type { Logger } from "pino";
import type { StocksAnswer, StocksQuestion } from "../../core/market/stock-lists.ts";
import { RpcError } from "../../io/rpc/error.ts";
import type { Calls, Peer } from "../../io/rpc/types.ts";
import { catalogContract } from "../contract.ts";
import {
  CATALOG_ANSWER_LIMIT_MS,
  CATALOG_PROBE_INTERVAL_MS,
  CATALOG_UNLEASED_LIMIT_MS,
} from "./limits.ts";
import type { RequestTraces } from "./request-traces.ts";

type CatalogCalls = Calls<typeof catalogContract>;
type Leased<T> = Exclude<T, { kind: "unleased" }>;
export type CatalogLookup = Leased<Awaited<ReturnType<CatalogCalls["lookup"]>>>;

/** What lookups need of the catalogs. */
export interface Catalogs {
  /** Whether one is connected and answers. */
  readonly usable: boolean;
  /** Names and stocks pair up. Null when no catalog can answer: ask the leader. Never rejects. */
  lookup(names: readonly string[]): Promise<CatalogLookup | null>;
  /** Stocks by name, in pieces. Null when no catalog can answer: ask the leader. Never rejects. */
  stocks(question: StocksQuestion): Promise<StocksAnswer | null>;
}

/** A catalog that is connected. */
export interface Connected {
  readonly peer: Peer;
  readonly calls: CatalogCalls;
}

export class CatalogLinks implements Catalogs {
  readonly #traces: RequestTraces;
  readonly #log: Logger;
  readonly #lost: (catalog: string) => void;
  readonly #asks: () => void;
  readonly #nowMs: () => number;
  /** Those that answer, the longest serving first. */
  #answering: readonly Connected[] = [];
  /** Since when the one that is asked has shown no lease; null while it does. */
  #unleasedSinceMs: number | null = null;
  readonly #probes = new Map<Peer, NodeJS.Timeout>();
  #ended = false;

  /**
   * `lost` is called on the turn in which a catalog closed, was left aside or
   * went behind the others, `asks` when another than before is asked from now on.
   * `nowMs`: milliseconds of a clock that never goes back.
   */
  constructor(options: {
    readonly traces: RequestTraces;
    readonly log: Logger;
    readonly lost: (catalog: string) => void;
    readonly asks: () => void;
    readonly nowMs: () => number;
  }) {
    this.#traces = options.traces;
    this.#log = options.log;
    this.#lost = options.lost;
    this.#asks = options.asks;
    this.#nowMs = options.nowMs;
  }

  /** Who is asked, for stocks and for the lease; null while nobody can be. */
  get asked(): Connected | null {
    return this.#answering[0] ?? null;
  }

  get usable(): boolean {
    return this.#answering.length > 0;
  }

  /** A connection to a catalog is open. */
  opened(peer: Peer): void {
    const calls = peer.calls(catalogContract, { timeoutMs: CATALOG_ANSWER_LIMIT_MS });
    this.#setAnswering([...this.#answering, { peer, calls }]);
    this.#log.info({ catalog: peer.identity.name }, "Catalog connected");
  }

  /** Tells every catalog that this front end stops. */
  leaving(): void {
    for (const { calls } of this.#answering) calls.leaving({});
  }

  /** That connection is gone. */
  closed(peer: Peer): void {
    if (this.#ended) return;
    this.#stopProbing(peer);
    this.#without(peer);
    this.#log.warn({ catalog: peer.identity.name }, "Catalog connection closed");
    this.#lost(peer.identity.name);
  }

  /**
   * A catalog's answer shows whether it has a lease of its own. Without one for
   * longer than a healthy one can be, it makes room for another.
   */
  showed(catalog: Connected, isLeased: boolean): void {
    if (catalog !== this.asked) return;
    if (isLeased) {
      this.#unleasedSinceMs = null;
      return;
    }
    const nowMs = this.#nowMs();
    this.#unleasedSinceMs ??= nowMs;
    const [, next] = this.#answering;
    if (!next || nowMs - this.#unleasedSinceMs < CATALOG_UNLEASED_LIMIT_MS) return;
    const { name } = catalog.peer.identity;
    this.#log.info(
      { catalog: name, next: next.peer.identity.name },
      "Catalog has no lease; another is asked",
    );
    this.#setAnswering([...this.#answering.slice(1), catalog]);
    this.#lost(name);
  }

  /** Ends the probes; the connections are their opener's. */
  close(): void {
    this.#ended = true;
    for (const peer of [...this.#probes.keys()]) this.#stopProbing(peer);
    this.#answering = [];
  }

  lookup(names: readonly string[]): Promise<CatalogLookup | null> {
    const traces = this.#traces.of(names.map((name) => ({ kind: "lookup", name })));
    return this.#ask((calls) => calls.lookup({ names: [...names], ...traces }));
  }

  stocks(question: StocksQuestion): Promise<StocksAnswer | null> {
    const traces = this.#traces.of([{ kind: "stocks", ...question }]);
    return this.#ask((calls) => calls.stocks({ ...question, ...traces }));
  }

  async #ask<T extends { kind: string }>(
    call: (calls: CatalogCalls) => Promise<T>,
  ): Promise<Leased<T> | null> {
    const { asked } = this;
    if (!asked) return null;
    try {
      const answer = call(asked.calls);
      asked.peer.flush(); // the batch is complete: it needn't wait for this turn's end
      const answered = await answer;
      const leased = isLeased(answered);
      this.showed(asked, leased);
      return leased ? answered : null;
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
    this.#lost(late.peer.identity.name);
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
    this.#setAnswering([...this.#answering, late]);
    this.#log.info({ catalog: late.peer.identity.name }, "Catalog answers again");
  }

  #stopProbing(peer: Peer): void {
    clearTimeout(this.#probes.get(peer));
    this.#probes.delete(peer);
  }

  #without(peer: Peer): void {
    this.#setAnswering(this.#answering.filter((connected) => connected.peer !== peer));
  }

  #setAnswering(answering: readonly Connected[]): void {
    const before = this.asked;
    this.#answering = answering;
    if (this.asked === before) return;
    this.#unleasedSinceMs = null;
    if (this.asked) this.#asks();
  }
}

function isLeased<T extends { kind: string }>(answer: T): answer is Leased<T> {
  return answer.kind !== "unleased";
}
