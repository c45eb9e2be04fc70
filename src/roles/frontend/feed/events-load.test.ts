// The feed at 10,000 orders a second, half of them answered by this front end:
// what its reader is sent doesn't grow with them, and nothing is miscounted.

import pino from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ChangeMessage, StateMessage } from "../../../client/event-messages.ts";
import type { Stock } from "../../../core/market/types.ts";
import { noCopies } from "../../../io/cache/types.ts";
import type { Question } from "../../contract.ts";
import type { Asked } from "../orders/order-service.ts";
import { Feed } from "./events.ts";
import { WatchedCache } from "./events-cache.ts";
import type { WatchedCluster } from "./events-cluster.ts";
import { TICK_MS } from "./events-limits.ts";
import { WatchedStocks } from "./events-stocks.ts";
import { Tape } from "./events-tape.ts";

const ORDERS_PER_S = 10_000;
const SECONDS = 20;
const STEP_MS = 10;
/** A dozen orders, a dozen stocks and their sums, four times: some 10 kB. */
const BYTES_PER_S_MAX = 16_384;
const NAMES = [..."ABCDEFGHIJKL"].map((letter) => `${letter}Co`);

class Market {
  last = 0;
  questions = 0;

  async ask(question: Question): Promise<Asked> {
    if (question.kind !== "orders") throw new Error("asked for something else");
    this.questions += 1;
    const count = Math.max(0, Math.min(question.limit, this.last - question.after));
    const orders = Array.from({ length: count }, (_, index) => order(question.after + 1 + index));
    return { kind: "answer", answer: { kind: "orders", orders, next: null } };
  }

  async page() {
    const stocks: Stock[] = NAMES.map((name) => ({ name, price: 1, quantity: this.last }));
    return { kind: "stocks" as const, stocks, next: null, total: stocks.length, position: 1 };
  }
}

function order(number: number) {
  return { number, name: NAMES[number % NAMES.length] ?? "", type: "buy" as const, quantity: 2 };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("10,000 orders a second are summed right, and sent in a few messages", async () => {
  const market = new Market();
  const tape = new Tape(market);
  const counts = { ...noCopies().stats(), hits: 0, misses: 0 };
  const cluster = { look: () => ({}), take: () => [], rest: () => {}, led: () => {} };
  const feed = new Feed({
    tape,
    stocks: new WatchedStocks(market, tape),
    cluster: cluster as unknown as WatchedCluster,
    cache: new WatchedCache(noCopies(), { stats: () => counts }, 0),
    probes: { ask: async () => {} },
    log: pino({ level: "silent" }),
    name: "abc",
    nowMs: () => performance.now(),
    wallMs: () => Date.now(),
  });
  const sent: string[] = [];
  const reader = {
    destroyed: false,
    writableLength: 0,
    once: () => {},
    end: () => {},
    write: (text: string) => sent.push(text),
  };
  const begun = feed.watch(reader as never, undefined);
  await vi.advanceTimersByTimeAsync(TICK_MS);
  await begun;

  for (let ms = 0; ms < SECONDS * 1_000; ms += STEP_MS) {
    for (let count = 0; count < (ORDERS_PER_S * STEP_MS) / 1_000; count += 1) {
      market.last += 1;
      // The others came through another front end.
      if (market.last % 2 === 0) feed.traded("accepted", 5, order(market.last));
    }
    await vi.advanceTimersByTimeAsync(STEP_MS);
  }
  await vi.advanceTimersByTimeAsync(10 * TICK_MS);
  feed.close();

  const total = ORDERS_PER_S * SECONDS;
  expect(market.last).toBe(total);
  const changes = sent.slice(1).map(dataOf<ChangeMessage>);
  const orders = changes.flatMap((change) => change.orders ?? []);
  expect(orders.reduce((sum, { rows, more }) => sum + rows.length + more, 0)).toBe(total);
  expect(orders.at(-1)?.last).toBe(total);
  const stocks = new Map(dataOf<StateMessage>(sent[0] ?? "").stocks?.rows.map(byName));
  for (const change of changes)
    for (const row of change.stocks?.rows ?? []) stocks.set(row.name, row);
  const volumes = [...stocks.values()].map(({ volume }) => volume ?? 0);
  expect(volumes.reduce((sum, volume) => sum + volume, 0)).toBe(2 * total);
  const rates = changes.flatMap((change) => change.rates ?? []);
  expect(rates.reduce((sum, { trades }) => sum + trades, 0)).toBe(total / 2);

  const bytes = sent.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  expect(changes.length / SECONDS).toBeLessThan(1_000 / TICK_MS + 1);
  expect(bytes / SECONDS).toBeLessThan(BYTES_PER_S_MAX);
  // The leader is asked for pages, not for orders.
  expect(market.questions / SECONDS).toBeLessThan(40);
});

function dataOf<T>(text: string): T {
  return JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? "null");
}

function byName<T extends { readonly name: string }>(row: T): [string, T] {
  return [row.name, row];
}
