// The catalog's side of following the journal: every replica is told, again and
// again, what this catalog has received, so that whoever leads next knows at
// once where it stands. Whoever leads now is asked for a lease by the same call.

import type { Logger } from "pino";
import type { CatalogView } from "../../core/coherence/catalog-view.ts";
import type { Grant } from "../../core/coherence/lease-holder.ts";
import { errorText } from "../../io/rpc/error.ts";
import type { Peer } from "../../io/rpc/types.ts";
import type { CatalogService } from "./catalog-service.ts";
import { REPLICA_CALL_MS } from "./limits.ts";
import type { ReplicaCalls, Replicas } from "./replicas.ts";

export interface FollowingOptions {
  readonly replicas: Replicas;
  readonly view: CatalogView;
  readonly service: Pick<CatalogService, "follows"> & { granted(grant: Grant): unknown };
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  readonly log: Logger;
}

export class Following {
  readonly #options: FollowingOptions;

  constructor(options: FollowingOptions) {
    this.#options = options;
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

  #ask(): number {
    const { view, nowMs } = this.#options;
    return view.askLease(nowMs());
  }

  /** Never rejects. */
  async #follow({ id, calls }: ReplicaCalls, ask: number): Promise<void> {
    const { view, service, nowMs, log } = this.#options;
    if (!view.mayFollow(nowMs())) return;
    try {
      const { received, epoch } = view;
      const answer = await calls.follow({ received, epoch, ask });
      if (!answer.leads || !service.follows(id, answer.epoch)) return;
      if (answer.grant !== null) service.granted(answer.grant);
    } catch (error) {
      log.debug({ replica: id, why: errorText(error) }, "A replica doesn't answer");
    }
  }
}
