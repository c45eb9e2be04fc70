// A replica's own connections to the others: what every log tells its peers by,
// and hears a leader's life on.

import type { Logger } from "pino";
import type { LogListener, LogStatus, ReplicatedLog } from "../../core/replication/log.ts";
import type { CommittedEntry, ReplicaId } from "../../core/replication/types.ts";
import { connect } from "../rpc/connect.ts";
import type { Calls, Credentials, Handlers, Identity, Link, Peer } from "../rpc/types.ts";
import { replicationContract } from "./envelope-schema.ts";

/** All replicas, the one whose links these are included, and where they listen. */
export type Replicas = readonly {
  readonly id: ReplicaId;
  readonly name: string;
  readonly host: string;
  readonly port: number;
}[];

/** Facts for logs and metrics. Nothing depends on them. */
export interface LogObserver {
  /** A leader was heard for the first time in its epoch; `behind` is how many entries we lacked. */
  following?(leader: ReplicaId, epoch: number, behind: number): void;
  /** Entries from the leader were appended here. */
  stored?(entries: readonly CommittedEntry[]): void;
  /** Entries came that were here already. */
  alreadyHeld?(entries: readonly CommittedEntry[]): void;
  /** While leading: `peer` has everything through `position` on disk. */
  replicated?(peer: ReplicaId, position: number): void;
  /** A write of `entries` entries took `ms` milliseconds, the fsync included. */
  written?(entries: number, ms: number): void;
}

/** A log as its role wires it. */
export interface ReplicaLog extends ReplicatedLog {
  /** With whether this replica has a vote. */
  status(): LogStatus & { readonly voter: boolean };
  /** Delivers what was stored, and connects to the others; only once this one's port is its own, or two processes would speak for it. */
  start(listener: LogListener, observer?: LogObserver): void;
  /** What the others' logs tell, on whichever connection; its shape has been checked. */
  readonly handlers: Handlers<typeof replicationContract>;
  /** The open connection to another replica; null while there is none. */
  peer(id: ReplicaId): Peer | null;
  close(): void;
}

export interface ReplicaLinksOptions {
  readonly id: ReplicaId;
  readonly replicas: Replicas;
  readonly identity: Identity;
  readonly credentials: Credentials;
  readonly log: Logger;
  /** A connection opened or closed. */
  readonly changed: (peer: ReplicaId, isOpen: boolean) => void;
}

export class ReplicaLinks {
  readonly #links: readonly Link[];
  readonly #peers = new Map<
    ReplicaId,
    { readonly peer: Peer; readonly calls: Calls<typeof replicationContract> }
  >();

  /** Connects, and does so again whenever a connection closes. */
  constructor({ id, replicas, identity, credentials, log, changed }: ReplicaLinksOptions) {
    this.#links = replicas
      .filter((replica) => replica.id !== id)
      .map(({ id: other, name, host, port }) =>
        connect({
          host,
          port,
          name,
          credentials,
          identity,
          contract: {},
          handlers: {},
          log,
          onOpen: (peer) => {
            this.#peers.set(other, { peer, calls: peer.calls(replicationContract) });
            changed(other, true);
          },
          onClose: () => {
            this.#peers.delete(other);
            changed(other, false);
          },
        }),
      );
  }

  /** The open connection to another replica; null while there is none. */
  peer(id: ReplicaId): Peer | null {
    return this.#peers.get(id)?.peer ?? null;
  }

  /** What may be told to another replica; undefined while no connection is open. */
  calls(id: ReplicaId): Calls<typeof replicationContract> | undefined {
    return this.#peers.get(id)?.calls;
  }

  /** Sends now what was told in this turn. */
  flush(): void {
    for (const { peer } of this.#peers.values()) peer.flush();
  }

  close(): void {
    for (const link of this.#links) link.close();
  }
}
