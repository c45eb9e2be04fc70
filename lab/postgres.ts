// PostgreSQL for tests: a primary and standbys that its commits wait for, as
// processes of another user than root, which are killed, paused and promoted.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { programPath } from "../scripts/ensure-packages.ts";
import { freePorts } from "./ports.ts";
import { until } from "./wait.ts";

const USER = "bazaar";
/** Where Debian keeps the programs of each version. */
const VERSIONS = "/usr/lib/postgresql";
const FEW = ["-c", "max_connections=40", "-c", "shared_buffers=16MB", "-c", "fsync=off"];

export interface LabPostgresOptions {
  /** Standbys, for one of which each commit waits; default 2. */
  readonly standbys?: number;
}

/** A primary and its standbys on this machine. */
export class LabPostgres {
  readonly #folder: string;
  readonly #servers: readonly Server[];

  private constructor(folder: string, servers: readonly Server[]) {
    this.#folder = folder;
    this.#servers = servers;
  }

  static async start({ standbys = 2 }: LabPostgresOptions = {}): Promise<LabPostgres> {
    const owner = ownerOfServers();
    const folder = mkdtempSync(join(tmpdir(), "bazaar-postgres-"));
    chmodSync(folder, 0o700);
    if (owner) chownSync(folder, owner.uid, owner.gid);
    const ports = await freePorts(1 + standbys);
    const names = ports.map((_, index) => `pg${index + 1}`);
    const waits = standbys === 0 ? "" : `ANY 1 (${names.join(", ")})`;
    const servers = ports.map(
      (port, index) =>
        new Server(join(folder, `pg${index + 1}`), `pg${index + 1}`, port, owner, waits),
    );
    const postgres = new LabPostgres(folder, servers);
    const [primary, ...others] = servers as [Server, ...Server[]];
    primary.make();
    await primary.start();
    for (const other of others) {
      other.copy(primary);
      await other.start();
    }
    if (standbys > 0) await postgres.hasStandbys(standbys);
    return postgres;
  }

  /** Of all servers. */
  get url(): string {
    return `postgres://${USER}@${this.#servers.map(({ port }) => `127.0.0.1:${port}`).join(",")}/postgres`;
  }

  /** The server that was made primary last. */
  primary = 0;

  server(index: number): Server {
    return this.#servers[index] as Server;
  }

  /** Waits until as many standbys stream from the primary. */
  async hasStandbys(count: number): Promise<void> {
    await until(`${count} standbys stream`, async () => {
      const rows = await this.server(this.primary).ask(
        "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'",
      );
      return rows.length >= count;
    });
  }

  /**
   * As who watches over a database does it: stops what comes to the standbys from
   * the old primary, promotes the one that has more, and has the others follow it.
   */
  async failOver(): Promise<void> {
    const old = this.primary;
    const others = this.#servers.filter((_, index) => index !== old);
    for (const other of others) await other.receiveFrom(null);
    const received = await Promise.all(
      others.map(async (other) => {
        const [row] = await other.ask(
          "SELECT greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0' AS bytes",
        );
        return Number(row?.bytes);
      }),
    );
    const better = others[received.indexOf(Math.max(...received))] as Server;
    await better.ask("SELECT pg_promote()");
    this.primary = this.#servers.indexOf(better);
    for (const other of others) if (other !== better) await other.receiveFrom(better);
  }

  async stop(): Promise<void> {
    for (const server of this.#servers) await server.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL doesn't run as root: as root, the servers are the user's that Debian made for it. */
function ownerOfServers(): Owner | null {
  if (process.getuid?.() !== 0) return null;
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

function program(name: string): string {
  const inPath = programPath(name);
  if (inPath !== null) return inPath;
  const [newest] = readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a));
  return join(VERSIONS, `${newest}`, "bin", name);
}

export class Server {
  readonly #folder: string;
  readonly name: string;
  readonly port: number;
  readonly #owner: Owner | null;
  readonly #waits: string;
  #process: ChildProcess | null = null;

  constructor(folder: string, name: string, port: number, owner: Owner | null, waits: string) {
    this.#folder = folder;
    this.name = name;
    this.port = port;
    this.#owner = owner;
    this.#waits = waits;
  }

  make(): void {
    this.#run("initdb", [
      "-D",
      this.#folder,
      "-U",
      USER,
      "-A",
      "trust",
      "-E",
      "UTF8",
      "--locale=C",
      "--no-sync",
    ]);
  }

  copy(primary: Server): void {
    const from = `host=127.0.0.1 port=${primary.port} user=${USER}`;
    this.#run("pg_basebackup", ["-D", this.#folder, "-d", from, "-c", "fast", "--no-sync"]);
    writeFileSync(join(this.#folder, "standby.signal"), "");
    this.#follow(primary);
  }

  async start(): Promise<void> {
    const child = spawn(
      program("postgres"),
      [
        ...["-D", this.#folder, "-p", `${this.port}`, "-h", "127.0.0.1", "-k", ""],
        ...["-c", `synchronous_standby_names=${this.#waits}`],
        ...FEW,
      ],
      { ...this.#owner, cwd: this.#folder, stdio: "ignore" },
    );
    this.#process = child;
    await until(`${this.name} answers`, () => this.ask("SELECT 1").then(() => true));
  }

  /** Where a standby reads from, from now on; null: nowhere. */
  async receiveFrom(primary: Server | null): Promise<void> {
    this.#follow(primary);
    await this.ask("SELECT pg_reload_conf()");
    if (primary !== null) return;
    await until(`${this.name} receives nothing`, async () => {
      const receivers = await this.ask("SELECT pid FROM pg_stat_wal_receiver");
      return receivers.length === 0;
    });
  }

  #follow(primary: Server | null): void {
    const from =
      primary === null
        ? ""
        : `host=127.0.0.1 port=${primary.port} user=${USER} application_name=${this.name}`;
    writeFileSync(join(this.#folder, "postgresql.auto.conf"), `primary_conninfo = '${from}'\n`);
  }

  /** Stopped where it is. */
  pause(): void {
    for (const pid of this.#pids()) signal(pid, "SIGSTOP");
  }

  resume(): void {
    for (const pid of this.#pids()) signal(pid, "SIGCONT");
  }

  /** The server and its children. */
  #pids(): readonly number[] {
    return this.#process === null ? [] : this.#pidsOf(this.#process);
  }

  #pidsOf({ pid = 0 }: ChildProcess): readonly number[] {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return [pid, ...(children.match(/\d+/g) ?? []).map(Number)];
  }

  /** kill -9 of the whole server. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    // Its children, too: they would go on for a moment, and answer.
    for (const pid of this.#pidsOf(child)) signal(pid, "SIGKILL");
    await exited;
  }

  async ask(sql: string): Promise<readonly Record<string, unknown>[]> {
    const client = new pg.Client({
      host: "127.0.0.1",
      port: this.port,
      user: USER,
      database: "postgres",
      connectionTimeoutMillis: 2_000,
    });
    client.on("error", () => {});
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  #run(name: string, args: readonly string[]): void {
    execFileSync(program(name), args, { ...this.#owner, cwd: tmpdir(), stdio: "pipe" });
  }
}

/** One of a server's children may just have ended by itself. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
