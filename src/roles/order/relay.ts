// Passes a front end's questions on to the leader, one hop.
//
// A front end that alone can't reach the leader needs no election then: it asks
// any replica it reaches. What was relayed isn't relayed again, so that two
// replicas with different ideas of who leads can't send a question in circles.

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
      if (error instanceof RpcError && error.failure === "busy") {
        return { kind: "answers", answers: questions.map(() => ({ kind: "busy" })) };
      }
      return { kind: "unknown" };
    }
  }
}
