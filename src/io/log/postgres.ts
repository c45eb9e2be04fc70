// A session of the log over two tables with PostgreSQL, whoever is its primary.
//
// Several hosts may be given. The primary is the one that is no standby, and of
// those the one on the newest timeline; an older one than was seen before isn't
// taken any more. A fail-over is somebody else's: this only finds its result.
//
// A primary whose commits don't wait for a standby loses acknowledged trades with
// its next fail-over. One that isn't set to wait is refused, unless `acceptLoss`; one
// that is told to wait no more, while it runs, acknowledges nothing from then on: it
// lets go what waits at that moment, too, and doesn't warn.
// Longer than 400 lines because the statements stand beside what their answers mean.

import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import type { Logger } from "pino";
import { type EntryRow, encodeBody } from "../../core/journal/entries.ts";
import type { Entry } from "../../core/replication/types.ts";
import type { Answer, ChainedEntry, Statement } from "../../core/table-log/types.ts";
import { entryOf, firstDigest, rowOf } from "../journal/entries.ts";
import { type DatabaseEvents, DatabaseRefused, type TableDatabase } from "./table-log.ts";

/** A host that doesn't answer by then isn't there. */
const CONNECT_MS = 1_000;
/** Once one primary answered, others, which may be newer, have this long to do so. */
const OTHERS_MS = 150;
const AGAIN_MIN_MS = 20;
const AGAIN_MAX_MS = 1_000;
/** Less than the time after which the replica gives an answer up: a row that another transaction holds is a plain failure. */
const LOCK_TIMEOUT_MS = 1_000;
/** At a start, a primary that has too little may be one that was just replaced: for so long the new one is looked for. */
const STALE_MS = 10_000;
/** A commit that took longer may have been let go because it was to wait no more, as when the last standby is gone: that takes far longer to notice. */
const WAITED_MS = 20;
/** Rows of one look; their bytes are limited, too. */
const LOOK_ROWS_MAX = 512;
/** Columns of an entry in an append. */
const COLUMNS = 6;

const TABLES = `
  CREATE SCHEMA IF NOT EXISTS bazaar;
  CREATE TABLE IF NOT EXISTS bazaar.logs (
    log text PRIMARY KEY, epoch bigint NOT NULL, leader int,
    last bigint NOT NULL, committed bigint NOT NULL, round bigint NOT NULL
  ) WITH (fillfactor = 10);
  CREATE TABLE IF NOT EXISTS bazaar.entries (
    log text NOT NULL, position bigint NOT NULL, epoch bigint NOT NULL, at float8 NOT NULL,
    kind smallint NOT NULL, body bytea NOT NULL, digest bytea NOT NULL,
    PRIMARY KEY (log, position)
  );
  CREATE TABLE IF NOT EXISTS bazaar.views (log text PRIMARY KEY, position bigint NOT NULL);
  CREATE TABLE IF NOT EXISTS bazaar.orders (
    log text NOT NULL, number bigint NOT NULL, name text NOT NULL, type text NOT NULL,
    quantity bigint NOT NULL, price float8 NOT NULL, position bigint NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (log, number)
  );
  CREATE TABLE IF NOT EXISTS bazaar.stocks (
    log text NOT NULL, name text NOT NULL, price float8 NOT NULL, quantity bigint NOT NULL,
    PRIMARY KEY (log, name)
  );
`;

const LOOK = `
  SELECT l.epoch AS reign, l.leader, l.last, l.committed,
    e.position, e.epoch, e.at, e.kind, e.body, e.digest
  FROM bazaar.logs l LEFT JOIN (
    SELECT *, sum(CASE WHEN position > $2 THEN length(body) ELSE 0 END)
      OVER (ORDER BY position) - length(body) AS before
    FROM (SELECT * FROM bazaar.entries WHERE log = $1 AND position >= $2
      ORDER BY position LIMIT ${LOOK_ROWS_MAX}) page
  ) e ON e.before < $3
  WHERE l.log = $1 ORDER BY e.position`;

/** For whom the commit waits, as this statement knows it. */
const STANDBYS = "current_setting('synchronous_standby_names') AS standbys";

const CONFIRM = `
  UPDATE bazaar.logs SET committed = $4, round = round + 1
  WHERE log = $1 AND epoch = $2 AND last = $3 RETURNING ${STANDBYS}`;

const CLAIM_HEAD = `
  UPDATE bazaar.logs SET epoch = epoch + 1, leader = $5, last = last + 1, committed = $4, round = round + 1
  WHERE log = $1 AND epoch = $2 AND last = $3 RETURNING log`;

const APPEND_HEAD = `
  UPDATE bazaar.logs SET last = last + $5, committed = $4, round = round + 1
  WHERE log = $1 AND epoch = $2 AND last = $3 RETURNING log`;

