// Calls to a catalog or a replica over its internal port, as another process of
// the cluster makes them: with the cluster's secret.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import type { Cluster } from "../../../lab/cluster.ts";
import { until } from "../../../lab/wait.ts";
import { connect } from "../../../src/io/rpc/connect.ts";
import type { Calls, Contract, Link, Peer } from "../../../src/io/rpc/types.ts";
import { catalogContract, orderContract } from "../../../src/roles/contract.ts";

/** Connections that are closed by whoever made them: `using` does. */
export class RpcClient<C extends Contract> implements Disposable {
  readonly #link: Link;
  readonly #contract: C;

  private constructor(port: number, cluster: Cluster, contract: C) {
    this.#contract = contract;
    this.#link = connect({
      host: "127.0.0.1",
      port,
      secret: secretOf(cluster),
      identity: { role: "cli", name: "test", cluster: { name: null, members: cluster.replicas } },
      contract: {},
      handlers: {},
      log: pino({ level: "silent" }),
    });
  }

  static toCatalog(cluster: Cluster): RpcClient<typeof catalogContract> {
    const [port = 0] = cluster.catalogPorts;
    return new RpcClient(port, cluster, catalogContract);
  }

  static toReplica(cluster: Cluster, id: number): RpcClient<typeof orderContract> {
    return new RpcClient(id, cluster, orderContract);
  }

  /** Waits for the connection. */
  async calls(): Promise<Calls<C>> {
    const peer: Peer = await until("a connection", () => this.#link.peer);
    return peer.calls(this.#contract);
  }

  [Symbol.dispose](): void {
    this.#link.close();
  }
}

/** The secret that internal ports demand, made by the format step. */
export function secretOf(cluster: Cluster): string {
  return readFileSync(secretFile(cluster), "utf8").trim();
}

export function secretFile(cluster: Cluster): string {
  return join(cluster.data, "secret");
}
