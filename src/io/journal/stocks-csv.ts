// The first stocks of a new cluster, from a CSV: name,price,quantity.
//
// Read once, by a person's command, from a file that a person wrote: so any
// doubt is an error that names the line. Quotes are no part of it, since a name
// is letters only.

import { readFileSync } from "node:fs";
import { isPrice, isQuantity, isStockName } from "../../core/market/content.ts";
import { NAME_LETTERS_MAX, PRICE_MAX } from "../../core/market/limits.ts";
import type { Stock } from "../../core/market/types.ts";
import { DataFileError } from "./errors.ts";

const HEADER = "name,price,quantity";

/** First stocks more than these are a mistake: each becomes an entry, and the format one transaction. */
const STOCKS_MAX = 100_000;

/** The stocks' file can't be used; the message names the line and says what to change. */
export class BadStocksFile extends DataFileError {
  override readonly name = "BadStocksFile";
}

/** The stocks in the file at `path`, in its order. Throws BadStocksFile. */
export function readStocksCsv(path: string): Stock[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new BadStocksFile(`${path} can't be read: give the path of a CSV of stocks`, {
      cause: error,
    });
  }
  return parseStocksCsv(text, path);
}

/** The stocks in `text`; `source` is what errors call it. Throws BadStocksFile. */
export function parseStocksCsv(text: string, source: string): Stock[] {
  const lines = text.replace(/^\u{feff}/u, "").split(/\r?\n/);
  if (lines[0]?.trim() !== HEADER) {
    throw new BadStocksFile(`${source}, line 1: it must be ${HEADER}`);
  }
  const stocks = new Map<string, Stock>();
  for (const [index, line] of lines.entries()) {
    if (index === 0 || line.trim() === "") continue;
    const where = `${source}, line ${index + 1}`;
    const stock = parseLine(where, line);
    if (stocks.has(stock.name)) {
      throw new BadStocksFile(`${where}: ${stock.name} is there already; name each stock once`);
    }
    if (stocks.size === STOCKS_MAX) {
      throw new BadStocksFile(`${where}: more than ${STOCKS_MAX} stocks; list the others later`);
    }
    stocks.set(stock.name, stock);
  }
  if (stocks.size === 0) throw new BadStocksFile(`${source}: there is no stock in it; add one`);
  return [...stocks.values()];
}

function parseLine(where: string, line: string): Stock {
  const [name = "", price = "", quantity = "", ...rest] = line
    .split(",")
    .map((each) => each.trim());
  if (rest.length > 0) throw new BadStocksFile(`${where}: it must have three fields, ${HEADER}`);
  if (!isStockName(name)) {
    throw new BadStocksFile(
      `${where}: a name must be letters A to Z only, ${NAME_LETTERS_MAX} at most, not ${shown(name)}`,
    );
  }
  if (!/^\d+(\.\d+)?$/.test(price) || !isPrice(Number(price))) {
    throw new BadStocksFile(
      `${where}: the price must be a positive number like 17.99, up to ${PRICE_MAX}, not ${shown(price)}`,
    );
  }
  if (!/^\d+$/.test(quantity) || !isQuantity(Number(quantity))) {
    throw new BadStocksFile(
      `${where}: the quantity must be a whole number like 600, not ${shown(quantity)}`,
    );
  }
  return { name, price: Number(price), quantity: Number(quantity) };
}

/** A field as a message shows it: quoted, and not longer than a line. */
function shown(field: string): string {
  return JSON.stringify(field.length > 40 ? `${field.slice(0, 40)}…` : field);
}
