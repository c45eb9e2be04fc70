// PostgreSQL for tests and benchmarks: a primary and standbys that its commits wait
// for, as processes of another user than root, which are killed, paused and promoted.

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, chmodSync, chownSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  installedPrograms,
  PostgresServer,
  type PostgresServerOptions,
  postgresUrl,
  type RunAs,
} from "../src/cli/postgres-server.ts";
import { freePorts } from "./ports.ts";
import { signalIfThere, TemporaryFolder } from "./process.ts";
import { until } from "./wait.ts";

const HOST = "127.0.0.1";
const SETTINGS = ["shared_buffers=16MB", "wal_retrieve_retry_interval=200ms"];

export interface LabPostgresOptions {
  /** Standbys, for one of which each commit waits; default 2. */
  readonly standbys?: number;
  /** Survives a loss of power, as tests needn't, and what is measured must; default no. */
  readonly isDurable?: boolean;
  /** Further NAME=VALUE of the configuration. */
  readonly settings?: readonly string[];
}

/** A primary and its standbys on this machine. */
export class LabPostgres {
  readonly #folder: TemporaryFolder;
  readonly servers: readonly Server[];
  /** The server that was made primary last. */
  primary = 0;

  private constructor(folder: TemporaryFolder, servers: readonly Server[]) {
    this.#folder = folder;
    this.servers = servers;
  }

  static async start(options: LabPostgresOptions = {}): Promise<LabPostgres> {
    const { standbys = 2, isDurable = false, settings = [] } = options;
    const programs = installedPrograms();
    if (programs === null) throw new Error("PostgreSQL isn't installed");
    const runAs = withoutRoot();
    const folder = new TemporaryFolder("postgres");
    chmodSync(folder.path, 0o700);
    if (runAs.uid !== undefined) chownSync(folder.path, runAs.uid, runAs.gid ?? runAs.uid);
    const ports = await freePorts(1 + standbys);
    const names = ports.map((_, index) => `pg${index + 1}`);
    const waits = standbys === 0 ? "" : `ANY 1 (${names.join(", ")})`;
    const servers = ports.map(
      (port, index) =>
        new Server({
          ...{ host: HOST, port, programs, runAs },
          name: `pg${index + 1}`,
          folder: join(folder.path, `pg${index + 1}`),
          settings: [...(isDurable ? [] : ["fsync=off"]), ...SETTINGS, ...settings],
        }),
    );
    const postgres = new LabPostgres(folder, servers);
    const [primary, ...others] = servers as [Server, ...Server[]];
    try {
      await primary.make(...(isDurable ? [] : ["--no-sync"]));
      // In the file, where it can be changed while the server runs.
      const configuration = join(primary.folder, "postgresql.conf");
      appendFileSync(configuration, `synchronous_standby_names = '${waits}'\n`);
      for (const other of others) await other.copy(primary);
      await Promise.all(servers.map((server) => server.start()));
      if (standbys > 0) await postgres.hasStandbys(standbys);
    } catch (error) {
      await postgres.stop();
      throw error;
    }
    return postgres;
  }

  /** Of all servers. */
  get url(): string {
    return postgresUrl(this.servers.map(({ port }) => ({ host: HOST, port })));
  }

  server(index: number): Server {
    return this.servers[index] as Server;
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
    const others = this.servers.filter((_, index) => index !== old);
    await Promise.all(others.map((other) => other.receiveFrom(null)));
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
    this.primary = this.servers.indexOf(better);
    for (const other of others) if (other !== better) await other.receiveFrom(better);
  }

  /** Makes a server that was primary a standby of the one that is, with none of what it had. */
  async rejoin(index: number): Promise<void> {
    const server = this.server(index);
    await server.kill();
    await server.copyRunning(this.server(this.primary));
    await server.start();
  }

  async stop(): Promise<void> {
    for (const server of this.servers) await server.kill();
    this.#folder[Symbol.dispose]();
  }
}

/** PostgreSQL doesn't run as root: as root, the servers are the user's that Debian made for it. */
function withoutRoot(): RunAs {
  if (process.getuid?.() !== 0) return { through: [] };
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { through: [], uid: id("-u"), gid: id("-g") };
}

export class Server extends PostgresServer {
  readonly #folder: string;

  constructor(options: PostgresServerOptions) {
    super(options);
    this.#folder = options.folder;
  }

  /** Makes it a standby of a primary that runs. */
  async copyRunning(primary: Server): Promise<void> {
    rmSync(this.#folder, { recursive: true, force: true });
    const from = `host=${HOST} port=${primary.port} user=postgres`;
    await this.run("pg_basebackup", ["-D", this.#folder, "-d", from, "-c", "fast", "--no-sync"]);
    await this.becomeStandby(primary);
  }

  /** Where a standby reads from, from now on; null: nowhere. */
  async receiveFrom(primary: Server | null): Promise<void> {
    this.follow(primary);
    await this.ask("SELECT pg_reload_conf()");
    if (primary !== null) return;
    await until(`${this.name} receives nothing`, async () => {
      const receivers = await this.ask("SELECT pid FROM pg_stat_wal_receiver");
      return receivers.length === 0;
    });
  }

  /** Stopped where it is. */
  pause(): void {
    for (const pid of this.#pids()) signalIfThere(pid, "SIGSTOP");
  }

  resume(): void {
    for (const pid of this.#pids()) signalIfThere(pid, "SIGCONT");
  }

  /** The server and its children. */
  #pids(): readonly number[] {
    const { pid } = this;
    if (pid === null) return [];
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return [pid, ...(children.match(/\d+/g) ?? []).map(Number)];
  }

  /** kill -9 of the whole server. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    // Its children, too: they would go on for a moment, and answer.
    for (const pid of this.#pids()) signalIfThere(pid, "SIGKILL");
    await exited;
  }
}
