// The catalog's connections to the order replicas, and which of them leads.
//
// It follows all of them, so that whoever leads next streams to it at once. Who
// leads it learns from the committed entries and from the answers to its
// questions; a wrong guess costs a hop, nothing else.

import type { Calls, Peer } from "../../io/rpc/types.ts";
import { orderContract } from "../contract.ts";

/** One replica, as far as it can be called now. */
export interface ReplicaCalls {
  readonly id: number;
  readonly calls: Calls<typeof orderContract>;
}

export class Replicas {
  readonly #open = new Map<number, { readonly peer: Peer; readonly replica: ReplicaCalls }>();
  /** The best guess; null when there is none. */
  #leader: number | null = null;

  get leader(): number | null {
    return this.#leader;
  }

  /** A connection to a replica is open. */
  opened(id: number, peer: Peer, timeoutMs: number): ReplicaCalls {
    const replica = { id, calls: peer.calls(orderContract, { timeoutMs }) };
    this.#open.set(id, { peer, replica });
    return replica;
  }

  closed(id: number, peer: Peer): void {
    if (this.#open.get(id)?.peer === peer) this.#open.delete(id);
    if (this.#leader === id) this.#leader = null;
  }

  /** Somebody who must know says that this replica leads; null: that nobody does. */
  heardOfLeader(id: number | null): void {
    this.#leader = id;
  }

  /** This replica, if it can be called now. */
  of(id: number): ReplicaCalls | null {
    return this.#open.get(id)?.replica ?? null;
  }

  /** All that can be called now. */
  open(): readonly ReplicaCalls[] {
    return [...this.#open.values()].map(({ replica }) => replica);
  }

  /** Whom to ask: the leader if it can be reached, else others in turn, highest id first; null when none can be. */
  toAsk(attempt: number): ReplicaCalls | null {
    const leader = this.#leader === null ? undefined : this.#open.get(this.#leader);
    if (leader !== undefined) return leader.replica;
    const ids = [...this.#open.keys()].sort((a, b) => b - a);
    const id = ids[attempt % ids.length];
    return id === undefined ? null : (this.#open.get(id)?.replica ?? null);
  }
}
