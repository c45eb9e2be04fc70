// The tables of a replica's file: what is in DIR/order-9094/order.db.
//
// They are what the committed entries up to `applied.position` amount to, a view
// of the journal in the folder beside it.
//
// Rows are kept small, since orders stay forever: an order names its stock by
// number, and its request id is only in `requests`. `order_log` shows people the
// orders with their names.
//
// The row of `applied` says up to which position the tables hold the journal's
// effects, and what they amount to there. It is written in the same transaction as
// the tables, so the two can't disagree unless the disk changed one of them: a
// flipped bit can hide rows of a table, and nothing in the table then says so.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { invariant } from "../../core/invariant.ts";
import { JournalCorrupt } from "./errors.ts";
import { bytesOf, type FileKind, numberOf, reading } from "./sqlite.ts";

/**
 * - `applied`: one row, what the tables amount to: the newest order's number, which
 *   is also how many there are, how many request ids and stocks, the sum of the
 *   stocks' checksums modulo 2^48, the greatest made request id.
 * - `requests`: `id` as bytes for a UUID, else as text; `next` is the id after it, so
 *   that an id which isn't there is known not to be; `number` of the order it
 *   made, or else the `position` and the `command` that recorded it. The row with
 *   the empty id comes before all others and is nobody's.
 * - `applied`, `stocks`, `orders`, `requests`: `checksum` is a CRC-32 over the rest of the row.
 */
const SCHEMA = `
  CREATE TABLE applied (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    position INTEGER NOT NULL,
    orders INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    stocks INTEGER NOT NULL,
    stocks_sum INTEGER NOT NULL,
    greatest_made BLOB,
    checksum INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE stocks (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    price REAL NOT NULL,
    quantity INTEGER NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE orders (
    number INTEGER PRIMARY KEY,
    stock INTEGER NOT NULL,
    sells INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    price REAL NOT NULL,
    position INTEGER NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE requests (
    id ANY PRIMARY KEY,
    next ANY,
    number INTEGER,
    position INTEGER,
    command BLOB,
    checksum INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE VIEW order_log AS
    SELECT number AS transaction_number, name AS stock_name,
      iif(sells, 'sell', 'buy') AS order_type, orders.quantity AS trade_quantity
    FROM orders JOIN stocks ON stocks.id = orders.stock;
`;

/** The file of an order replica: "baz1". */
export const ORDER_FILE: FileKind = {
  applicationId: 0x62617a31,
  schemaVersion: 3,
  schema: SCHEMA,
};

/** What the tables amount to. */
export interface TableTotals {
  /** Number of the newest order, which is also how many there are. */
  readonly orders: number;
  /** Request ids recorded. */
  readonly requests: number;
  readonly stocks: number;
  /** stocksSum() of all stocks. */
  readonly stocksSum: number;
  /** The greatest key of a made request id; null when there is none. */
  readonly greatestMade: Uint8Array | null;
}

/** The position of the tables, and what they amount to there. */
export interface Applied extends TableTotals {
  readonly position: number;
}

const NOTHING: Applied = {
  position: 0,
  orders: 0,
  requests: 0,
  stocks: 0,
  stocksSum: 0,
  greatestMade: null,
};

export class AppliedRow {
  readonly #update: StatementSync;
  #applied: Applied;

  /** Reads and verifies the row. Throws JournalCorrupt. */
  constructor(database: DatabaseSync, path: string) {
    this.#update = database.prepare(
      "UPDATE applied SET position = ?, orders = ?, requests = ?, stocks = ?, stocks_sum = ?, " +
        "greatest_made = ?, checksum = ?",
    );
    this.#applied = readApplied(database, path);
  }

  /** Writes the first row, of tables that hold nothing. */
  static insert(database: DatabaseSync): void {
    database
      .prepare("INSERT INTO applied VALUES (1, ?, ?, ?, ?, ?, ?, ?)")
      .run(...appliedValues(NOTHING));
  }

  /** As committed. */
  get applied(): Applied {
    return this.#applied;
  }

  /** Writes the row anew; what is returned is to be called once that is committed. */
  write(applied: Applied): () => void {
    invariant(applied.position >= this.#applied.position, "the applied position never goes back", {
      before: this.#applied.position,
      after: applied.position,
    });
    this.#update.run(...appliedValues(applied));
    return () => {
      this.#applied = applied;
    };
  }
}

/** The row in the file. Throws JournalCorrupt. */
export function readApplied(database: DatabaseSync, path: string): Applied {
  return reading(path, null, () => {
    const row = database.prepare("SELECT * FROM applied").get();
    if (row === undefined) throw new JournalCorrupt(path, null, "the row of applied is gone");
    const applied: Applied = {
      position: numberOf(row.position),
      orders: numberOf(row.orders),
      requests: numberOf(row.requests),
      stocks: numberOf(row.stocks),
      stocksSum: numberOf(row.stocks_sum),
      greatestMade: row.greatest_made === null ? null : bytesOf(row.greatest_made),
    };
    if (numberOf(row.checksum) !== appliedChecksum(applied)) {
      throw new JournalCorrupt(path, null, "the checksum of the applied position is wrong");
    }
    return applied;
  });
}

function appliedValues(applied: Applied) {
  const { position, orders, requests, stocks, stocksSum, greatestMade } = applied;
  const checksum = appliedChecksum(applied);
  return [position, orders, requests, stocks, stocksSum, greatestMade, checksum] as const;
}

function appliedChecksum({ position, orders, requests, stocks, stocksSum, greatestMade }: Applied) {
  const made = greatestMade === null ? "none" : Buffer.from(greatestMade).toString("hex");
  return crc32(`applied ${[position, orders, requests, stocks, stocksSum, made].join(" ")}`);
}
