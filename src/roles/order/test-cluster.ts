// A small cluster in one process, for tests of roles together: real files, real
// sockets, and a front end of which the test plays the part.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Logger } from "pino";
import { expect, onTestFinished } from "vitest";
import { freePorts } from "../../../lab/ports.ts";
import { encodeCommands } from "../../core/market/codec.ts";
import type { Entry } from "../../core/replication/types.ts";
import { createCatalogFile } from "../../io/journal/catalog-store.ts";
import { createJournalFile } from "../../io/journal/journal.ts";
import { connect } from "../../io/rpc/connect.ts";
import type { Contract, Handlers, Peer, RoleKind } from "../../io/rpc/types.ts";
import { startCatalog } from "../catalog/main.ts";
import { type ClusterConfig, membersOf } from "../config.ts";
import { type AskResult, type Health, orderContract, type Question } from "../contract.ts";
import type { NamedAddress } from "../peers.ts";
import type { RunningRole } from "../role.ts";
import { startOrder } from "./main.ts";
import { BOAR, FISH, silent } from "./test-support.ts";

const SECRET = "only-this-test-knows-it";
const CLUSTER = "cluster-of-the-test";
const WAIT = { timeout: 8_000, interval: 10 };

export class TestCluster {
  readonly config: ClusterConfig;
  readonly #running = new Map<string, RunningRole>();

  private constructor(config: ClusterConfig) {
    this.config = config;
  }

  /** Makes the files of three replicas and a catalog; starts nothing. Everything ends with the test. */
  static async make(replicas = 3): Promise<TestCluster> {
    const data = mkdtempSync(join(tmpdir(), "bazaar-roles-"));
    const host = "127.0.0.1";
    const ports = await freePorts(replicas + 2);
    const [frontendPort = 0, catalogPort = 0, ...ids] = ports;
    const cluster = new TestCluster({
      data,
      frontends: [{ host, port: frontendPort, name: "frontend" }],
      catalogs: [{ host, port: catalogPort, name: "catalog" }],
      replicas: ids.map((id) => ({ host, port: id, id, name: `order-${id}` })),
      stocks: "",
      cache: { kind: "none" },
      corsOrigins: [],
      tls: null,
      peerCertificate: null,
      ca: null,
      insecure: false,
      allowedHosts: [],
      rateLimit: { unitsPerS: 0, loopback: false },
      trustProxy: [],
      engine: { kind: "builtin" },
      drainMs: 0,
      logLevel: "silent",
    });
    for (const { id, name } of cluster.config.replicas) {
      mkdirSync(join(data, name), { mode: 0o700 });
      createJournalFile(
        join(data, name, "order.db"),
        { cluster: CLUSTER, members: ids, replica: id, incarnation: 1 },
        { promise: { epoch: 0, nominee: 0 }, voter: true },
        firstEntries(),
      );
    }
    mkdirSync(join(data, "catalog"), { mode: 0o700 });
    createCatalogFile(join(data, "catalog", "catalog.db"), { name: CLUSTER, members: ids });
    onTestFinished(async () => {
      await cluster.stop();
      rmSync(data, { recursive: true, force: true });
    });
    return cluster;
  }

  get ids(): readonly number[] {
    return this.config.replicas.map(({ id }) => id);
  }

  async startOrder(id: number, log: Logger = silent): Promise<RunningRole> {
    const name = `order-${id}`;
    const running = await startOrder({
      config: this.config,
      name,
      credentials: { secret: SECRET, certificates: null },
      log,
    });
    this.#running.set(name, running);
    return running;
  }

  async startCatalog(log: Logger = silent): Promise<RunningRole> {
    const running = await startCatalog({
      config: this.config,
      name: "catalog",
      credentials: { secret: SECRET, certificates: null },
      log,
    });
    this.#running.set("catalog", running);
    return running;
  }

  /** Starts all and has the highest id lead. */
  async startAll(): Promise<number> {
    await Promise.all(this.ids.map((id) => this.startOrder(id)));
    await this.startCatalog();
    const leader = this.ids.at(-1) ?? 0;
    await this.elect(leader);
    return leader;
  }

  /** Nominates until it leads: what it needs may still be connecting. */
  async elect(id: number): Promise<void> {
    const { calls } = await this.order(id);
    await expect.poll(async () => (await calls.nominate({})).kind, WAIT).toBe("leading");
  }

  async stop(...names: string[]): Promise<void> {
    for (const [name, running] of this.#running) {
      if (names.length > 0 && !names.includes(name)) continue;
      this.#running.delete(name);
      await running.close();
    }
  }

  /** A connection to a replica, as a front end's. */
  async order(id: number, onBeat: (health: Health) => void = () => {}) {
    const beat = { callers: ["order"] as const, argument: orderContract.health.result };
    const peer = await this.#connect(this.#place(id), { beat }, { beat: onBeat } as never);
    const calls = peer.calls(orderContract);
    const ask = async (...questions: Question[]): Promise<AskResult> =>
      calls.ask({ relayed: false, questions });
    return { peer, calls, ask };
  }

  /** A connection to the catalog, as a front end's unless told. */
  async catalog<C extends Contract, S extends Contract>(
    contract: C,
    served: S,
    handlers: Handlers<S>,
    role: RoleKind = "frontend",
  ) {
    const [place] = this.config.catalogs;
    const peer = await this.#connect(place ?? this.#place(0), served, handlers, role);
    return { peer, calls: peer.calls(contract) };
  }

  #place(id: number): NamedAddress {
    return { name: `order-${id}`, host: "127.0.0.1", port: id };
  }

  #connect<C extends Contract>(
    place: NamedAddress,
    contract: C,
    handlers: Handlers<C>,
    role: RoleKind = "frontend",
  ): Promise<Peer> {
    return new Promise((resolve) => {
      const link = connect({
        host: "127.0.0.1",
        port: place.port,
        name: place.name,
        credentials: { secret: SECRET, certificates: null },
        identity: {
          role,
          name: role,
          cluster: { name: null, members: membersOf(this.config) },
        },
        contract,
        handlers,
        log: silent,
        onOpen: resolve,
      });
      onTestFinished(() => link.close());
    });
  }
}

function firstEntries(): Entry[] {
  return [FISH, BOAR].map((stock, index) => ({
    position: index + 1,
    epoch: 0,
    at: 0,
    body: {
      kind: "command",
      bytes: encodeCommands([{ kind: "list", requestId: `first ${stock.name}`, ...stock }]),
    },
  }));
}
