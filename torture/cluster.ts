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
// A replica's id is its port, so a link can't have a port of its own. Each role
// sees the others at a loopback address of its own instead, 127.99.N.1, at their
// ports; that takes a system where all of 127.0.0.0/8 is loopback, as Linux.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Link } from "../lab/link.ts";
import { freePorts } from "../lab/ports.ts";
import { type Finished, ROOT, runBazaar } from "../lab/process.ts";
import { RedisServer } from "../lab/redis.ts";
import { spawnChild } from "../src/cli/child.ts";
import { removePidFile } from "../src/cli/pid-file.ts";
import { CRASH_WINDOW_MS, CRASHES_MAX } from "../src/cli/restart-policy.ts";
import { type SupervisedRole, Supervisor, type SupervisorEvent } from "../src/cli/supervisor.ts";
import type { StockSeen } from "./history.ts";

const HOST = "127.0.0.1";
const FRONTENDS = 2;
const CATALOGS = 2;
const REPLICAS = 3;
/** Between two looks at what is waited for, milliseconds. */
const READY_POLL_MS = 50;
/** For a process that must not run to say so and end, on a busy machine, milliseconds. */
const REFUSAL_LIMIT_MS = 30_000;

export interface Role extends SupervisedRole {
  readonly port: number;
}

/** A link and between whom it is: `from` opens its connections. */
export interface NamedLink {
  readonly from: string;
  readonly to: string;
  readonly link: Link;
}

export interface ClusterOptions {
  /** For all files of the run; is made. */
  readonly folder: string;
  readonly stocks: readonly StockSeen[];
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

export class Cluster {
  readonly roles: readonly Role[];
  readonly links: readonly NamedLink[];
  readonly data: string;
  /** The copies of the second front end. */
  readonly copyStore: RedisServer;
  /** The configuration in which everything has its own address. */
  readonly config: string;
  /** Processes that ended without having been struck, a line each. */
  readonly surprises: string[] = [];
  readonly #supervisor: Supervisor<Role>;
  readonly #options: ClusterOptions;
  /** Struck down, and not yet seen to end. */
  readonly #struck = new Set<string>();
  /** When each role ended lately: `up` gives one up that ends too often. */
  readonly #ends = new Map<string, number[]>();
  /** Started, and not yet ended. */
  readonly #serving = new Set<string>();
  /** Has no disk at present: its starts may fail. */
  #diskless: string | null = null;
  /** Was ended to be started with another configuration. */
  #misconfigured: string | null = null;

