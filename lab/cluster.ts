// A bazaar of real processes for whoever tests or measures: `bazaar up`, or roles
// started one by one, on free ports and in a folder of its own; with the means to
// watch it and to break it.
//
//   - Signals go only to processes whose command line names the folder of the
//     files, so a stale pid file can't make anybody kill somebody else's process.
//   - Once stop() was called nothing is started any more, whoever still waits.
//
// Longer than 400 lines because all that can be asked of a cluster is one class.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { pino } from "pino";
import { lastLine } from "../src/cli/child.ts";
import { runningPid } from "../src/cli/pid-file.ts";
import type { ConfiguredProcess } from "../src/cli/processes.ts";
import type { StatusReport } from "../src/cli/status-report.ts";
import { RIGHTS } from "../src/core/market/keys.ts";
import { hasSecret, readSecret } from "../src/io/rpc/secret.ts";
import type { Calls, Credentials, Peer } from "../src/io/rpc/types.ts";
import { authoritiesPath, Certificates, certificatePaths } from "../src/io/tls/certificates.ts";
import { catalogContract, orderContract, type RoleStatus } from "../src/roles/contract.ts";
import { commandIdentity, Peers } from "../src/roles/peers.ts";
import type { Verdict } from "../src/roles/verification.ts";
import { dataOf, HttpClient, isOk } from "./http.ts";
import { messages, tails } from "./logs.ts";
import { freePorts } from "./ports.ts";
import {
  type Finished,
  pidsNaming,
  type Running,
  runBazaar,
  signalIfThere,
  startBazaar,
  TemporaryFolder,
} from "./process.ts";
import { SOON_MS, until } from "./wait.ts";

/** Whether clusters are secured unless told. */
export const SECURED = process.env.BAZAAR_TEST_SECURED === "1";
const HOST = "127.0.0.1";
const REPLICAS = 3;
/** Open within 5 s is promised on a machine of its own; the limit here is for one that is busy besides. */
const OPEN_LIMIT_MS = 60_000;
const LEVEL_LIMIT_MS = 60_000;
/** `bazaar verify` reads all there is. */
const VERIFY_LIMIT_MS = 180_000;
/** Limit for a stop by signal; after that what is left is killed and the stop fails. */
const STOP_LIMIT_MS = 20_000;
/** For one question to a process. */
const ASK_LIMIT_MS = 1_500;
/** Entries that a replica may be behind and still be level with a leader that goes on. */
const BEHIND_MAX = 200;
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
  /**
   * With certificates between processes, HTTPS, and a key that its clients send, as beyond
   * loopback. Default: whether BAZAAR_TEST_SECURED is 1, so that any suite can be run so.
   */
  readonly secured?: boolean;
  /** Neighbours: front ends, three replicas, catalogs. Default: free ones. */
  readonly ports?: readonly number[];
  /** Its files, which stop() leaves. Default: in a temporary folder, which stop() removes. */
  readonly data?: string;
}

/** One process of it. */
export type Role = Pick<ConfiguredProcess, "kind" | "name" | "port">;

export class Cluster {
  readonly data: string;
  /** Options that make any `bazaar` command speak of this cluster. */
  readonly options: readonly string[];
  readonly frontendPorts: readonly number[];
  readonly catalogPorts: readonly number[];
  /** Ids of the replicas, ascending: the document's 9090, 9092 and 9094. */
  readonly replicas: readonly [low: number, middle: number, high: number];
  /** Ordered by kind: front ends, replicas, catalogs. */
  readonly roles: readonly Role[];
  /** Whether it was made with `secured`. */
  readonly isSecured: boolean;
  /** What clients send; null: they need none, or it isn't made yet. */
  #key: string | null = null;
  /** Null where the files are somebody else's. */
  readonly #temporary: TemporaryFolder | null;
  readonly #running: Running[] = [];
  readonly #clients: HttpClient[] = [];
  readonly #peers = new Map<"cli" | "frontend", Peers>();
  readonly #stopping = new AbortController();