/** Writes the head and inserts so many entries, if the head was the one that is named. */
function insertion(head: string, entries: number): string {
  const rows = Array.from({ length: entries }, (_, row) => {
    const [position, epoch, at, kind, body, digest] = Array.from(
      { length: COLUMNS },
      (__, column) => `$${6 + COLUMNS * row + column}`,
    );
    return `(${position}::bigint, ${epoch}::bigint, ${at}::float8, ${kind}::smallint, ${body}::bytea, ${digest}::bytea)`;
  });
  return `
    WITH head AS (${head})
    INSERT INTO bazaar.entries (log, position, epoch, at, kind, body, digest)
    SELECT head.log, e.* FROM head,
      (VALUES ${rows.join(", ")}) e (position, epoch, at, kind, body, digest)
    RETURNING ${STANDBYS}`;
}

const STATE = `
  SELECT pg_is_in_recovery() AS standby,
    CASE WHEN pg_is_in_recovery() THEN '' ELSE pg_walfile_name(pg_current_wal_lsn()) END AS wal,
    current_setting('synchronous_standby_names') AS standbys,
    current_setting('synchronous_commit') AS commit`;

const START = `
  SELECT (SELECT last FROM bazaar.logs WHERE log = $1) AS last,
    has_table_privilege('bazaar.entries', 'DELETE') AS "mayDelete"`;

export interface PostgresOptions {
  /** postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE */
  readonly url: string;
  /** The name of the log: the cluster's. */
  readonly cluster: string;
  /** A primary that waits for no standby will do: the last trades may be lost with it. */
  readonly acceptLoss: boolean;
  readonly log: Logger;
}

/** The URLs of each host in one with several. Throws DatabaseRefused. */
export function hostsOf(url: string): string[] {
  const [, scheme, credentials = "", hosts, rest = ""] =
    /^(postgres(?:ql)?:\/\/)([^@/]*@)?([^/?@]+)([/?].*)?$/.exec(url) ?? [];
  if (scheme === undefined || hosts === undefined) {
    throw new DatabaseRefused(
      "the engine's address can't be read: give it as postgres://USER@HOST:PORT,HOST:PORT/DATABASE",
    );
  }
  return hosts.split(",").map((host) => `${scheme}${credentials}${host}${rest}`);
}

interface Primary {
  readonly client: pg.Client;
  readonly timeline: number;
  readonly host: string;
}

export class PostgresTables implements TableDatabase {
  readonly #options: PostgresOptions;
  readonly #hosts: readonly string[];
  #events: DatabaseEvents | null = null;
  /** Counts connections: what an earlier one tells is void. */
  #connection = 0;
  #client: pg.Client | null = null;
  #newestTimeline = 0;
  #againMs = AGAIN_MIN_MS;
  #timer: NodeJS.Timeout | undefined;
  #said = "";
  #isClosed = false;
  /** Something was said during the statement that runs: at this level, a WARNING. */
  #isWarned = false;

  constructor(options: PostgresOptions) {
    this.#options = options;
    this.#hosts = hostsOf(options.url);
  }

  start(events: DatabaseEvents): void {
    this.#events = events;
    void this.#connect();
  }

  run(id: number, statement: Statement): void {
    const client = this.#client;
    const connection = this.#connection;
    if (client === null) return; // `closed` has been or will be told
    this.#isWarned = false;
    this.#query(client, statement).then(
      (answer) => {
        if (connection === this.#connection) this.#events?.answered(id, answer);
      },
      (error: Error) => {
        if (connection !== this.#connection) return;
        // A server that answers says why; one that doesn't has closed the connection.
        if (error instanceof pg.DatabaseError) {
          this.#events?.answered(id, { kind: "failed", reason: error.message });
        } else this.#lost();
      },
    );
  }

  reconnect(isStale: boolean): void {
    this.#drop();
    if (isStale) this.#againMs = AGAIN_MAX_MS;
    this.#connectLater();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#drop();
  }

  #drop(): void {
    this.#connection += 1;
    const client = this.#client;
    this.#client = null;
    // Not end(), which would wait for the statement on its way.
    if (client) destroy(client);
  }

