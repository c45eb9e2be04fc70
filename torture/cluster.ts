// A real cluster with every link between two roles in hand: three replicas, two
// catalogs, two front ends, each a process of its own.
//
// Not `bazaar up` itself: that gives all roles one configuration, and here each
// has one of its own, in which the others' addresses are those of its links to
// them. But what `up` consists of: its supervisor, with its rules for what is
// started when and again, and its child processes.
//
// The first front end keeps its copies in memory, the second in a Redis server
// that is part of the cluster, and can be broken like the rest.
//
// With PostgreSQL under the log, each replica has a link to each of its servers, too.
//
// A replica's id is its port, so a link can't have a port of its own. Each role
// sees the others at a loopback address of its own instead, 127.99.N.1, at their
// ports; that takes a system where all of 127.0.0.0/8 is loopback, as Linux.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Cluster, type Role, type StockRow } from "../lab/cluster.ts";
import { isOk } from "../lab/http.ts";
import { Link } from "../lab/link.ts";
import { freePorts } from "../lab/ports.ts";
import { LabPostgres } from "../lab/postgres.ts";
import { ROOT, runBazaar, signalIfThere } from "../lab/process.ts";
import { RedisServer } from "../lab/redis.ts";
import { until } from "../lab/wait.ts";
import { spawnChild } from "../src/cli/child.ts";
import { removePidFile } from "../src/cli/pid-file.ts";
import { postgresUrl } from "../src/cli/postgres-server.ts";
import { CRASH_WINDOW_MS, CRASHES_MAX } from "../src/cli/restart-policy.ts";
import { Supervisor, type SupervisorEvent } from "../src/cli/supervisor.ts";
import type { StockSeen } from "./history.ts";

const HOST = "127.0.0.1";
const FRONTENDS = 2;
const CATALOGS = 2;
const REPLICAS = 3;
/** For a process that must not run to say so and end, on a busy machine, milliseconds. */
const REFUSAL_LIMIT_MS = 30_000;

/** A link and between whom it is: `from` opens its connections. */
export interface NamedLink {
  readonly from: string;
  readonly to: string;
  readonly link: Link;
}

export interface TorturedOptions {
  /** For all files of the run; is made. */
  readonly folder: string;
  readonly stocks: readonly StockSeen[];
  /** What keeps the order log. */
  readonly engine: "builtin" | "postgres";
  /** With TLS everywhere, certificates between processes, and a key that clients need. */
  readonly secured: boolean;
  /** What happens to the processes, a line each. */
  readonly tell: (line: string) => void;
}

/** Stocks that nobody trades: what makes every list of all stocks long. They aren't part of the history. */
export const BALLAST: readonly StockSeen[] = Array.from({ length: 10_000 }, (_, number) => ({
  name: `Ballast${number.toString(26).replace(/./g, (digit) => String.fromCharCode(97 + Number.parseInt(digit, 26)))}`,
  price: 1,
  quantity: 1,
}));

export function isBallast({ name }: StockSeen): boolean {
  return name.startsWith("Ballast");
}

export class TorturedCluster extends Cluster {
  readonly links: readonly NamedLink[];
  /** The copies of the second front end. */
  readonly copyStore: RedisServer;
  /** What keeps the log; null: the replicas do. */
  readonly postgres: LabPostgres | null;
  /** Processes that ended without having been struck, a line each. */
  readonly surprises: string[] = [];
  readonly #supervisor: Supervisor<Role>;
  readonly #options: TorturedOptions;
  /** Struck down, and not yet seen to end. */
  readonly #struck = new Set<string>();
  /** When each role ended lately: `up` gives one up that ends too often. */
  readonly #ends = new Map<string, number[]>();
  /** Started, and not yet ended. */
  readonly #serving = new Set<string>();
  /** Is kept from running at present, its disk gone or its configuration another one: its starts may fail. */
  #withheld: string | null = null;