  private constructor(
    options: ClusterOptions,
    config: string,
    roles: readonly Role[],
    links: readonly NamedLink[],
    copyStore: RedisServer,
  ) {
    this.#options = options;
    this.copyStore = copyStore;
    this.roles = roles;
    this.links = links;
    this.config = config;
    this.data = join(options.folder, "data");
    this.#supervisor = new Supervisor({
      roles,
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
  static async start(options: ClusterOptions, limitMs: number): Promise<Cluster> {
    mkdirSync(options.folder, { recursive: true });
    const roles = rolesAt(await freePorts(FRONTENDS + CATALOGS + REPLICAS));
    const copyStore = await RedisServer.open();
    const links: NamedLink[] = [];
    for (const [index, from] of roles.entries()) {
      for (const to of roles.filter((role) => connectsTo(from, role))) {
        const place = { host: hostSeenBy(from, roles), port: to.port };
        const link = await Link.open(place, { host: HOST, port: to.port });
        links.push({ from: from.name, to: to.name, link });
      }
      writeConfig(options.folder, roles, from, index === 1 ? copyStore.url : "memory");
    }
    const stocks = [...options.stocks, ...BALLAST];
    const rows = stocks.map(({ name, price, quantity }) => [name, price, quantity].join());
    const csv = `${["name,price,quantity", ...rows].join("\n")}\n`;
    writeFileSync(join(options.folder, "stocks.csv"), csv);
    const config = writeConfig(options.folder, roles, null, "memory");
    const cluster = new Cluster(options, config, roles, links, copyStore);
    try {
      const formatted = await cluster.bazaar("format");
      if (formatted.status !== 0) throw new Error(`format: ${formatted.stderr}`);
      cluster.#supervisor.start();
      await cluster.ready(limitMs);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    for (const { name } of roles) cluster.#serving.add(name);
    return cluster;
  }

  /** `http://127.0.0.1:8000` of each front end. */
  get urls(): readonly string[] {
    return this.roles
      .filter(({ kind }) => kind === "frontend")
      .map(({ port }) => `http://${HOST}:${port}`);
  }

  /** Runs a command with everything at its own address, to its end. */
  bazaar(...args: readonly string[]): Promise<Finished> {
    return runBazaar([...args, "--config", this.config]);
  }

  /** The process of a role; null while it is down. */
  pid(role: string): number | null {
    return this.#supervisor.pids().get(role) ?? null;
  }

  get allRun(): boolean {
    return this.roles.every(({ name }) => this.pid(name) !== null);
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

  /** Sends a signal to the process of a role, if it runs. Returns its pid. */
  signal(role: string, signal: NodeJS.Signals): number | null {
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
    this.#diskless = role;
    const end = performance.now() + limitMs;
    // Killed on purpose, it isn't started again: not on the disk that is being taken away.
    this.#supervisor.play("kill", role);
    await this.#when(`the end of ${role}`, () => this.pid(role) === null, end);
    rmSync(join(this.data, role), { recursive: true, force: true });
    for (;;) {
      const { status, stderr } = await this.bazaar("format", "--replace", role);
      if (status === 0) break;
      if (performance.now() > end) throw new Error(`format --replace ${role}: ${stderr}`);
    }
    this.#supervisor.play("start", role);
    this.#diskless = null;
  }

  /**
   * Starts another process of a role that serves, as a neighbour on the host may: it has to end by
   * itself, and to change nothing. Settles with what is wrong, null if nothing is.
   */
  async startTwice(role: Role): Promise<string | null> {
    const { status, stderr } = await runBazaar(
      argsOf(role, configPath(this.#options.folder, role)),
      REFUSAL_LIMIT_MS,
    );
    return status === 1 ? null : `a second ${role.name} ended with ${status}: ${stderr}`;
  }

  /**
   * Ends a replica and starts it as an operator might who has lost one of the others: configured
   * without it. That has to be refused. Then it is started as it should be.
   */
  async startWithOtherMembers(role: Role, limitMs: number): Promise<string | null> {
    const end = performance.now() + limitMs;
    this.#misconfigured = role.name;
    this.#supervisor.play("kill", role.name);
    await this.#when(`the end of ${role.name}`, () => this.pid(role.name) === null, end);
    const others = this.roles.filter(({ kind, name }) => kind === "order" && name !== role.name);
    const members = this.roles.filter((each) => each !== others[0]);
    const config = writeConfig(this.#options.folder, members, role, "memory", "fewer-replicas");
    const { status, stderr } = await runBazaar(argsOf(role, config), REFUSAL_LIMIT_MS);
    this.#supervisor.play("start", role.name);
    this.#misconfigured = null;
    const isRefused = status === 1 && /replicas/.test(stderr);
    return isRefused ? null : `${role.name} with two replicas ended with ${status}: ${stderr}`;
  }

  /** Settles once every role runs and every front end could answer a trade. */
  async ready(limitMs: number): Promise<void> {
    const end = performance.now() + limitMs;
    for (const url of this.urls) {
      await this.#when(
        `${url} ready, and all roles running`,
        async () => {
          const { status } = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(1_000) });
          return status === 200 && this.allRun;
        },
        end,
      );
    }
  }

  async stop(): Promise<void> {
    for (const { name } of this.roles) {
      const pid = this.pid(name);
      if (pid !== null) signalIfThere(pid, "SIGCONT");
    }
    await this.#supervisor.stop();
    await this.copyStore.kill();
    for (const { link } of this.links) link.close();
  }

  async #when(what: string, probe: () => boolean | Promise<boolean>, end: number): Promise<void> {
    for (;;) {
      if (await Promise.resolve(probe()).catch(() => false)) return;
      if (performance.now() > end) throw new Error(`not in time: ${what}`);
      await delay(READY_POLL_MS);
    }
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
    const isTaken = this.#diskless === name || this.#misconfigured === name;
    const isExpected = (this.#struck.delete(name) && next === "restart") || isTaken;
    if (!isExpected) this.surprises.push(`${how}; ${next}`);
  }
}

function rolesAt(ports: readonly number[]): readonly Role[] {
  return ports.map((port, index) => {
    if (index < FRONTENDS) {
      return { kind: "frontend", port, name: index === 0 ? "frontend" : `frontend-${port}` };
    }
    if (index < FRONTENDS + CATALOGS) {
      return { kind: "catalog", port, name: index === FRONTENDS ? "catalog" : `catalog-${port}` };
    }
    return { kind: "order", port, name: `order-${port}` };
  });
}

function connectsTo(from: Role, to: Role): boolean {
  if (to.kind === "order") return from !== to;
  return from.kind === "frontend" && to.kind === "catalog";
}

function hostSeenBy(role: Role, roles: readonly Role[]): string {
  return `127.99.${roles.indexOf(role) + 1}.1`;
}

function argsOf(role: Role, config: string): readonly string[] {
  return [role.kind, String(role.port), "--config", config];
}

function configPath(folder: string, role: Role | null): string {
  return join(folder, role === null ? "bazaar.json" : `${role.name}.json`);
}

/** Everything as `seenBy` reaches it; null: at its own address. Returns the file's path, ending in `name`. */
function writeConfig(
  folder: string,
  roles: readonly Role[],
  seenBy: Role | null,
  cache: string,
  name?: string,
): string {
  const addresses = (kind: Role["kind"]) =>
    roles
      .filter((role) => role.kind === kind)
      .map((role) => ({
        host: seenBy === null || seenBy === role ? HOST : hostSeenBy(seenBy, roles),
        port: role.port,
      }));
  const path = name === undefined ? configPath(folder, seenBy) : join(folder, `${name}.json`);
  const config = {
    data: "data",
    stocks: "stocks.csv",
    logLevel: "info",
    drainMs: 0,
    cache,
    frontends: addresses("frontend"),
    catalogs: addresses("catalog"),
    replicas: addresses("order").map(({ host, port }) => `${host}:${port}`),
  };
  writeFileSync(path, `${JSON.stringify(config, null, 2)}\n`);
  return path;
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in the meantime.
  }
}
