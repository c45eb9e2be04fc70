// PostgreSQL with two standbys, of which one must have a trade on disk before it
// counts: what most people would build the bazaar on.
//
// A trade is one function call: the update with the check of the volume, the
// insert of the order. pgbench is the load, over TCP, with prepared statements.
// With ten stocks the trades of one wait for each other's commit, since
// PostgreSQL holds a row until then; the slot with 10,000 stocks shows it without.
// PostgreSQL refuses to run as root, so as root it runs as the user `postgres`.

import {
  appendFileSync,
  chownSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { freePorts } from "../../lab/ports.ts";
import { findProgram, Running, run, TemporaryFolder } from "../../lab/process.ts";
import { percentile } from "../../lab/statistics.ts";
import {
  CONNECTIONS,
  CONNECTIONS_SWEPT,
  PREPARE_LIMIT_MS,
  START_LIMIT_MS,
  STOCK_QUANTITY,
  STOCKS,
  STOCKS_MANY,
} from "../limits.ts";
import { type Round, type Sample, type Subject, secondsFor } from "../round.ts";

const STANDBYS = ["standby1", "standby2"] as const;
const MANY_SLOT = `postgres.trades-${STOCKS_MANY}-stocks.${CONNECTIONS}`;
const US_PER_MS = 1_000;
/** pgbench counts the time to connect as its own, and takes it off its rate. */
const CONNECTING_S = 1;
const BIN_PARENT = "/usr/lib/postgresql";

const SCHEMA = `
  CREATE TABLE stocks (id int PRIMARY KEY, price float8 NOT NULL, quantity bigint NOT NULL);
  INSERT INTO stocks SELECT n, 17.99, ${STOCK_QUANTITY} FROM generate_series(1, ${STOCKS_MANY}) n;
  CREATE TABLE orders (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stock int NOT NULL, sells boolean NOT NULL, quantity bigint NOT NULL, price float8 NOT NULL);
  CREATE FUNCTION trade(wanted int, many bigint) RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE made bigint; paid float8;
    BEGIN
      UPDATE stocks SET quantity = quantity - many WHERE id = wanted AND quantity >= many
        RETURNING price INTO paid;
      IF NOT FOUND THEN RAISE EXCEPTION 'Insufficient volume'; END IF;
      INSERT INTO orders (stock, sells, quantity, price) VALUES (wanted, false, many, paid)
        RETURNING number INTO made;
      RETURN made;
    END $$;`;

const CONFIGURATION = `
listen_addresses = '127.0.0.1'
max_connections = 400
wal_level = replica
max_wal_senders = 8
hot_standby = on
fsync = on
synchronous_commit = on
shared_buffers = 256MB
wal_keep_size = 4GB
wal_retrieve_retry_interval = 200ms
`;

/** Needs to be stopped for good at the end: close(). */
export interface PostgresSubject extends Subject {
  close(): void;
}

/** The three servers' files are made at the first run and used by all. */
export function postgresSubject(): PostgresSubject {
  const bin = binFolder();
  let cluster: Postgres | null = null;
  return {
    name: "postgres",
    slots: [...CONNECTIONS_SWEPT.map((connections) => `postgres.trades.${connections}`), MANY_SLOT],
    missing: () => (bin === null ? "postgresql" : null),
    async run(round: Round) {
      if (bin === null) return;
      cluster ??= await Postgres.make(bin);
      await cluster.start();
      try {
        await cluster.pgbench(STOCKS, CONNECTIONS, 2 * round.timing.warmUpS);
        for (const connections of CONNECTIONS_SWEPT) {
          const seconds = secondsFor(round.timing, connections);
          const slot = `postgres.trades.${connections}`;
          await round.measure(slot, cluster.command(connections, seconds), () =>
            measured(cluster, STOCKS, connections, seconds),
          );
        }
        await round.measure(MANY_SLOT, cluster.command(CONNECTIONS, round.timing.slotS), () =>
          measured(cluster, STOCKS_MANY, CONNECTIONS, round.timing.slotS),
        );
      } finally {
        await cluster.stop();
      }
    },
    close: () => cluster?.remove(),
  };
}

async function measured(
  cluster: Postgres | null,
  stocks: number,
  connections: number,
  seconds: number,
): Promise<Sample> {
  if (cluster === null) throw new Error("there is no cluster");
  const { printed, log } = await cluster.pgbench(stocks, connections, seconds);
  return parsePgbench(printed, log);
}

/** Newest version's programs. */
function binFolder(): string | null {
  let versions: string[] = [];
  try {
    versions = readdirSync(BIN_PARENT).sort((a, b) => Number(b) - Number(a));
  } catch {
    // Not Debian, or not installed: the PATH may have it.
  }
  const folders = versions.map((version) => join(BIN_PARENT, version, "bin"));
  const found = ["postgres", "pgbench", "initdb"].map((name) => findProgram(name, folders));
  const [postgres] = found;
  return postgres && found.every((path) => path !== null) ? join(postgres, "..") : null;
}

class Postgres {
  readonly #bin: string;
  readonly #temporary: TemporaryFolder;
  readonly #ports: readonly number[];
  #servers: Running[] = [];

  private constructor(bin: string, folder: TemporaryFolder, ports: readonly number[]) {
    this.#bin = bin;
    this.#temporary = folder;
    this.#ports = ports;
  }

  get #folder(): string {
    return this.#temporary.path;
  }

  /** A primary with the tables, and copies of it for the standbys. */
  static async make(bin: string): Promise<Postgres> {
    const folder = new TemporaryFolder("bench-postgres");
    const user = postgresUser();
    if (user !== null) chownSync(folder.path, user.uid, user.gid);
    const made = new Postgres(bin, folder, await freePorts(1 + STANDBYS.length));
    try {
      await made.#initialize();
    } catch (error) {
      made.remove();
      throw error;
    }
    return made;
  }

  async #initialize(): Promise<void> {
    const primary = join(this.#folder, "primary");
    await this.#run("initdb", "-D", primary, "-A", "trust", "-U", "postgres", "-E", "UTF8");
    appendFileSync(join(primary, "postgresql.conf"), CONFIGURATION);
    const server = this.#serve(0);
    try {
      await this.#accepts(server, 0);
      await this.#sql(SCHEMA);
      for (const name of STANDBYS) {
        const standby = join(this.#folder, name);
        const source = `host=127.0.0.1 port=${this.#port(0)} user=postgres`;
        await this.#run("pg_basebackup", "-D", standby, "-d", source, "-c", "fast");
        const conninfo = `primary_conninfo = '${source} application_name=${name}'\n`;
        appendFileSync(join(standby, "postgresql.conf"), conninfo);
        this.#write(join(standby, "standby.signal"), "");
      }
    } finally {
      await server.stop("SIGINT");
    }
    const names = `synchronous_standby_names = 'ANY 1 (${STANDBYS.join(", ")})'\n`;
    appendFileSync(join(primary, "postgresql.conf"), names);
  }

  /** All three, until both standbys replicate. */
  async start(): Promise<void> {
    this.#servers = [0, 1, 2].map((index) => this.#serve(index));
    const [primary] = this.#servers;
    if (primary === undefined) return;
    try {
      await this.#accepts(primary, 0);
      const count = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'";
      await primary.ready(
        "both standbys",
        async () => Number(await this.#sql(count)) === STANDBYS.length,
        START_LIMIT_MS,
      );
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    // The standbys last: the primary waits for them with what it still has to send.
    for (const server of this.#servers) await server.stop("SIGINT");
    this.#servers = [];
  }

  remove(): void {
    this.#temporary[Symbol.dispose]();
  }

  /** For the record. */
  command(connections: number, seconds: number): string {
    return `pgbench -h 127.0.0.1 -p ${this.#port(0)} -n -M prepared -c ${connections} -j 1 -T ${seconds + CONNECTING_S} -f trade.sql --log`;
  }

  /** Runs the load; `printed` and `log` are for parsePgbench(). */
  async pgbench(
    stocks: number,
    connections: number,
    seconds: number,
  ): Promise<{ readonly printed: string; readonly log: string }> {
    const script = join(this.#folder, "trade.sql");
    this.#write(script, `\\set stock random(1, ${stocks})\nSELECT trade(:stock, 1);\n`);
    const prefix = join(this.#folder, "log");
    const args = this.command(connections, seconds)
      .replace("trade.sql", script)
      .split(" ")
      .slice(1);
    const target = [`--log-prefix=${prefix}`, "-U", "postgres", "postgres"];
    const printed = await this.#run("pgbench", ...args, ...target);
    const logs = readdirSync(this.#folder).filter((name) => /^log\./.test(name));
    const log = logs.map((name) => readFileSync(join(this.#folder, name), "utf8")).join("");
    for (const name of logs) rmSync(join(this.#folder, name));
    return { printed, log };
  }

  #serve(index: number): Running {
    const name = index === 0 ? "primary" : (STANDBYS[index - 1] ?? "");
    const [command, ...prefix] = [...asPostgres(), join(this.#bin, "postgres")];
    const place = ["-D", join(this.#folder, name), "-k", this.#folder];
    return new Running(command ?? "", [...prefix, ...place, "-p", String(this.#port(index))]);
  }

  #accepts(server: Running, index: number): Promise<void> {
    const probe = async () => {
      await this.#run("pg_isready", "-h", "127.0.0.1", "-p", String(this.#port(index)));
      return true;
    };
    return server.ready("PostgreSQL", probe, START_LIMIT_MS);
  }

  async #sql(text: string): Promise<string> {
    const options = `-h 127.0.0.1 -p ${this.#port(0)} -U postgres -X -q -t -A -v ON_ERROR_STOP=1 -c`;
    return this.#run("psql", ...options.split(" "), text);
  }

  #run(program: string, ...args: readonly string[]): Promise<string> {
    const [command, ...prefix] = [...asPostgres(), join(this.#bin, program)];
    return run(command ?? "", [...prefix, ...args], PREPARE_LIMIT_MS);
  }

  /** A file that the servers' user may read and remove. */
  #write(path: string, text: string): void {
    writeFileSync(path, text);
    const user = postgresUser();
    if (user !== null) chownSync(path, user.uid, user.gid);
  }

  #port(index: number): number {
    return this.#ports[index] ?? 0;
  }
}

/** Whom to run as: null for whoever runs this. */
function postgresUser(): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const line = readFileSync("/etc/passwd", "utf8").match(/^postgres:[^:]*:(\d+):(\d+):/m);
  if (line === null) throw new Error("there is no user postgres, and PostgreSQL refuses root");
  return { uid: Number(line[1]), gid: Number(line[2]) };
}

function asPostgres(): string[] {
  const user = postgresUser();
  if (user === null) return [];
  return ["setpriv", `--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups"];
}

/**
 * The numbers of a pgbench run: its transactions a second without the time to
 * connect, and percentiles from its log, one line a transaction, with the
 * microseconds in the third column.
 */
export function parsePgbench(printed: string, log: string): Sample {
  const tps = /^tps = ([\d.]+) \(without initial connection time\)/m.exec(printed)?.[1];
  const failed = /^number of failed transactions: (\d+)/m.exec(printed)?.[1];
  if (tps === undefined) throw new Error(`pgbench printed no tps: ${printed}`);
  const latencies = log
    .split("\n")
    .map((line) => Number(line.split(" ")[2]))
    .filter((latency) => Number.isFinite(latency));
  return {
    okPerSecond: Number(tps),
    p50Ms: percentile(latencies, 50) / US_PER_MS,
    p99Ms: percentile(latencies, 99) / US_PER_MS,
    maxMs: percentile(latencies, 100) / US_PER_MS,
    notOk: Number(failed ?? 0),
  };
}
