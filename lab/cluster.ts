// A real cluster for a test: `bazaar up`, or roles started one by one, on free
// ports and in a folder of its own; with the means to break it.
//
// Signals go only to processes whose command line names that folder, so a stale
// pid file can't make a test kill somebody else's process.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dataOf, HttpClient } from "./http.ts";
import { messages, tails } from "./logs.ts";
import { freePorts } from "./ports.ts";
import { type Finished, isAlive, type Running, runBazaar, startBazaar } from "./process.ts";
import { until } from "./wait.ts";

/** Open within 5 s is promised on a machine of its own; the limit here is for one that is busy besides. */
const OPEN_LIMIT_MS = 60_000;
/** Limit for a stop by signal; after that what is left is killed and the test fails. */
const STOP_LIMIT_MS = 20_000;
const TAIL_LINES = 60;

/** `name,price,quantity`. */
export type StockRow = readonly [name: string, price: number, quantity: number];

export interface ClusterOptions {
  /** First stocks; without them those that are shipped. */
  readonly stocks?: readonly StockRow[];
  /** Default "debug": what happens to a request is logged too. */
  readonly logLevel?: "info" | "debug";
  readonly frontends?: number;
  readonly catalogs?: number;
  /** Further options of every command, `--cache-size=3` say. */
  readonly options?: readonly string[];
}

/** What `bazaar status --json` prints. */
export interface Status {
  readonly leader: number | null;
  readonly epoch: number;
  readonly processes: readonly {
    readonly role: string;
    readonly pid?: number | null;
    readonly up: boolean;
    readonly leads?: boolean;
    readonly vote?: boolean;
    readonly last?: number;
    readonly commit?: number;
    readonly applied?: number;
  }[];
}

/** What `bazaar verify --json` prints. */
export interface Verdict {
  readonly ok: boolean;
  readonly position: number;
  readonly orders: number;
  readonly differences: readonly unknown[];
}

export class Cluster {
  readonly data: string;
  /** Options that make any `bazaar` command speak of this cluster. */
  readonly options: readonly string[];
  readonly frontendPorts: readonly number[];
  readonly catalogPorts: readonly number[];
  /** Ids of the replicas, ascending: the document's 9090, 9092 and 9094. */
  readonly replicas: readonly [low: number, middle: number, high: number];
  readonly #folder: string;
  readonly #running: Running[] = [];
  readonly #clients: HttpClient[] = [];

  private constructor(folder: string, ports: readonly number[], options: ClusterOptions) {
    const frontends = options.frontends ?? 1;
    const catalogs = options.catalogs ?? 1;
    this.#folder = folder;
    this.data = join(folder, "data");
    this.frontendPorts = ports.slice(0, frontends);
    const [low = 0, middle = 0, high = 0] = ports.slice(frontends);
    this.replicas = [low, middle, high];
    this.catalogPorts = ports.slice(frontends + 3);
    this.options = [
      `--data=${this.data}`,
      `--port=${this.frontendPorts[0]}`,
      `--frontends=${frontends}`,
      `--catalog-port=${this.catalogPorts[0]}`,
      `--catalogs=${catalogs}`,
      `--replicas=${this.replicas.join(",")}`,
      `--log-level=${options.logLevel ?? "debug"}`,
      "--drain-ms=0",
      ...(options.stocks ? [`--stocks=${this.#writeStocks(options.stocks)}`] : []),
      ...(options.options ?? []),
    ];
  }

  /** Ports and a folder, nothing started. */
  static async prepare(options: ClusterOptions = {}): Promise<Cluster> {
    const ports = await freePorts((options.frontends ?? 1) + (options.catalogs ?? 1) + 3);
    return new Cluster(mkdtempSync(join(tmpdir(), "bazaar-test-")), ports, options);
  }

  /** The first front end, as `http://127.0.0.1:8000`. */
  get url(): string {
    return this.urlOf(0);
  }

  urlOf(frontend: number): string {
    return `http://127.0.0.1:${this.frontendPorts[frontend]}`;
  }

  /** A client that is closed with the cluster. */
  client(connections = 1, frontend = 0): HttpClient {
    const client = new HttpClient(this.urlOf(frontend), connections);
    this.#clients.push(client);
    return client;
  }

  /** Starts `bazaar up` and waits until every front end says that a trade could be answered. */
  async up(...more: readonly string[]): Promise<Running> {
    const up = this.start("up", ...more);
    await this.open(up);
    return up;
  }

  /** Formats, then starts role by role, as the document does, all but one replica; the front end last. */
  async startWithout(missing: number): Promise<void> {
    const { status, stderr } = await this.run("format");
    if (status !== 0) throw new Error(`format: ${stderr}`);
    this.start("catalog");
    const present = this.replicas.filter((id) => id !== missing);
    for (const id of present) this.start("order", String(id));
    for (const id of present) await this.logged(`order-${id}`, "Order service ready");
    await this.open(this.start("frontend"));
  }

  /** Starts any long-lived command: `start("order", "9090")`. */
  start(command: string, ...args: readonly string[]): Running {
    const running = startBazaar([command, ...this.options, ...args]);
    this.#running.push(running);
    return running;
  }

  /** Runs a command to its end. */
  run(command: string, ...args: readonly string[]): Promise<Finished> {
    return runBazaar([command, ...this.options, ...args]);
  }

