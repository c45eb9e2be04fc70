// How the front end's own work is seen without its knowing: the parts that the
// routes and the leases use, wrapped so that what passes is counted.

import type { ClusterPart, OrderRow } from "../../client/event-messages.ts";
import { LEASE_ASKS_MAX } from "../../core/coherence/limits.ts";
import type { TradeEnd } from "./events-rates.ts";
import type { LeasesOptions } from "./leases.ts";
import type { Orders } from "./orders.ts";

/** Told of each trade that was answered, or not in time. */
export interface TradeWatch {
  /** `order` only when it was accepted. */
  traded(end: TradeEnd, ms: number, order: OrderRow | null): void;
}

type Asking = Pick<Orders, "ask" | "leader" | "health">;

/** The same order service; a trade costs one callback more. */
export function observedOrders(orders: Asking, watch: TradeWatch): Asking {
  return {
    leader: () => orders.leader(),
    health: () => orders.health(),
    ask(question, options) {
      const asked = orders.ask(question, options);
      if (question.kind !== "request" || question.content.kind !== "trade") return asked;
      const { name, type, quantity } = question.content;
      const started = performance.now();
      const ended = (end: TradeEnd, order: OrderRow | null) =>
        watch.traded(end, performance.now() - started, order);
      asked.then(
        (result) => {
          if (result.kind !== "answer" || result.answer.kind !== "outcome") {
            ended("failed", null);
            return;
          }
          const { outcome } = result.answer;
          if (outcome.kind !== "accepted") ended("refused", null);
          else if (type === "buy" || type === "sell") {
            ended("accepted", { number: outcome.number, name, type, quantity });
          }
        },
        () => ended("failed", null),
      );
      return asked;
    },
  };
}

/** The lease of a front end, from what passes between it and its catalogs. */
export class LeaseWatch {
  readonly #stocks: LeasesOptions["stocks"];
  readonly #nowMs: () => number;
  readonly #asked = new Map<number, number>();
  #lease: { readonly catalog: string; readonly ms: number; readonly untilMs: number } | null = null;

  constructor(stocks: LeasesOptions["stocks"], nowMs: () => number) {
    this.#stocks = stocks;
    this.#nowMs = nowMs;
  }

  /** For Leases, in the place of the stocks. */
  get observed(): LeasesOptions["stocks"] {
    return {
      askLease: (catalog) => {
        const asking = this.#stocks.askLease(catalog);
        this.#asked.set(asking.ask, this.#nowMs());
        if (this.#asked.size > LEASE_ASKS_MAX) this.#asked.delete(asking.ask - LEASE_ASKS_MAX);
        return asking;
      },
      granted: (catalog, grant) => {
        const since = this.#asked.get(grant.ask);
        if (since !== undefined) {
          this.#lease = { catalog, ms: grant.ms, untilMs: since + grant.ms };
        }
        return this.#stocks.granted(catalog, grant);
      },
    };
  }

  /** The connection to this catalog is gone, and its lease with it. */
  lost(catalog: string): void {
    if (this.#lease?.catalog === catalog) this.#lease = null;
  }

  get lease(): ClusterPart["lease"] {
    if (this.#lease === null || this.#nowMs() >= this.#lease.untilMs) return null;
    const { catalog, ms } = this.#lease;
    return { catalog, ms };
  }
}
