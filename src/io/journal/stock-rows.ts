// Stocks as rows with a checksum: in a replica's tables and in a catalog's.
//
// All of them are read at every start, and everything is decided on them, so
// each is verified then, and that none is missing: their number and the sum of
// their checksums are kept in another row. A sum costs a change only the rows it
// touches, and is the same in whatever order they come.

import { crc32 } from "node:zlib";
import type { Stock } from "../../core/market/types.ts";
import { JournalCorrupt } from "./errors.ts";
import { numberOf, textOf } from "./sqlite.ts";

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
