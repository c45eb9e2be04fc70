// The catalog's side of following the journal: every replica is told, again and
// again, what this catalog has received, so that whoever leads next knows at
// once where it stands. Whoever leads now is asked for a lease by the same call,
// if anybody reads this catalog.

import type { Logger } from "pino";
import type { CatalogView } from "../../core/coherence/catalog-view.ts";
import type { Demand } from "../../core/coherence/demand.ts";
import type { Grant } from "../../core/coherence/lease-holder.ts";
import { LEASE_WAIT_MS } from "../../core/coherence/limits.ts";
import { errorText } from "../../io/rpc/error.ts";
import type { Peer } from "../../io/rpc/types.ts";
import { within } from "../../io/within.ts";
import type { CatalogService } from "./catalog-service.ts";
import { LEADER_HEARD_MS, REPLICA_CALL_MS } from "./limits.ts";
import type { ReplicaCalls, Replicas } from "./replicas.ts";

export interface FollowingOptions {
  readonly replicas: Replicas;
  readonly view: CatalogView;
  readonly demand: Demand;
  readonly service: Pick<CatalogService, "follows"> & { granted(grant: Grant): unknown };
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  readonly log: Logger;
}

export class Following {
  readonly #options: FollowingOptions;
  /** Set while the first readers wait for a lease. */
  #waking: Promise<void> | null = null;
  /** When a replica last said that it leads. */
  #ledAtMs = Number.NEGATIVE_INFINITY;
  /** Called when a lease counts. */
  #leased: () => void = () => {};

  constructor(options: FollowingOptions) {
    this.#options = options;
  }

  /** Whether there is a leader, whether or not it grants a lease: a catalog that nobody reads has none. */
  get isLed(): boolean {
    return this.#options.nowMs() - this.#ledAtMs < LEADER_HEARD_MS;
  }

  opened(id: number, peer: Peer): void {
    const replica = this.#options.replicas.opened(id, peer, REPLICA_CALL_MS);
    void this.#follow(replica, this.#ask());
  }

  closed(id: number, peer: Peer): void {
    this.#options.replicas.closed(id, peer);
  }

  /** Every LEASE_ASK_MS, and at once when the leader changes. */
  askAll(): void {
    const ask = this.#ask();
    for (const replica of this.#options.replicas.open()) void this.#follow(replica, ask);
  }

  /**
   * The view is about to be read, which makes it worth a lease. A promise if there is none yet
   * because nobody read for long: settles once there is one, or after LEASE_WAIT_MS.
   */
  wanted(): Promise<void> | null {
    const { view, demand, nowMs } = this.#options;
    const begins = demand.read(nowMs());
    if (view.isLeased(nowMs())) return null;
    if (begins) this.#waking ??= this.#wake();
    return this.#waking;
  }

  async #wake(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#leased = resolve;
    this.askAll();
    await within(promise, LEASE_WAIT_MS);
    this.#waking = null;
  }

  #ask(): number | null {
    const { view, demand, nowMs } = this.#options;
    return demand.isThere(nowMs()) ? view.askLease(nowMs()) : null;
  }

  /** Never rejects. */
  async #follow({ id, calls }: ReplicaCalls, ask: number | null): Promise<void> {
    const { view, service, nowMs, log } = this.#options;
    if (!view.mayFollow(nowMs())) return;
    try {
      const { received, epoch } = view;
      const answer = await calls.follow({ received, epoch, ask });
      if (!answer.leads || !service.follows(id, answer.epoch)) return;
      this.#ledAtMs = nowMs();
      if (answer.grant === null) return;
      service.granted(answer.grant);
      if (view.isLeased(nowMs())) this.#leased();
    } catch (error) {
      log.debug({ replica: id, why: errorText(error) }, "A replica doesn't answer");
    }
  }
}
