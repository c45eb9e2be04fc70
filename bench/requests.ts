// The requests of each load, as the bytes that go over the connection.
//
// Made here and not in wrk's Lua, so that every generator and every peer gets
// the same ones, and so that making them costs nothing while it is measured.

import type { StockRow } from "../lab/cluster.ts";
import { REQUESTS_PREPARED, STOCK_QUANTITY, TRADE_PROBABILITY } from "./limits.ts";

/** Between requests in the file that a generator reads. */
export const SEPARATOR = "\u0001";

const LETTERS = 26;

/** Names of one length, so that 10 and 10,000 stocks differ in nothing else. */
export function stockName(index: number): string {
  const letter = (place: number) =>
    String.fromCharCode(65 + (Math.floor(index / LETTERS ** place) % LETTERS));
  return `Stock${letter(2)}${letter(1)}${letter(0)}`;
}

/** The first stocks of a cluster. */
export function stockRows(stocks: number): StockRow[] {
  return Array.from({ length: stocks }, (_, index) => [
    stockName(index),
    10 + (index % 90),
    STOCK_QUANTITY,
  ]);
}

/** The body of a trade. */
export function tradeBody(name: string): string {
  return JSON.stringify({ name, quantity: 1, type: "buy" });
}

/** Trades of one of `stocks` stocks, picked at random. */
export function trades(stocks: number): string[] {
  return pick(stocks, trade);
}

/** Lookups of one of `stocks` stocks, picked at random. */
export function lookups(stocks: number): string[] {
  return pick(stocks, lookup);
}

/** The lab's client: a lookup, then with p = 0.2 a trade of what was looked up. */
export function mix(stocks: number): string[] {
  const random = generator();
  return pick(stocks, (name) =>
    random() < TRADE_PROBABILITY ? [lookup(name), trade(name)] : [lookup(name)],
  ).flat();
}

/** etcd's puts, of values as long as a trade's body and under keys of which none is much used. */
export function puts(): string[] {
  return Array.from({ length: REQUESTS_PREPARED }, (_, index) => {
    const key = Buffer.from(`order/${index}`).toString("base64");
    const value = Buffer.from(tradeBody(stockName(index))).toString("base64");
    return post("/v3/kv/put", JSON.stringify({ key, value }));
  });
}

/** A request with further headers. */
export function withHeaders(request: string, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `\r\n${name}: ${value}`);
  return request.replace("\r\n", `${lines.join("")}\r\n`);
}

function lookup(name: string): string {
  return `GET /stocks/${name} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
}

function trade(name: string): string {
  return post("/orders", tradeBody(name));
}

function post(path: string, body: string): string {
  const head = [
    `POST ${path} HTTP/1.1`,
    "Host: 127.0.0.1",
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

function pick<T>(stocks: number, make: (name: string) => T): T[] {
  const random = generator();
  return Array.from({ length: REQUESTS_PREPARED }, () =>
    make(stockName(Math.floor(random() * stocks))),
  );
}

/** Numbers in [0, 1), the same in every run: xorshift32. */
function generator(): () => number {
  let state = 0x9e3779b9;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
