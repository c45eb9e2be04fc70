// The tables of a replica's file: what is in DIR/order-9094/order.db.
//
// `meta` and `entries` are the journal; the others are what the committed
// entries up to `applied.position` amount to. Both are in one file so that one
// transaction, with one fsync, writes a batch and the effects of an earlier one.
//
// Rows are kept small, since orders stay forever: an order names its stock by
// number, and its request id is only in `requests`. `order_log` shows people the
// orders with their names.

import { ADMIT } from "./chain.ts";
import type { FileKind } from "./sqlite.ts";

/**
 * - `meta`: one row; `last_position`, `last_digest` and `admissions` say where the
 *   journal ends and how many `admit` entries it has; `checksum` is a SHA-256 over it.
 * - `entries`: `digest` is a SHA-256 over the previous entry's digest and this entry.
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
  CREATE TABLE meta (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    cluster TEXT NOT NULL,
    members TEXT NOT NULL,
    replica INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    promise_epoch INTEGER NOT NULL,
    promise_nominee INTEGER NOT NULL,
    voter INTEGER NOT NULL,
    last_position INTEGER NOT NULL,
    last_digest BLOB NOT NULL,
    admissions INTEGER NOT NULL,
    checksum BLOB NOT NULL
  ) STRICT;

  CREATE TABLE entries (
    position INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    at REAL NOT NULL,
    kind INTEGER NOT NULL,
    body BLOB NOT NULL,
    digest BLOB NOT NULL
  ) STRICT;

  CREATE INDEX entries_admit ON entries (position) WHERE kind = ${ADMIT};

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
  schemaVersion: 2,
  schema: SCHEMA,
};