  /** `given`: the options of every command, where they aren't made from `options`. */
  protected constructor(
    ports: readonly number[],
    options: ClusterOptions,
    given?: readonly string[],
  ) {
    const { frontends = 1, catalogs = 1, logLevel = "debug" } = options;
    this.isSecured = options.secured ?? (given === undefined && SECURED);
    this.#temporary = options.data === undefined ? new TemporaryFolder("cluster") : null;
    this.data = options.data ?? join(this.#temporary?.path ?? "", "data");
    this.frontendPorts = ports.slice(0, frontends);
    const [low = 0, middle = 0, high = 0] = ports.slice(frontends);
    this.replicas = [low, middle, high];
    this.catalogPorts = ports.slice(frontends + REPLICAS);
    this.roles = [
      ...this.frontendPorts.map((port, nth) => role("frontend", port, nth === 0)),
      ...this.replicas.map((port) => role("order", port, false)),
      ...this.catalogPorts.map((port, nth) => role("catalog", port, nth === 0)),
    ];
    this.options = given ?? [
      `--data=${this.data}`,
      `--port=${this.frontendPorts[0]}`,
      `--frontends=${frontends}`,
      `--catalog-port=${this.catalogPorts[0]}`,
      `--catalogs=${catalogs}`,
      `--replicas=${this.replicas.join(",")}`,
      `--log-level=${logLevel}`,
      "--drain-ms=0",
      ...(this.isSecured ? [`--tls-cert=${this.https.cert}`, `--tls-key=${this.https.key}`] : []),
      ...(options.stocks ? [`--stocks=${this.writeStocks(options.stocks)}`] : []),
      ...(options.options ?? []),
    ];
  }

  /** Ports and a folder, nothing started. */
  static async prepare(options: ClusterOptions = {}): Promise<Cluster> {
    const { frontends = 1, catalogs = 1, ports } = options;
    return new Cluster(ports ?? (await freePorts(frontends + catalogs + REPLICAS)), options);
  }

  /** The first front end, as `http://127.0.0.1:8000`. */
  get url(): string {
    return this.urlOf(0);
  }

  urlOf(frontend: number): string {
    const scheme = this.isSecured ? "https" : "http";
    return `${scheme}://${HOST}:${this.frontendPorts[frontend]}`;
  }

  /** A client that is closed with the cluster. */
  client(connections = 1, frontend = 0): HttpClient {
    const client = this.httpClient(frontend, connections);
    this.#clients.push(client);
    return client;
  }

  /** The same, for its caller to close. */
  httpClient(frontend: number, connections: number, keepsCalls = true): HttpClient {
    return new HttpClient(this.urlOf(frontend), connections, keepsCalls, () => this.authorization);
  }

  /** What a request to a front end has to carry, where keys are needed. */
  get authorization(): Readonly<Record<string, string>> {
    return this.#key === null ? {} : { authorization: `Bearer ${this.#key}` };
  }

  /** Starts `bazaar up` and waits until every front end says that a trade could be answered. */
  async up(...more: readonly string[]): Promise<Running> {
    if (this.isSecured) await this.format();
    const up = this.start("up", ...more);
    await this.open(up);
    return up;
  }

  /** Starts role by role, as the document does, all but one replica; the front end last. Formats first if that is needed. */
  async startWithout(missing: number): Promise<void> {
    await this.format();
    this.start("catalog");
    const present = this.replicas.filter((id) => id !== missing);
    for (const id of present) this.start("order", String(id));
    for (const id of present) await this.logged(`order-${id}`, "Order service ready");
    await this.open(this.start("frontend"));
  }

  /** Makes its files, if there are none, and what `secured` takes. */
  async format(): Promise<void> {
    const commands = this.isSecured ? [["format"], ["certs", "create"]] : [["format"]];
    if (!hasSecret(this.data)) {
      for (const [command = "", ...args] of commands) {
        const { status, stderr } = await this.run(command, ...args);
        if (status !== 0) throw new Error(`${command}: ${stderr}`);
      }
    }
    if (this.isSecured) trust(authoritiesPath(this.data));
  }

  /** What its front ends serve HTTPS with. */
  protected get https(): { readonly cert: string; readonly key: string } {
    return certificatePaths(this.data, "frontend");
  }

  /** Starts any long-lived command: `start("order", "9090")`. */
  start(command: string, ...args: readonly string[]): Running {
    this.#stopping.signal.throwIfAborted();
    const running = startBazaar([command, ...this.options, ...args], this.#environment);
    this.#running.push(running);
    return running;
  }

  /** Runs a command to its end; one with a command of its own as `run("key add", "shop")`. */
  run(command: string, ...args: readonly string[]): Promise<Finished> {
    const words = command.split(" ");
    return runBazaar([...words, ...this.options, ...args], undefined, this.#environment);
  }

  get #environment(): NodeJS.ProcessEnv {
    return this.#key === null ? {} : { BAZAAR_KEY: this.#key };
  }

  /** Waits until every front end is ready; fails at once, with its last word, when `needed` ends before. */
  async open(needed?: Running): Promise<void> {
    await this.#until(
      "open",
      async () => {
        if (needed?.finished) return true;
        const ready = this.frontendPorts.map((_, nth) => isOk(`${this.urlOf(nth)}/readyz`));
        return (await Promise.all(ready)).every(Boolean);
      },
      OPEN_LIMIT_MS,
    );
    if (needed?.finished) {
      const { stderr, status, signal } = needed.finished;
      throw new Error(`ended before it was open: ${lastLine(stderr) || (signal ?? status)}`);
    }
    if (this.isSecured) this.#key ??= await this.#clientsKey();
  }

  /** The key that its clients send: made once, and then among the files, for who opens these again. */
  async #clientsKey(): Promise<string> {
    const file = join(this.data, "lab.key");
    if (existsSync(file)) return readFileSync(file, "utf8");
    // To this command --stocks says what the key is for.
    const options = this.options.filter((option) => !option.startsWith("--stocks="));
    const adding = ["key", "add", ...options, "lab", `--may=${RIGHTS}`];
    const { stdout, stderr, status } = await runBazaar(adding);
    if (status !== 0) throw new Error(`key add: ${stderr}`);
    const key = stdout.trim();
    writeFileSync(file, key, { mode: 0o600 });
    // Until a front end has heard of it, what is asked with it is still everybody's.
    const closed = this.frontendPorts.map(async (_, nth) => {
      const stranger = new HttpClient(this.urlOf(nth));
      const asked = () => stranger.get("/orders?limit=1");
      const isClosed = async () => (await asked()).status === 401;
      await this.#until("every front end closed to strangers", isClosed, OPEN_LIMIT_MS);
      stranger.close();
    });
    await Promise.all(closed);
    return key;
  }

