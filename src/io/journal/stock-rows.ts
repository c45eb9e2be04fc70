// Stocks as rows with a checksum: in a replica's tables and in a catalog's.
//
// All of them are read at every start, and everything is decided on them, so
// each is verified then.

import { crc32 } from "node:zlib";
import type { Stock } from "../../core/market/types.ts";
import { JournalCorrupt } from "./errors.ts";
import { numberOf, textOf } from "./sqlite.ts";

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
