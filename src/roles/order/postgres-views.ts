// The orders and stocks as rows beside the log in PostgreSQL, for whoever reads them
// with SQL. The leader keeps them, a moment after the entries that they are made of.
//
//   - `bazaar.views` says up to which position of the log they are; it is moved in
//     the same statement that writes the rows, from where it stood. So each entry is
//     in them once, whoever writes: a next leader, or one that doesn't know yet that
//     it is no leader any more, finds the position moved and goes on from there.
//   - Only committed entries are in them, which every replica has the same. What a
//     fail-over of the database takes from them it takes from the position, too.
//   - Nothing waits for them, and nothing is decided by them: an error here is
//     logged and tried again.

import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { decodeCommands } from "../../core/market/codec.ts";
import { effectOf } from "../../core/market/content.ts";
import type { Entry } from "../../core/replication/types.ts";
import { destroy, findPrimary, hostsOf, type PostgresOptions } from "../../io/log/postgres.ts";

/** What is new is written this often: a second transaction for each of the log's would cost as much as the trades. */
const EVERY_MS = 200;
/** Of entries, in one statement. */
const BYTES_MAX = 128 * 1024;
/** A database that doesn't answer by then is left for the primary that there is then. */
const ANSWER_MS = 10_000;
const AGAIN_MS = 1_000;

const WRITE = `
  WITH head AS (
    UPDATE bazaar.views SET position = $3 WHERE log = $1 AND position = $2 RETURNING log
  ), made AS (
    INSERT INTO bazaar.orders (log, number, name, type, quantity, price, position, at)
    SELECT head.log, o.number, o.name, o.type, o.quantity, o.price, o.position,
      to_timestamp(o.at / 1000)
    FROM head, unnest($4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::float8[],
      $9::bigint[], $10::float8[]) o (number, name, type, quantity, price, position, at)
  ), listed AS (
    INSERT INTO bazaar.stocks (log, name, price, quantity)
    SELECT head.log, l.name, l.price, l.quantity
    FROM head, unnest($11::text[], $12::float8[], $13::bigint[]) l (name, price, quantity)
  ), moved AS (
    UPDATE bazaar.stocks s SET quantity = s.quantity + m.quantity
    FROM head, unnest($14::text[], $15::bigint[]) m (name, quantity)
    WHERE s.log = head.log AND s.name = m.name
  )
  SELECT log FROM head`;

export interface PostgresViewsOptions extends PostgresOptions {
  /** Committed entries after a position, at most about so many bytes, at least one if there is any. */
  readonly read: (after: number, bytesMax: number) => readonly Entry[];
}

export class PostgresViews {
  readonly #options: PostgresViewsOptions;
  readonly #hosts: readonly string[];
  #client: pg.Client | null = null;
  #said = "";
  /** Aborted when the reign ends; null outside of one. */
  #reign: AbortController | null = null;

  constructor(options: PostgresViewsOptions) {
    this.#options = options;
    this.#hosts = hostsOf(options.url);
  }

  /** From now on until rest() they are kept here. */
  lead(): void {
    this.rest();
    this.#reign = new AbortController();
    void this.#keep(this.#reign.signal);
  }

  rest(): void {
    this.#reign?.abort();
    this.#reign = null;
    this.#drop();
  }

  async #keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const client = await this.#connected();
        for (let position = await this.#position(client); !signal.aborted; ) {
          const entries = this.#options.read(position, BYTES_MAX);
          const last = entries.at(-1)?.position;
          if (last === undefined) await delay(EVERY_MS, null, { signal });
          else if (await this.#write(client, position, last, entries)) position = last;
          else position = await this.#position(client); // somebody else was faster
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#drop();
        const reason = (error as Error).message;
        if (reason !== this.#said) {
          this.#options.log.error({ reason }, "bazaar.orders and bazaar.stocks can't be written");
        }
        this.#said = reason;
        await delay(AGAIN_MS, null, { signal }).catch(() => {});
      }
    }
  }

  async #connected(): Promise<pg.Client> {
    const { client } = await findPrimary(this.#hosts, this.#options);
    this.#drop();
    this.#client = client;
    return client;
  }

  async #position(client: pg.Client): Promise<number> {
    const { cluster } = this.#options;
    const { rows } = await answered(
      client.query("SELECT position FROM bazaar.views WHERE log = $1", [cluster]),
    );
    if (rows[0] === undefined) throw new Error("bazaar.views has no row of this log");
    this.#said = "";
    return Number(rows[0].position);
  }

  /** False: they weren't at `position`. */
  async #write(client: pg.Client, position: number, last: number, entries: readonly Entry[]) {
    const values = [this.#options.cluster, position, last, ...columnsOf(entries)];
    const { rowCount } = await answered(client.query({ name: "views", text: WRITE, values }));
    return rowCount === 1;
  }

  #drop(): void {
    if (this.#client) destroy(this.#client);
    this.#client = null;
  }
}

/** What the entries did, as the arrays of WRITE. */
function columnsOf(entries: readonly Entry[]): readonly (readonly unknown[])[] {
  const orders: (readonly unknown[])[] = [];
  const listed = new Map<string, { readonly price: number; quantity: number }>();
  const moved = new Map<string, number>();
  for (const { position, at, body } of entries) {
    if (body.kind !== "command") continue;
    for (const command of decodeCommands(body.bytes)) {
      if (command.kind === "order") {
        const { number, name, type, quantity, price } = command;
        orders.push([number, textOf(name), type, quantity, price, position, at]);
      }
      const effect = effectOf(command);
      if (effect?.kind === "list") listed.set(effect.stock.name, { ...effect.stock });
      if (effect?.kind !== "move") continue;
      // PostgreSQL doesn't show a statement's insertions to its updates.
      const isNew = listed.get(effect.name);
      if (isNew) isNew.quantity += effect.by;
      else moved.set(effect.name, (moved.get(effect.name) ?? 0) + effect.by);
    }
  }
  const stocks = [...listed.values()];
  return [
    ...[0, 1, 2, 3, 4, 5, 6].map((column) => orders.map((row) => row[column])),
    [...listed.keys()].map(textOf),
    stocks.map(({ price }) => price),
    stocks.map(({ quantity }) => quantity),
    [...moved.keys()].map(textOf),
    [...moved.values()],
  ];
}

/** A text in PostgreSQL has no NUL, which a name may have; it is shown as it is drawn. */
function textOf(name: string): string {
  return name.replaceAll("\u0000", "\u2400");
}

async function answered<T>(answer: Promise<T>): Promise<T> {
  const over = new AbortController();
  try {
    return await Promise.race([
      answer,
      delay(ANSWER_MS, null, { signal: over.signal }).then(() => {
        throw new Error("the database doesn't answer");
      }),
    ]);
  } finally {
    over.abort();
  }
}
