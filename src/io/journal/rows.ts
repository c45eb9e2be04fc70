// Stocks and orders as rows with a checksum, and many rows in few statements.
//
// All stocks are read at every start, in a replica and in a catalog, and
// everything is decided on them, so each is verified then, and that none is
// missing: their number and the sum of their checksums are kept in another row. A
// sum costs a change only the rows it touches, and is the same in whatever order
// they come.
//
// An order's row names its stock by number and leaves the request id to
// `requests`: with the text of both it would be twice as long.

import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { crc32 } from "node:zlib";
import { invariant } from "../../core/invariant.ts";
import type { Order, Stock } from "../../core/market/types.ts";
import { JournalCorrupt } from "./errors.ts";
import { numberOf, textOf } from "./sqlite.ts";

/**
 * Rows a statement. One call into SQLite with 16 rows takes 2.4 µs a row where 16 calls take 4
 * (measured with an order and its request id); more rows a call bring no more.
 */
const ROWS = 16;

/**
 * Prepares `INSERT INTO into VALUES (…)` for any number of rows; `into` is a
 * table with its columns, `columns` their number. The values of all rows come in
 * one array, row after row.
 */
export function prepareBulkInsert(
  database: DatabaseSync,
  into: string,
  columns: number,
): (values: readonly SQLInputValue[]) => void {
  const row = `(${Array(columns).fill("?").join(", ")})`;
  const single = database.prepare(`INSERT INTO ${into} VALUES ${row}`);
  const many = database.prepare(`INSERT INTO ${into} VALUES ${Array(ROWS).fill(row).join(", ")}`);
  const perCall = columns * ROWS;
  return (values) => {
    invariant(values.length % columns === 0, "values make whole rows", { length: values.length });
    let offset = 0;
    for (; offset + perCall <= values.length; offset += perCall) {
      many.run(...values.slice(offset, offset + perCall));
    }
    for (; offset < values.length; offset += columns) {
      single.run(...values.slice(offset, offset + columns));
    }
  };
}

const SUM_BITS = 48;

/** A sum of checksums with some of them exchanged; 0 is that of none. */
export function changedSum(sum: number, removed: number, added: number): number {
  const modulus = 2 ** SUM_BITS;
  return (((sum - removed + added) % modulus) + modulus) % modulus;
}

/** CRC-32 over the fields of a stock. */
export function stockChecksum({ name, price, quantity }: Stock): number {
  return crc32(`${name} ${price} ${quantity}`);
}

/** A stock from its row. Throws JournalCorrupt. */
export function stockOf(path: string, row: Readonly<Record<string, unknown>>): Stock {
  const stock = {
    name: textOf(row.name),
    price: numberOf(row.price),
    quantity: numberOf(row.quantity),
  };
  if (stockChecksum(stock) !== numberOf(row.checksum)) {
    throw new JournalCorrupt(path, null, `the checksum of stock ${stock.name} is wrong`);
  }
  return stock;
}

/** An order as the tables give it back: under which request id it came is only found the other way round. */
export type RecordedOrder = Omit<Order, "requestId">;

/** Columns of `orders`, as many as orderValues() gives. */
export const ORDER_COLUMNS = 7;

/** The values of an order's row, in the order of the columns. */
export function orderValues(
  { number, type, quantity, price }: RecordedOrder,
  stock: number,
  position: number,
): readonly SQLInputValue[] {
  const sells = type === "sell" ? 1 : 0;
  const checksum = orderChecksum(number, stock, sells, quantity, price, position);
  return [number, stock, sells, quantity, price, position, checksum];
}

/** The order of a row; `nameOf` knows stocks by number. Throws JournalCorrupt. */
export function orderOf(
  path: string,
  row: Readonly<Record<string, unknown>>,
  nameOf: (stock: number) => string | undefined,
): RecordedOrder {
  const number = numberOf(row.number);
  const stock = numberOf(row.stock);
  const sells = numberOf(row.sells);
  const quantity = numberOf(row.quantity);
  const price = numberOf(row.price);
  const position = numberOf(row.position);
  const name = nameOf(stock);
  if (
    name === undefined ||
    orderChecksum(number, stock, sells, quantity, price, position) !== numberOf(row.checksum)
  ) {
    throw new JournalCorrupt(path, position, `the checksum of order ${number} is wrong`);
  }
  return { number, name, type: sells === 1 ? "sell" : "buy", quantity, price };
}

function orderChecksum(...fields: readonly number[]): number {
  return crc32(fields.join(" "));
}
