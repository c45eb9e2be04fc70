// The catalog's side of following the journal: one open connection to each
// replica, each of them told from where on this catalog wants committed
// entries. Only the leader sends any; a follower remembers it for the day it
// leads.

import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import { errorText } from "../../io/rpc/error.ts";
import type { Peer } from "../../io/rpc/types.ts";
import { FOLLOW_AGAIN_MS, REPLICA_CALL_MS } from "./limits.ts";
import type { ReplicaCalls, Replicas } from "./replicas.ts";

export interface FollowingOptions {
  readonly replicas: Replicas;
  /** Where the view stands. */
  readonly position: () => number;
  /** A leader has committed everything up to `commitPosition`. */
  readonly onLeader: (commitPosition: number) => void;
  readonly log: Logger;
}

export class Following {
  readonly #options: FollowingOptions;

  constructor(options: FollowingOptions) {
    this.#options = options;
  }

  /** A connection to a replica is open: follows it for as long as it is. Never rejects. */
  async opened(id: number, peer: Peer): Promise<void> {
    const replica = this.#options.replicas.opened(id, peer, REPLICA_CALL_MS);
    while (!(await this.#follow(replica)) && peer.isOpen) await pause(FOLLOW_AGAIN_MS);
  }

  closed(id: number, peer: Peer): void {
    this.#options.replicas.closed(id, peer);
  }

  async #follow({ id, calls }: ReplicaCalls): Promise<boolean> {
    const { replicas, position, onLeader, log } = this.#options;
    try {
      const { commitPosition, leads } = await calls.follow({ position: position() });
      if (leads) {
        replicas.heardOfLeader(id);
        onLeader(commitPosition);
      }
      return true;
    } catch (error) {
      log.info({ replica: id, why: errorText(error) }, "Can't follow a replica yet");
      return false;
    }
  }
}