  #lost(): void {
    this.#drop();
    this.#events?.closed();
    this.#connectLater();
  }

  #connectLater(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#connect(), this.#againMs);
    this.#againMs = Math.min(2 * this.#againMs, AGAIN_MAX_MS);
  }

  async #connect(): Promise<void> {
    const connection = ++this.#connection;
    try {
      const { client, timeline, host } = await findPrimary(this.#hosts, this.#options);
      if (connection !== this.#connection || this.#isClosed) {
        destroy(client);
        return;
      }
      if (timeline < this.#newestTimeline) {
        destroy(client);
        throw new DatabaseRefused(`${host} is a primary that was replaced`);
      }
      this.#newestTimeline = timeline;
      this.#client = client;
      this.#againMs = AGAIN_MIN_MS;
      this.#said = "";
      client.on("notice", () => {
        this.#isWarned = true;
      });
      client.on("error", () => {
        if (connection === this.#connection) this.#lost();
      });
      client.on("end", () => {
        if (connection === this.#connection) this.#lost();
      });
      this.#options.log.info({ host, timeline }, "Connected to the database");
      this.#events?.opened();
    } catch (error) {
      if (connection !== this.#connection || this.#isClosed) return;
      const why = (error as Error).message;
      if (why !== this.#said) this.#options.log.error({ reason: why }, "No database to write to");
      this.#said = why;
      this.#connectLater();
    }
  }

  async #query(client: pg.Client, statement: Statement): Promise<Answer> {
    const { cluster } = this.#options;
    if (statement.kind === "look") {
      const { after, bytesMax } = statement;
      const { rows } = await client.query({
        name: "look",
        text: LOOK,
        values: [cluster, after, bytesMax],
      });
      return looked(rows, after, cluster);
    }
    const { committed } = statement;
    const { epoch, last } = statement.kind === "claim" ? statement.seen : statement;
    const entries = statement.kind === "claim" ? [statement.reign] : statement.entries;
    const head = [cluster, epoch, last, committed];
    const beganAt = performance.now();
    const { rowCount, rows } =
      entries.length === 0
        ? await client.query({ name: "confirm", text: CONFIRM, values: head })
        : await client.query({
            name: `${statement.kind} ${entries.length}`,
            text: insertion(statement.kind === "claim" ? CLAIM_HEAD : APPEND_HEAD, entries.length),
            values: [
              ...head,
              statement.kind === "claim" ? statement.leader : entries.length,
              ...entries.flatMap(valuesOf),
            ],
          });
    const mayHaveWaited = performance.now() - beganAt > WAITED_MS;
    const waits =
      this.#options.acceptLoss ||
      (rows.every(isWaiting) &&
        (!mayHaveWaited || (await client.query(`SELECT ${STANDBYS}`)).rows.every(isWaiting)));
    return { kind: "done", rows: rowCount ?? 0, isWarned: this.#isWarned || !waits };
  }
}

function isWaiting({ standbys }: { readonly standbys: string }): boolean {
  return standbys.trim() !== "";
}

function valuesOf({ entry, digest }: ChainedEntry) {
  const { position, epoch, at, body } = entry;
  const { kind, bytes } = encodeBody(body);
  return [position, epoch, at, kind, Buffer.from(bytes), Buffer.from(digest)];
}

function looked(rows: readonly Record<string, unknown>[], after: number, cluster: string): Answer {
  const [first] = rows;
  if (first === undefined) return { kind: "looked", head: null, digest: null, entries: [] };
  const head = {
    epoch: Number(first.reign),
    leader: first.leader === null ? null : Number(first.leader),
    last: Number(first.last),
    committed: Number(first.committed),
  };
  const all = rows
    .filter(({ position }) => position !== null)
    .map(
      (row): EntryRow => ({
        position: Number(row.position),
        epoch: Number(row.epoch),
        at: Number(row.at),
        kind: Number(row.kind),
        body: row.body as Uint8Array,
        digest: row.digest as Uint8Array,
      }),
    );
  const known = all.find(({ position }) => position === after);
  return {
    kind: "looked",
    head,
    digest: after === 0 ? firstDigest(cluster) : (known?.digest ?? null),
    entries: all
      .filter(({ position }) => position > after)
      .map((row) => ({ entry: entryOf("the database", row), digest: row.digest })),
  };
}

// ---- finding the primary

/** Rejects with all their reasons if none of the hosts is a primary. */
export async function findPrimary(
  hosts: readonly string[],
  options: Pick<PostgresOptions, "acceptLoss">,
): Promise<Primary> {
  const found: Primary[] = [];
  let isOver = false;
  const attempts = hosts.map(async (url) => {
    const primary = await primaryAt(url, options);
    if (isOver) destroy(primary.client);
    else found.push(primary);
  });
  const all = Promise.allSettled(attempts);
  await Promise.any(attempts).then(
    () => Promise.race([all, delay(OTHERS_MS)]),
    () => {},
  );
  isOver = true;
  const [newest, ...older] = found.toSorted((a, b) => b.timeline - a.timeline);
  for (const { client } of older) destroy(client);
  if (newest !== undefined) return newest;
  const reasons = (await all).map((each) =>
    each.status === "rejected" ? each.reason.message : "",
  );
  throw new DatabaseRefused(`no primary: ${reasons.join("; ")}`);
}

async function primaryAt(
  url: string,
  { acceptLoss }: Pick<PostgresOptions, "acceptLoss">,
): Promise<Primary> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS,
    application_name: "bazaar",
    keepAlive: true,
  });
  client.on("error", () => {}); // told by whoever asks it next
  const host = `${client.host}:${client.port}`;
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${host} doesn't answer`)), CONNECT_MS);
    });
    const state = async () => {
      await client.connect();
      // What is said at a lower level than WARNING isn't to be taken for one.
      await client.query(
        `SET client_min_messages = warning; SET lock_timeout = ${LOCK_TIMEOUT_MS}`,
      );
      const { rows } = await client.query(STATE);
      const found = rows[0] as { standby: boolean; wal: string; standbys: string; commit: string };
      if (!found.standby && !acceptLoss) {
        expectSafe(host, found.standbys, found.commit);
        // The session's own from now on, whatever the server's is changed to.
        await client.query(`SET synchronous_commit = ${found.commit}`);
      }
      return found;
    };
    const { standby, wal } = await Promise.race([state(), late]);
    if (standby) throw new Error("a standby");
    return { client, host, timeline: Number.parseInt(wal.slice(0, 8), 16) };
  } catch (error) {
    destroy(client);
    if (error instanceof DatabaseRefused) throw error;
    throw new Error(`${host}: ${(error as Error).message}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

function expectSafe(host: string, standbys: string, commit: string): void {
  const what =
    standbys.trim() === ""
      ? "waits for no standby, its synchronous_standby_names is empty"
      : commit !== "on" && commit !== "remote_apply"
        ? `doesn't wait for a standby's disk, its synchronous_commit is ${commit}`
        : null;
  if (what === null) return;
  throw new DatabaseRefused(
    `the primary at ${host} ${what}: trades would be lost with it; set it, or give --accept-loss`,
  );
}

export function destroy(client: pg.Client): void {
  const { connection } = client as unknown as {
    connection: { stream: { destroy(): void } };
  };
  connection.stream.destroy();
}

/**
 * Throws DatabaseRefused for a primary that may lose trades, and for one that has
 * less than what this replica, at `position`, knows to be committed: a backup that
 * was brought back. One that can't be reached now is looked for later.
 */
export async function expectUsable(options: PostgresOptions & { readonly position: number }) {
  const { url, acceptLoss, log } = options;
  if (acceptLoss) log.warn("--accept-loss: trades may be lost with the primary of the database");
  const hosts = hostsOf(url);
  const limit = performance.now() + STALE_MS;
  for (;;) {
    const behind = await findPrimary(hosts, options).then(
      ({ client }) => lackOf(client, options).finally(() => destroy(client)),
      (error: Error) => {
        if (error.message.includes("--accept-loss")) throw error;
        return null;
      },
    );
    if (behind === null) return;
    if (performance.now() > limit) throw new DatabaseRefused(behind);
    await delay(AGAIN_MAX_MS);
  }
}

/** What this primary lacks; null if nothing. Also says in the log what its role should not be allowed. */
async function lackOf(
  client: pg.Client,
  { cluster, position, log }: PostgresOptions & { readonly position: number },
): Promise<string | null> {
  const { rows } = await client.query(START, [cluster]);
  const [head] = rows as { last: string | null; mayDelete: boolean }[];
  if (head?.mayDelete) {
    log.warn("The role of the database may DELETE from the log: revoke that, see docs/engines.md");
  }
  if (head === undefined || head.last === null) {
    throw new DatabaseRefused(
      "the database has no log of this cluster: give the --engine of this data directory, or the --data directory of this database",
    );
  }
  if (Number(head.last) >= position) return null;
  return `the database ends with entry ${head.last}, and this replica knows entry ${position} to be committed: a backup was brought back, or an old primary answers; bring back one that has all, or give the address of the primary`;
}

/** Makes the tables, if they aren't there, and a log in them. Throws DatabaseRefused. */
export async function formatTables(
  options: Pick<PostgresOptions, "url" | "acceptLoss">,
  { cluster, entries }: { readonly cluster: string; readonly entries: readonly Entry[] },
): Promise<void> {
  const { client } = await findPrimary(hostsOf(options.url), options);
  try {
    await client.query(TABLES);
    await client.query("BEGIN");
    let digest = firstDigest(cluster);
    for (const entry of entries) {
      digest = rowOf(digest, entry).digest;
      await client.query("INSERT INTO bazaar.entries VALUES ($1, $2, $3, $4, $5, $6, $7)", [
        cluster,
        ...valuesOf({ entry, digest }),
      ]);
    }
    await client.query("INSERT INTO bazaar.logs VALUES ($1, 0, NULL, $2, $2, 0)", [
      cluster,
      entries.length,
    ]);
    await client.query("INSERT INTO bazaar.views VALUES ($1, 0)", [cluster]);
    await client.query("COMMIT");
  } finally {
    await client.end();
  }
}