  private constructor(
    ports: readonly number[],
    options: TorturedOptions,
    links: readonly NamedLink[],
    copyStore: RedisServer,
    postgres: LabPostgres | null,
  ) {
    const data = join(options.folder, "data");
    const { secured } = options;
    super(ports, { frontends: FRONTENDS, catalogs: CATALOGS, data, secured }, [
      `--config=${configPath(options.folder, null)}`,
    ]);
    this.#options = options;
    this.links = links;
    this.copyStore = copyStore;
    this.postgres = postgres;
    this.#supervisor = new Supervisor({
      roles: this.roles,
      restart: true,
      clock: {
        now: () => performance.now(),
        after: (ms, callback) => {
          const timer = setTimeout(callback, ms);
          return () => clearTimeout(timer);
        },
      },
      spawn: (role) => this.#spawn(role),
      report: (event) => this.#reported(event),
    });
  }

  /** Files, links and processes; returns once each front end says that a trade could be answered. */
  static async begin(options: TorturedOptions, limitMs: number): Promise<TorturedCluster> {
    mkdirSync(options.folder, { recursive: true });
    const ports = await freePorts(FRONTENDS + CATALOGS + REPLICAS);
    const links: NamedLink[] = [];
    const postgres = options.engine === "postgres" ? await LabPostgres.start() : null;
    const redis = await RedisServer.open();
    const cluster = new TorturedCluster(ports, options, links, redis, postgres);
    try {
      const { roles } = cluster;
      for (const from of roles) {
        for (const to of roles.filter((role) => connectsTo(from, role))) {
          const place = { host: cluster.#hostSeenBy(from), port: to.port };
          const link = await Link.open(place, { host: HOST, port: to.port });
          links.push({ from: from.name, to: to.name, link });
        }
        for (const { name, port } of from.kind === "order" ? (postgres?.servers ?? []) : []) {
          const place = { host: cluster.#hostSeenBy(from), port };
          const link = await Link.open(place, { host: HOST, port });
          links.push({ from: from.name, to: name, link });
        }
        const isSecond = from.port === cluster.frontendPorts[1];
        cluster.#configure(roles, from, isSecond ? cluster.copyStore.url : "memory");
      }
      cluster.writeStocks([...options.stocks, ...BALLAST].map(rowOf));
      cluster.#configure(roles, null, "memory");
      await cluster.format();
      cluster.#supervisor.start();
      await cluster.ready(limitMs);
      await cluster.open();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    for (const { name } of cluster.roles) cluster.#serving.add(name);
    return cluster;
  }

  get urls(): readonly string[] {
    return this.frontendPorts.map((_, frontend) => this.urlOf(frontend));
  }

  /** The configuration in which everything has its own address. */
  get config(): string {
    return configPath(this.#options.folder, null);
  }

  /** The process of a role; null while it is down. */
  override pid(role: string): number | null {
    return this.#supervisor.pids().get(role) ?? null;
  }

  /**
   * Whether the role serves, and `up` would start it again after this end and
   * `more` others. One that only starts has nothing to lose, and on a slow
   * machine would be killed for ever.
   */
  mayEnd(role: string, more: number): boolean {
    if (!this.#serving.has(role)) return false;
    const since = performance.now() - CRASH_WINDOW_MS;
    const lately = (this.#ends.get(role) ?? []).filter((at) => at >= since);
    return lately.length + 1 + more < CRASHES_MAX;
  }

  /** Sends a signal to the process of a role, if it runs, without a wait. Returns its pid. */
  strike(role: string, signal: NodeJS.Signals): number | null {
    const pid = this.pid(role);
    if (pid === null) return null;
    if (signal === "SIGKILL" || signal === "SIGTERM") this.#struck.add(role);
    signalIfThere(pid, signal);
    return pid;
  }

  /** Lets a process go on that was stopped, unless it has ended meanwhile. */
  resume(role: string, pid: number): void {
    if (this.pid(role) === pid) signalIfThere(pid, "SIGCONT");
  }

  /** Kills a replica, takes its disk, makes a replacement. Settles once that was started. */
  async replaceDisk(role: string, limitMs: number): Promise<void> {
    await this.#without(role, limitMs, async () => {
      rmSync(join(this.data, role), { recursive: true, force: true });
      const replace = async () => {
        const { status, stderr } = await this.run("format", "--replace", role);
        if (status !== 0) throw new Error(stderr);
        return true;
      };
      await until(`format --replace ${role}`, replace, limitMs);
    });
  }

  /**
   * Starts another process of a role that serves, as a neighbour on the host may: it has to end by
   * itself, and to change nothing. Settles with what is wrong, null if nothing is.
   */
  async startTwice(role: Role): Promise<string | null> {
    const args = argsOf(role, configPath(this.#options.folder, role));
    const { status, stderr } = await runBazaar(args, REFUSAL_LIMIT_MS);
    return status === 1 ? null : `a second ${role.name} ended with ${status}: ${stderr}`;
  }

  /**
   * Ends a replica and starts it as an operator might who has lost one of the others: configured
   * without it. That has to be refused. Then it is started as it should be.
   */
  async startWithOtherMembers(role: Role, limitMs: number): Promise<string | null> {
    const others = this.roles.filter(({ kind, name }) => kind === "order" && name !== role.name);
    const members = this.roles.filter((each) => each !== others[0]);
    const config = this.#configure(members, role, "memory", "fewer-replicas");
    const { status, stderr } = await this.#without(role.name, limitMs, () =>
      runBazaar(argsOf(role, config), REFUSAL_LIMIT_MS),
    );
    const isRefused = status === 1 && /replicas/.test(stderr);
    return isRefused ? null : `${role.name} with two replicas ended with ${status}: ${stderr}`;
  }

  /** Settles once every role runs and every front end could answer a trade. */
  async ready(limitMs: number): Promise<void> {
    const isReady = async () => {
      const all = await Promise.all(this.urls.map((url) => isOk(`${url}/readyz`)));
      return all.every(Boolean) && this.roles.every(({ name }) => this.pid(name) !== null);
    };
    await until("all front ends ready, and all roles running", isReady, limitMs);
  }

  override async stop(): Promise<void> {
    for (const { name } of this.roles) signalIfThere(this.pid(name), "SIGCONT");
    await this.#supervisor.stop();
    await this.copyStore.kill();
    for (const { link } of this.links) link.close();
    await this.postgres?.stop();
    await super.stop();
  }

  /** Ends a role on purpose, so that it isn't started again until `work` is done. */
  async #without<T>(role: string, limitMs: number, work: () => Promise<T>): Promise<T> {
    this.#withheld = role;
    this.#supervisor.play("kill", role);
    await until(`the end of ${role}`, () => this.pid(role) === null, limitMs);
    const done = await work();
    this.#supervisor.play("start", role);
    this.#withheld = null;
    return done;
  }

  #spawn(role: Role) {
    const child = spawnChild({
      execPath: process.execPath,
      script: join(ROOT, "bin/bazaar.js"),
      args: argsOf(role, configPath(this.#options.folder, role)),
    });
    const { pid } = child;
    if (pid !== undefined) void child.exited.then(() => removePidFile(this.data, role.name, pid));
    return child;
  }

  #reported(event: SupervisorEvent): void {
    if (event.kind === "frontends-serve" || event.kind === "none-left") return;
    const { name } = event.role;
    if (event.kind === "serves-again") {
      this.#serving.add(name);
      this.#options.tell(`${name} serves again, process ${event.pid}`);
      return;
    }
    this.#serving.delete(name);
    const { signal, code, lastWords } = event.exit;
    this.#ends.set(name, [...(this.#ends.get(name) ?? []), performance.now()]);
    const how = `${name} ended by ${signal ?? code}${lastWords === "" ? "" : `: ${lastWords}`}`;
    const next = event.next.kind;
    this.#options.tell(`${how}; ${next}`);
    const isExpected = (this.#struck.delete(name) && next === "restart") || this.#withheld === name;
    if (!isExpected) this.surprises.push(`${how}; ${next}`);
  }

  #hostSeenBy(role: Role): string {
    return `127.99.${this.roles.indexOf(role) + 1}.1`;
  }

  /** Everything as `seenBy` reaches it; null: at its own address. Returns the file's path, ending in `name`. */
  #configure(roles: readonly Role[], seenBy: Role | null, cache: string, name?: string): string {
    const { folder } = this.#options;
    const addresses = (kind: Role["kind"]) =>
      roles
        .filter((role) => role.kind === kind)
        .map((role) => ({
          host: seenBy === null || seenBy === role ? HOST : this.#hostSeenBy(seenBy),
          port: role.port,
        }));
    const path = name === undefined ? configPath(folder, seenBy) : join(folder, `${name}.json`);
    const config = {
      data: "data",
      stocks: "stocks.csv",
      logLevel: "info",
      drainMs: 0,
      cache,
      ...(this.isSecured && { tlsCert: this.https.cert, tlsKey: this.https.key }),
      frontends: addresses("frontend"),
      catalogs: addresses("catalog"),
      replicas: addresses("order").map(({ host, port }) => `${host}:${port}`),
      ...(this.postgres && {
        engine: postgresUrl(
          this.postgres.servers.map(({ port }) => ({
            host: seenBy === null ? HOST : this.#hostSeenBy(seenBy),
            port,
          })),
        ),
      }),
    };
    writeFileSync(path, `${JSON.stringify(config, null, 2)}\n`);
    return path;
  }
}

function rowOf({ name, price, quantity }: StockSeen): StockRow {
  return [name, price, quantity];
}

function connectsTo(from: Role, to: Role): boolean {
  if (to.kind === "order") return from !== to;
  return from.kind === "frontend" && to.kind === "catalog";
}

function argsOf(role: Role, config: string): readonly string[] {
  return [role.kind, String(role.port), "--config", config];
}

function configPath(folder: string, role: Role | null): string {
  return join(folder, role === null ? "bazaar.json" : `${role.name}.json`);
}
