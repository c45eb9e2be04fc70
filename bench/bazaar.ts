// The bazaar under test, as a user runs it: `bazaar up`, or its roles one by one.
//
// One set of ports for the whole benchmark: a replica's id is its port, so a data
// directory prepared once, a long history say, only fits the ports it was made for.

import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { freePorts } from "../lab/ports.ts";
import { Running, run, TemporaryFolder } from "../lab/process.ts";
import { until } from "../lab/wait.ts";
import { Peers } from "../src/cli/peers.ts";
import { readSecret } from "../src/io/rpc/secret.ts";
import { catalogContract, orderContract, type RoleStatus } from "../src/roles/contract.ts";
import { answers } from "./http.ts";
import { PREPARE_LIMIT_MS, START_LIMIT_MS } from "./limits.ts";
import { stocksCsv } from "./requests.ts";

const MAIN = resolve(import.meta.dirname, "../bin/bazaar.js");
const FILL = join(import.meta.dirname, "fill.ts");
/** For one question to a replica. */
const STATUS_LIMIT_MS = 1_000;
const KIB_PER_MIB = 1_024;

/** Ports, and a folder for data directories. Made once. */
export class Ground {
  readonly #folder = new TemporaryFolder("bench-data");
  readonly frontend: number;
  readonly catalog: number;
  /** Ascending: the last is chosen as leader when all are there. */
  readonly replicas: readonly number[];

  private constructor([frontend = 0, catalog = 0, ...replicas]: readonly number[]) {
    this.frontend = frontend;
    this.catalog = catalog;
    this.replicas = replicas;
  }

  get folder(): string {
    return this.#folder.path;
  }

  static async make(): Promise<Ground> {
    return new Ground(await freePorts(5));
  }

  /** A new cluster's data directory with so many stocks. */
  async format(name: string, stocks: number): Promise<string> {
    const data = join(this.folder, name);
    rmSync(data, { recursive: true, force: true });
    const csv = join(this.folder, "stocks.csv");
    writeFileSync(csv, stocksCsv(stocks));
    const options = [...this.options(data), `--stocks=${csv}`];
    await run(process.execPath, [MAIN, "format", ...options], PREPARE_LIMIT_MS);
    return data;
  }

  /** Writes a history of so many orders into every replica's file; see fill.ts. */
  async fill(data: string, orders: number): Promise<void> {
    const firstMs = Date.now();
    const leader = this.replicas.at(-1);
    const fills = this.replicas.map((replica) => {
      const file = join(data, `order-${replica}`, "order.db");
      const args = [FILL, file, replica, leader, orders, firstMs].map(String);
      return run(process.execPath, args, PREPARE_LIMIT_MS);
    });
    await Promise.all(fills);
  }

  /** A copy of a data directory, to be changed. */
  copy(data: string, name: string): string {
    const to = join(this.folder, name);
    rmSync(to, { recursive: true, force: true });
    cpSync(data, to, { recursive: true, preserveTimestamps: true });
    return to;
  }

  options(data: string): string[] {
    return [
      `--data=${data}`,
      `--port=${this.frontend}`,
      `--catalog-port=${this.catalog}`,
      `--replicas=${this.replicas.join(",")}`,
    ];
  }

  remove(): void {
    this.#folder[Symbol.dispose]();
  }
}

/** One running bazaar. */
export class Bazaar {
  readonly ground: Ground;
  readonly data: string;
  readonly #options: readonly string[];
  readonly #children: Running[] = [];
  readonly #peers: Peers;

  constructor(ground: Ground, data: string, ...options: readonly string[]) {
    this.ground = ground;
    this.data = data;
    this.#options = [...ground.options(data), ...options];
    this.#peers = new Peers(readSecret(data), ground.replicas);
  }

  get port(): number {
    return this.ground.frontend;
  }

  /** Starts a command and leaves it running: `start("order", "9090")`. */
  start(...command: readonly string[]): Running {
    const child = new Running(process.execPath, [MAIN, ...command, ...this.#options]);
    this.#children.push(child);
    return child;
  }

  /** `bazaar up --no-restart`, until a trade could be answered. A role that crashes stays down, to be seen. */
  async up(): Promise<void> {
    await this.open(this.start("up", "--no-restart"));
  }

  /** Waits until a trade could be answered. */
  open(needed: Running): Promise<void> {
    return needed.ready("open", () => answers(this.port, "/readyz"), START_LIMIT_MS);
  }

  /** What a replica says of itself; null while it doesn't answer. */
  async status(replica: number): Promise<RoleStatus | null> {
    const address = { host: "127.0.0.1", port: replica };
    const reached = await this.#peers.reach(address, STATUS_LIMIT_MS);
    if (reached.kind === "unreachable") return null;
    try {
      return await reached.peer.calls(orderContract, { timeoutMs: STATUS_LIMIT_MS }).status({});
    } catch {
      return null;
    }
  }

  /** The replica that leads, with what it says; waits until one does. */
  leader(): Promise<RoleStatus & { readonly id: number }> {
    return until(
      "a leader",
      async () => {
        for (const id of this.ground.replicas) {
          const status = await this.status(id);
          if (status?.leads) return { id, ...status };
        }
        return null;
      },
      START_LIMIT_MS,
    );
  }

  /** Waits until the catalog has applied all that is committed. */
  async catalogLevel(limitMs: number): Promise<void> {
    const address = { host: "127.0.0.1", port: this.ground.catalog };
    await until(
      "the catalog level",
      async () => {
        const { commit = 0 } = await this.leader();
        const reached = await this.#peers.reach(address, STATUS_LIMIT_MS);
        if (reached.kind === "unreachable") return false;
        const { applied = 0 } = await reached.peer
          .calls(catalogContract, { timeoutMs: STATUS_LIMIT_MS })
          .status({});
        return applied >= commit;
      },
      limitMs,
    );
  }

  /** The process of a role, from its pid file. */
  pid(role: string): number {
    return Number(readFileSync(join(this.data, "run", `${role}.pid`), "utf8"));
  }

  /** Resident memory of a role, MiB. */
  memoryMiB(role: string): number {
    const status = readFileSync(`/proc/${this.pid(role)}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / KIB_PER_MIB;
  }

  /** Every role that should run does. Throws with the end of its log for one that crashed. */
  expectAllUp(): void {
    const replicas = this.ground.replicas.map((id) => `order-${id}`);
    for (const role of ["frontend", "catalog", ...replicas]) {
      try {
        process.kill(this.pid(role), 0);
      } catch (error) {
        throw new Error(`${role} is down: ${this.logTail(role)}`, { cause: error });
      }
    }
  }

  logTail(role: string): string {
    const log = readFileSync(join(this.data, "logs", `${role}.log`), "utf8");
    return log.trimEnd().split("\n").slice(-3).join("\n");
  }

  /** Stops everything; the data directory stays. */
  async stop(): Promise<void> {
    this.#peers.close();
    await Promise.all(this.#children.map((child) => child.stop()));
  }
}