  /** Waits until every front end is ready; fails at once when `needed` ends before. */
  async open(needed?: Running): Promise<void> {
    for (const [frontend] of this.frontendPorts.entries()) {
      const client = new HttpClient(this.urlOf(frontend));
      try {
        await until(
          "open",
          async () => {
            if (needed?.finished) return true;
            return (await client.get("/readyz")).status === 200;
          },
          OPEN_LIMIT_MS,
        );
      } finally {
        client.close();
      }
    }
    if (needed?.finished) {
      throw new Error(`ended before it was open: ${JSON.stringify(needed.finished)}`);
    }
  }

  /** The leader that the first front end names; waits while there is none. */
  leader(): Promise<number> {
    const client = new HttpClient(this.url);
    return until("a leader", async () => {
      const call = await client.get("/get_order_leader");
      return call.status === 200 && (dataOf(call) as { order_leader: number }).order_leader;
    }).finally(() => client.close());
  }

  async status(): Promise<Status> {
    return JSON.parse((await this.run("status", "--json")).stdout);
  }

  /** `bazaar verify`, whose exit status has to agree with what it says. */
  async verify(): Promise<Verdict> {
    const { status, stdout, stderr } = await this.run("verify", "--json");
    let verdict: Verdict;
    try {
      verdict = JSON.parse(stdout);
    } catch {
      throw new Error(`verify said ${stdout} ${stderr}`);
    }
    if (verdict.ok !== (status === 0)) {
      throw new Error(`verify ended with ${status} and ${stdout}`);
    }
    return verdict;
  }

  /** The process of a role, as its pid file has it; null when it isn't running. */
  pid(role: string): number | null {
    let text: string;
    try {
      text = readFileSync(join(this.data, "run", `${role}.pid`), "utf8").trim();
    } catch {
      return null;
    }
    const pid = Number(text);
    return Number.isSafeInteger(pid) && pid > 1 && this.#owns(pid) ? pid : null;
  }

  /** The running process of a role; waits for it, and for another than `before` if that is given. */
  running(role: string, before: number | null = null): Promise<number> {
    return until(`${role} running`, () => {
      const pid = this.pid(role);
      return pid !== before && pid;
    });
  }

  /** Sends a signal to a role's process and returns its pid. After SIGKILL it is gone. */
  async signal(role: string, signal: NodeJS.Signals): Promise<number> {
    const pid = await this.running(role);
    process.kill(pid, signal);
    if (signal === "SIGKILL") await until(`the end of ${role}`, () => !this.#owns(pid));
    return pid;
  }

  /** Signals all of them in one moment: their pids are found first. */
  async signalAll(roles: readonly string[], signal: NodeJS.Signals): Promise<void> {
    const pids = await Promise.all(roles.map((role) => this.running(role)));
    for (const pid of pids) process.kill(pid, signal);
  }

  kill(role: string): Promise<number> {
    return this.signal(role, "SIGKILL");
  }

  /** Messages of a role's log so far. */
  log(role: string): readonly string[] {
    return messages(this.data, role);
  }

  /** Waits until a role has logged `message`, after the first `from` lines. */
  logged(role: string, message: string | RegExp, from = 0): Promise<string> {
    const is = (line: string) =>
      typeof message === "string" ? line === message : message.test(line);
    return until(`${role} logging ${message}`, () => this.log(role).slice(from).find(is));
  }

  /** The end of every role's log and of what the commands printed. */
  report(): string {
    const printed = this.#running.map(
      ({ child, stdout, stderr }) =>
        `--- ${child.spawnargs.slice(2).join(" ")}\n${stdout.slice(-4_000)}${stderr.slice(-4_000)}`,
    );
    return [...printed, tails(this.data, TAIL_LINES)].join("\n");
  }

  /** Pids of the cluster's role processes that still run. */
  left(): readonly number[] {
    const pids = spawnSync("ps", ["-A", "-o", "pid=,stat=,args="], { encoding: "utf8" }).stdout;
    return pids
      .split("\n")
      .filter((line) => line.includes(this.#folder))
      .map((line) => /^\s*(\d+)\s+(\S+)/.exec(line))
      .flatMap((match) => (match && !match[2]?.startsWith("Z") ? [Number(match[1])] : []))
      .filter((pid) => pid !== process.pid);
  }

  /** Stops everything and removes the folder. Fails when something had to be killed for it. */
  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    for (const pid of this.left()) signalIfThere(pid, "SIGCONT");
    for (const running of this.#running) if (!running.finished) running.signal("SIGTERM");
    try {
      await until("everything stopped", () => this.left().length === 0, STOP_LIMIT_MS);
    } finally {
      for (const pid of this.left()) signalIfThere(pid, "SIGKILL");
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  /** Names of the files in `run/`. */
  runFiles(): readonly string[] {
    try {
      return readdirSync(join(this.data, "run")).sort();
    } catch {
      return [];
    }
  }

  #owns(pid: number): boolean {
    if (!isAlive(pid)) return false;
    const { stdout } = spawnSync("ps", ["-o", "stat=,args=", "-p", String(pid)], {
      encoding: "utf8",
    });
    return !stdout.trim().startsWith("Z") && stdout.includes(this.#folder);
  }

  #writeStocks(rows: readonly StockRow[]): string {
    const path = join(this.#folder, "stocks.csv");
    const lines = rows.map((row) => row.join(","));
    writeFileSync(path, `${["name,price,quantity", ...lines].join("\n")}\n`);
    return path;
  }
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in the meantime.
  }
}