  /** The leader that the first front end names; waits while there is none. */
  leader(): Promise<number> {
    const client = this.httpClient(0, 1);
    return until("a leader", async () => {
      const call = await client.get("/get_order_leader");
      return call.status === 200 && (dataOf(call) as { order_leader: number }).order_leader;
    }).finally(() => client.close());
  }

  /** The replica that says that it leads, with all that it says; waits until one does. */
  leading(): Promise<RoleStatus & { readonly id: number }> {
    const find = async () => (await this.#statuses()).find((status) => status?.leads);
    return this.#until("a leader", find, LEVEL_LIMIT_MS);
  }

  /** The replica that leads; waits until all others follow it and hold what it holds. */
  level(): Promise<number> {
    const find = async () => levelLeader(await this.#statuses(), this.replicas);
    return this.#until("all replicas level", find, LEVEL_LIMIT_MS);
  }

  /** What a replica says of itself; null while it doesn't answer. */
  async replicaStatus(replica: number): Promise<RoleStatus | null> {
    try {
      const calls = (await this.#reach(replica)).calls(orderContract, { timeoutMs: ASK_LIMIT_MS });
      return await calls.status({});
    } catch {
      return null;
    }
  }

  /** By what a command, or a front end, proves that it is one. */
  credentials(name: "cli" | "frontend" = "cli"): Credentials {
    const files = certificatePaths(this.data, name);
    const log = pino({ level: "silent" });
    return {
      secret: readSecret(this.data),
      certificates: existsSync(files.ca)
        ? new Certificates({ files, purpose: "command's", log })
        : null,
    };
  }

  /** Calls to a replica, as a command of the bazaar, or a front end, makes them; waits for the connection. */
  async replica(
    id: number,
    role: "cli" | "frontend" = "cli",
  ): Promise<Calls<typeof orderContract>> {
    const reach = () => this.#reach(id, role);
    return (await this.#until(`order-${id} reached`, reach, SOON_MS)).calls(orderContract);
  }

  /** Calls to the first catalog, likewise. */
  async catalog(): Promise<Calls<typeof catalogContract>> {
    const reach = () => this.#reach(this.catalogPorts[0] ?? 0);
    return (await this.#until("the catalog reached", reach, SOON_MS)).calls(catalogContract);
  }

  /** What `bazaar status` says. */
  async status(): Promise<StatusReport> {
    return JSON.parse((await this.run("status", "--json")).stdout);
  }

  /** `bazaar verify`, whose exit status has to agree with what it says. */
  async verify(): Promise<Verdict> {
    const args = ["verify", ...this.options, "--json"];
    const { status, stdout, stderr } = await runBazaar(args, VERIFY_LIMIT_MS);
    if (!stdout.startsWith("{")) throw new Error(`verify told nothing: ${stdout}${stderr}`);
    const verdict: Verdict = JSON.parse(stdout);
    if (verdict.ok !== (status === 0)) {
      throw new Error(`verify ended with ${status} and ${stdout}`);
    }
    return verdict;
  }

  /** The process of a role, as its pid file has it; null when it isn't running. */
  pid(role: string): number | null {
    const pid = runningPid(this.data, role);
    return pid !== null && this.#isOurs(pid) ? pid : null;
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
    if (signal === "SIGKILL") await until(`the end of ${role}`, () => this.pid(role) !== pid);
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
    const printed = this.#running.map((running) => `--- ${running.printed}`);
    return [...printed, tails(this.data, TAIL_LINES)].join("\n");
  }

  /** Pids of the cluster's processes that still run, whoever started them. None where there is no `ps`. */
  left(): readonly number[] {
    return pidsNaming(this.data);
  }

  /** Stops every process; the files stay. Fails when something had to be killed for it. */
  async halt(): Promise<void> {
    this.#stopping.abort(new Error("the cluster is stopped"));
    for (const client of this.#clients) client.close();
    for (const peers of this.#peers.values()) peers.close();
    for (const { name } of this.roles) signalIfThere(this.pid(name), "SIGCONT");
    for (const running of this.#running) if (!running.finished) running.signal("SIGTERM");
    const areOver = () => this.#running.every(({ finished }) => finished !== null);
    try {
      await until("everything stopped", () => areOver() && this.left().length === 0, STOP_LIMIT_MS);
    } finally {
      for (const running of this.#running) if (!running.finished) running.signal("SIGKILL");
      for (const pid of this.left()) signalIfThere(pid, "SIGKILL");
    }
  }

  /** Stops every process and removes the folder, if that is its own. May be called again. */
  async stop(): Promise<void> {
    try {
      await this.halt();
    } finally {
      this.#temporary?.[Symbol.dispose]();
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

  /** Beside the files. Returns the path. */
  protected writeStocks(rows: readonly StockRow[]): string {
    const path = join(dirname(this.data), "stocks.csv");
    const lines = rows.map((row) => row.join(","));
    writeFileSync(path, `${["name,price,quantity", ...lines].join("\n")}\n`);
    return path;
  }

  #until<T>(what: string, probe: () => T | Promise<T>, limitMs: number) {
    return until(what, probe, limitMs, this.#stopping.signal);
  }

  #statuses(): Promise<readonly ((RoleStatus & { readonly id: number }) | null)[]> {
    return Promise.all(
      this.replicas.map(async (id) => {
        const status = await this.replicaStatus(id);
        return status && { id, ...status };
      }),
    );
  }

  async #reach(port: number, as: "cli" | "frontend" = "cli"): Promise<Peer> {
    this.#stopping.signal.throwIfAborted();
    const name = this.roles.find((role) => role.port === port)?.name ?? "";
    const identity = { ...commandIdentity(this.replicas), role: as, name: as };
    const peers = this.#peers.get(as) ?? new Peers(this.credentials(as), identity);
    this.#peers.set(as, peers);
    const reached = await peers.reach({ name, host: HOST, port }, ASK_LIMIT_MS);
    if (reached.kind === "unreachable") throw new Error(reached.why);
    return reached.peer;
  }

  #isOurs(pid: number): boolean {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(this.data);
    } catch {
      return !existsSync("/proc"); // Where there is none the pid file is believed.
    }
  }
}

/** The leader, if all are there and level with it; null otherwise. */
export function levelLeader(
  statuses: readonly (Pick<RoleStatus, "leads" | "leader" | "last"> | null)[],
  ids: readonly number[],
): number | null {
  const leading = statuses.findIndex((status) => status?.leads);
  const leader = ids[leading];
  const newest = Math.max(...statuses.map((status) => status?.last ?? 0));
  if (leader === undefined) return null;
  const areLevel = statuses.every(
    (status, index) =>
      status !== null &&
      newest - (status.last ?? 0) < BEHIND_MAX &&
      (index === leading || (!status.leads && status.leader === leader)),
  );
  return areLevel ? leader : null;
}

/** From now on this process, fetch included, trusts those authorities besides the system's. */
function trust(authorities: string): void {
  const known = getCACertificates("default");
  const text = readFileSync(authorities, "utf8").trim();
  if (!known.includes(text)) setDefaultCACertificates([...known, text]);
}

function role(kind: Role["kind"], port: number, isFirst: boolean): Role {
  return { kind, port, name: isFirst ? kind : `${kind}-${port}` };
}
