// Passes a front end's questions on to the leader, over real connections; the
// rules are in core/service/relaying.ts.

import { relayFailed } from "../../core/service/relaying.ts";
import { RpcError } from "../../io/rpc/error.ts";
import type { Calls, Peer } from "../../io/rpc/types.ts";
import { type AskResult, orderContract, type Question } from "../contract.ts";

/** The other replicas, as far as they can be called now. */
export type PeerOf = (replica: number) => Peer | null;

export class Relay {
  readonly #peerOf: PeerOf;
  /** Calls are made once for each connection. */
  #made: { readonly peer: Peer; readonly calls: Calls<typeof orderContract> } | null = null;

  constructor(peerOf: PeerOf) {
    this.#peerOf = peerOf;
  }

  /** What the leader answers; `not-leader` when it can't be reached, or leads no more. Never rejects. */
  async ask(leader: number, questions: readonly Question[]): Promise<AskResult> {
    const peer = this.#peerOf(leader);
    if (peer === null) return { kind: "not-leader", leader };
    if (this.#made?.peer !== peer) this.#made = { peer, calls: peer.calls(orderContract) };
    try {
      return await this.#made.calls.ask({ relayed: true, questions: [...questions] });
    } catch (error) {
      return relayFailed(error instanceof RpcError ? error.failure : "failed", questions.length);
    }
  }
}
