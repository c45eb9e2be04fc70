// Connections made for a question or two, to processes of the bazaar over their
// internal ports: of a command, or of a replica that starts and looks for a leader.

import { pino } from "pino";
import type { ReplicaId } from "../core/replication/types.ts";
import { connect } from "../io/rpc/connect.ts";
import type { Credentials, Identity, Link, Peer } from "../io/rpc/types.ts";
import type { Address } from "./config.ts";

/** Who a command is. `members`: the configured replicas, which whoever is reached must be configured with, too. */
export function commandIdentity(members: readonly ReplicaId[]): Identity {
  return { role: "cli", name: "cli", cluster: { name: null, members } };
}

/** A process by its name, ROLE, and where it listens. */
export interface NamedAddress extends Address {
  readonly name: string;
}

/** An attempt to reach a process. */
export type Reached =
  | { readonly kind: "reached"; readonly peer: Peer }
  /** `why` is one line; `isFinal` when trying again won't help: it isn't ours, has another secret or other replicas. */
  | { readonly kind: "unreachable"; readonly why: string; readonly isFinal: boolean };

/** Opens connections, each once, and closes them together. */
export class Peers {
  readonly #credentials: Credentials;
  readonly #identity: Identity;
  readonly #links = new Map<string, Link>();
  /** What goes wrong is told to the caller; a log besides would be a second voice. */
  readonly #log = pino({ level: "silent" });

  constructor(credentials: Credentials, identity: Identity) {
    this.#credentials = credentials;
    this.#identity = identity;
  }

  /** Connects, or gives up at the first failure, at most after `limitMs`. An open connection is used again. */
  async reach(address: NamedAddress, limitMs: number): Promise<Reached> {
    const key = `${address.host}:${address.port}`;
    const open = this.#links.get(key)?.peer;
    if (open) return { kind: "reached", peer: open };
    this.#links.get(key)?.close();
    let timer: NodeJS.Timeout | undefined;
    const reached = await new Promise<Reached>((resolve) => {
      const late = `${key} doesn't answer within ${limitMs} ms`;
      timer = setTimeout(
        () => resolve({ kind: "unreachable", why: late, isFinal: false }),
        limitMs,
      );
      const link = connect({
        host: address.host,
        port: address.port,
        name: address.name,
        credentials: this.#credentials,
        identity: this.#identity,
        contract: {},
        handlers: {},
        log: this.#log,
        onOpen: (peer) => resolve({ kind: "reached", peer }),
        onUnreachable: ({ kind, message }) =>
          resolve({ kind: "unreachable", why: message, isFinal: kind !== "unreachable" }),
      });
      this.#links.set(key, link);
    });
    clearTimeout(timer);
    if (reached.kind === "unreachable") {
      this.#links.get(key)?.close();
      this.#links.delete(key);
    }
    return reached;
  }

  close(): void {
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }
}
