// The bazaar under test, as a user runs it: `bazaar up`, or its roles one by one.
//
// One set of ports for the whole benchmark: a replica's id is its port, so a data
// directory prepared once, a long history say, only fits the ports it was made for.

import { cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Cluster, type ClusterOptions } from "../lab/cluster.ts";
import { readLog } from "../lab/logs.ts";
import { freePorts } from "../lab/ports.ts";
import { run, TemporaryFolder } from "../lab/process.ts";
import { PREPARE_LIMIT_MS } from "./limits.ts";
import { stockRows } from "./requests.ts";

const FILL = join(import.meta.dirname, "fill.ts");
const KIB_PER_MIB = 1_024;
const LOG_LINES_SHOWN = 3;

/** Ports, and a folder for data directories. Made once. */
export class Ground implements Disposable {
  readonly #folder = new TemporaryFolder("bench-data");
  readonly #ports: readonly number[];

  private constructor(ports: readonly number[]) {
    this.#ports = ports;
  }

  static async make(): Promise<Ground> {
    return new Ground(await freePorts(5));
  }

  get folder(): string {
    return this.#folder.path;
  }

  /** A bazaar with its files in `data`, not started. */
  bazaar(data: string, options: ClusterOptions = {}): Promise<Cluster> {
    return Cluster.prepare({ logLevel: "info", ...options, data, ports: this.#ports });
  }

  /** A new cluster's data directory with so many stocks. */
  async format(name: string, stocks: number, options: ClusterOptions = {}): Promise<string> {
    const data = join(this.folder, name);
    rmSync(data, { recursive: true, force: true });
    await (await this.bazaar(data, { ...options, stocks: stockRows(stocks) })).format();
    return data;
  }

  /** Writes a history of so many orders into every replica's file; see fill.ts. */
  async fill(data: string, orders: number): Promise<void> {
    const firstMs = Date.now();
    const { replicas } = await this.bazaar(data);
    const fills = replicas.map((replica) => {
      const file = join(data, `order-${replica}`, "order.db");
      const args = [FILL, file, replica, replicas[2], orders, firstMs].map(String);
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

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

/** Resident memory of a role, MiB. */
export function memoryMiB(bazaar: Cluster, role: string): number {
  const status = readFileSync(`/proc/${bazaar.pid(role)}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / KIB_PER_MIB;
}

/** Every role runs. Throws with the end of its log for one that crashed. */
export function expectAllUp(bazaar: Cluster): void {
  for (const { name } of bazaar.roles) {
    if (bazaar.pid(name) !== null) continue;
    const lines = readLog(bazaar.data, name).slice(-LOG_LINES_SHOWN);
    throw new Error(`${name} is down: ${lines.map((line) => JSON.stringify(line)).join("\n")}`);
  }
}
