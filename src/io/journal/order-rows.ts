// Orders as rows with a checksum.
//
// A row names its stock by number and leaves the request id to `requests`: with
// the text of both it would be twice as long.

import type { SQLInputValue } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { Order } from "../../core/market/types.ts";
import { JournalCorrupt } from "./errors.ts";
import { numberOf } from "./sqlite.ts";

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
  const checksum = checksumOf(number, stock, sells, quantity, price, position);
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
    checksumOf(number, stock, sells, quantity, price, position) !== numberOf(row.checksum)
  ) {
    throw new JournalCorrupt(path, position, `the checksum of order ${number} is wrong`);
  }
  return { number, name, type: sells === 1 ? "sell" : "buy", quantity, price };
}

function checksumOf(...fields: readonly number[]): number {
  return crc32(fields.join(" "));
}
