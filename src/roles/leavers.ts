// Whom a replica or a catalog waits for when it is told to stop.
//
// Often all processes are told at once: a machine goes down, or systemd stops a
// group. Then the front ends have requests in hand that can only be answered
// while everybody else still serves. A front end says that it leaves as soon as it
// is told to stop; whoever is told as well goes on until it has left. A front end
// that stays isn't waited for: it finds another replica, or catalog.

import { setTimeout as pause } from "node:timers/promises";
import type { Peer } from "../io/rpc/types.ts";

/**
 * Processes that are told to stop within this time are told together, milliseconds. It is all that
 * the end of a single replica takes longer for it, and it serves meanwhile.
 */
export const STOP_TOGETHER_MS = 500;
/** A front end is gone this long after it has drained, requests that nobody answers included, milliseconds. */
export const FRONTEND_CLOSE_MAX_MS = 3_000;
/** Between two looks who is still there, milliseconds. */
const LOOK_INTERVAL_MS = 20;

export class Leavers {
  readonly #leaving = new WeakSet<Peer>();

  /** A front end said that it stops. */
  leaves(peer: Peer): void {
    this.#leaving.add(peer);
  }

  /** Settles once no front end among `peers` is there any more that leaves, after `limitMs` at most. */
  async gone(peers: ReadonlySet<Peer>, limitMs: number): Promise<void> {
    const startMs = performance.now();
    for (;;) {
      const frontends = [...peers].filter(({ identity }) => identity.role === "frontend");
      if (frontends.length === 0) return;
      const passedMs = performance.now() - startMs;
      const isWaitedFor = frontends.some((peer) => this.#leaving.has(peer));
      if (passedMs >= (isWaitedFor ? limitMs : STOP_TOGETHER_MS)) return;
      await pause(LOOK_INTERVAL_MS);
    }
  }
}
