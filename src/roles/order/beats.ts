// Tells every connected front end how this replica stands: with each beat, at
// each change, and as soon as the front end connects.

import type { Calls, Peer } from "../../io/rpc/types.ts";
import { frontendContract, type Health } from "../contract.ts";

export class Beats {
  readonly #health: () => Health;
  readonly #frontends = new Map<Peer, Calls<typeof frontendContract>>();

  constructor(health: () => Health) {
    this.#health = health;
  }

  /** A connection opened; only front ends are told anything. */
  join(peer: Peer): void {
    if (peer.identity.role !== "frontend") return;
    const frontend = peer.calls(frontendContract);
    this.#frontends.set(peer, frontend);
    frontend.beat(this.#health());
  }

  leave(peer: Peer): void {
    this.#frontends.delete(peer);
  }

  /** Every beat and at each change. */
  send(): void {
    if (this.#frontends.size === 0) return;
    const health = this.#health();
    for (const frontend of this.#frontends.values()) frontend.beat(health);
  }
}
