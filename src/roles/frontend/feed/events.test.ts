// The feed with all that it looks at, behind its route, on the real market core.

import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import pino from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ChangeMessage, StateMessage } from "../../../client/event-messages.ts";
import { memoryCopies } from "../../../io/cache/memory.ts";
import { noCopies } from "../../../io/cache/types.ts";
import type { ClusterConfig } from "../../config.ts";
import { build } from "../http/app.ts";
import type { Asked } from "../orders/order-service.ts";
import { stocksOver, TestMarket } from "../test-market.ts";
import { Feed } from "./events.ts";
import { WatchedCache } from "./events-cache.ts";
import type { WatchedCluster } from "./events-cluster.ts";
import { READERS_MAX, RING_MS, TICK_MS } from "./events-limits.ts";
import type { WatchedStocks } from "./events-stocks.ts";
import { Tape } from "./events-tape.ts";
import { watchFrontend } from "./events-watch.ts";

const WAIT = { timeout: 15_000, interval: 10 };
const log = pino({ level: "silent" });
const PLACE = { host: "127.0.0.1", port: 0 };
const CONFIG: ClusterConfig = {
  data: "/nowhere",
  frontends: [{ ...PLACE, name: "frontend" }],
  catalogs: [{ ...PLACE, name: "catalog" }],
  replicas: [{ ...PLACE, id: 9094, name: "order-9094" }],
  stocks: "",
  cache: { kind: "memory", entriesMax: 2 },
  corsOrigins: [],
  tls: null,
  peerCertificate: null,
  ca: null,
  insecure: false,
  allowedHosts: [],
  rateLimit: { unitsPerS: 0, loopback: false },
  trustProxy: [],
  engine: { kind: "builtin" },
  drainMs: 0,
  logLevel: "silent",
};

let market: TestMarket;
let feed: Feed;
let app: ReturnType<typeof build>;
let url: string;

beforeEach(async () => {
  market = new TestMarket();
  const nowMs = () => performance.now();
  const copies = memoryCopies({ entriesMax: 2 });
  const stocks = stocksOver(market, { copies, log, nowMs });
  feed = watchFrontend({
    config: CONFIG,
    name: "frontend",
    copies,
    orders: Object.assign(market, { replicas: () => [] }),
    catalogs: { peer: () => null },
    stocks,
    playground: undefined,
    log,
    nowMs,
  });
  app = build({ orders: market, stocks, log, feed });
  url = await app.listen({ port: 0, host: "127.0.0.1" });
});
afterEach(() => app.close());

async function read(headers: Record<string, string> = {}) {
  const messages: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => messages.push(event) });
  const gone = new AbortController();
  const response = await fetch(`${url}/events`, { headers, signal: gone.signal });
  const decoder = new TextDecoder();
  const ended = (async () => {
    for await (const bytes of response.body ?? []) {
      parser.feed(decoder.decode(bytes, { stream: true }));
    }
  })().catch(() => {});
  return { response, messages, ended, close: () => gone.abort() };
}

function dataOf<T>(message: EventSourceMessage | undefined): T {
  return JSON.parse(message?.data ?? "null");
}

async function buy(quantity: number): Promise<number> {
  const body = JSON.stringify({ name: "FishCo", type: "buy", quantity });
  return (await fetch(`${url}/orders`, { method: "POST", body })).status;
}

test("a reader gets a whole picture first", async () => {
  const { response, messages, close } = await read();
  expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expect(response.headers.get("cache-control")).toBe("no-store");
  await vi.waitFor(() => expect(messages.length).toBeGreaterThan(0), WAIT);
  expect(messages[0]?.event).toBe("state");
  const state = dataOf<StateMessage>(messages[0]);
  expect(state.stocks?.rows.map(({ name }) => name)).toEqual(["BoarCo", "FishCo", "GameStart"]);
  expect(state.cluster).toMatchObject({ leader: 9094, ready: true, quorum: 1 });
  expect(state.cache).toMatchObject({ kind: "memory", size: 0, sizeMax: 2 });
  close();
});

test("a reader is told the name and the rights of its key, and nothing of others'", async () => {
  const told = async (owner: string | null): Promise<StateMessage["key"]> => {
    const reader = new ServerResponse(new IncomingMessage(new Socket()));
    const written: string[] = [];
    reader.write = (text: string) => written.push(text) > 0;
    const may = (right: string) => right === "trade" || right === "read";
    await feed.watch(reader, undefined, { owner, may, holds: () => true });
    const messages: EventSourceMessage[] = [];
    createParser({ onEvent: (event) => messages.push(event) }).feed(written.join(""));
    return dataOf<StateMessage>(messages[0]).key;
  };
  expect(await told("shop")).toEqual({ name: "shop", may: ["read", "trade"] });
  expect(await told(null)).toBeNull();
});

test("a trade is told, with what it changed", async () => {
  const { messages, close } = await read();
  await vi.waitFor(() => expect(messages.length).toBeGreaterThan(0), WAIT);
  expect(await buy(43)).toBe(200);
  expect(await buy(1_000_000)).toBe(500);
  const changes = () => messages.slice(1).map((message) => dataOf<ChangeMessage>(message));
  await vi.waitFor(() => {
    const rows = changes().flatMap(({ orders }) => orders?.rows ?? []);
    expect(rows).toEqual([{ number: 1, name: "FishCo", type: "buy", quantity: 43 }]);
    const fish = changes().flatMap(({ stocks }) => stocks?.rows ?? []);
    expect(fish.at(-1)).toMatchObject({ name: "FishCo", quantity: 557, volume: 43, trades: 1 });
    const rates = changes().flatMap(({ rates: points }) => points ?? []);
    const sum = (of: "trades" | "refused") => rates.reduce((all, point) => all + point[of], 0);
    expect([sum("trades"), sum("refused")]).toEqual([1, 1]);
  }, WAIT);
  close();
});

test("a reader beyond the limit is told to come again", async () => {
  const readers = [];
  for (let count = 0; count < READERS_MAX; count++) readers.push(await read());
  const late = await read();
  expect(late.response.status).toBe(503);
  expect(late.response.headers.get("retry-after")).toBe("1");
  for (const { close } of readers) close();
  await vi.waitFor(() => expect(feed.readers.count).toBe(0), WAIT);
});

test("of many that come at once, before there is anything to show, no more than the limit are let in", async () => {
  vi.spyOn(market, "ask").mockReturnValue(new Promise(() => {}));
  const readers = await Promise.all(Array.from({ length: 100 }, () => read()));
  const statuses = readers.map(({ response }) => response.status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(READERS_MAX);
  expect(statuses.filter((status) => status === 503)).toHaveLength(100 - READERS_MAX);
  for (const { close } of readers) close();
  await vi.waitFor(() => expect(feed.readers.count).toBe(0), WAIT);
});

test("a reader that leaves while there is nothing to show yet is forgotten", async () => {
  const waiting = Promise.withResolvers<Asked>();
  vi.spyOn(market, "ask").mockReturnValue(waiting.promise);
  const { close, ended } = await read();
  close();
  await ended;
  const { messages, close: end } = await read();
  await vi.waitFor(() => expect(messages.length).toBeGreaterThan(0), WAIT);
  waiting.resolve({ kind: "unavailable" });
  await vi.waitFor(() => expect(feed.readers.count).toBe(1), WAIT);
  end();
});

test("a server with readers closes, and their streams end", async () => {
  const { messages, ended } = await read();
  await vi.waitFor(() => expect(messages.length).toBeGreaterThan(0), WAIT);
  await app.close();
  await ended;
});

test("readers are answered though the market fails", async () => {
  Object.assign(market, { failing: new Error("broken") });
  const { messages, close } = await read();
  await vi.waitFor(() => expect(messages.length).toBeGreaterThan(0), WAIT);
  close();
});

test("the cache is told with what is in it, and with what went and why", async () => {
  const copies = memoryCopies({ entriesMax: 2 });
  const lookups = { stats: () => ({ ...copies.stats(), hits: 1, misses: 2 }) };
  const cache = new WatchedCache(copies, lookups, 2);
  copies.observe?.((name, why) => cache.removed(name, why, 5));
  for (const name of ["A", "B", "C"]) copies.put(name, { body: "{}", position: 1 });
  copies.get("B");
  expect(cache.look()).toMatchObject({
    names: ["B", "C"],
    size: 2,
    sizeMax: 2,
    evictions: 1,
    misses: 2,
  });
  copies.drop(["B", "Unknown"]);
  expect(cache.look().gone).toEqual([
    { name: "B", why: "invalidated", at: 5 },
    { name: "A", why: "evicted", at: 5 },
  ]);
  copies.put("C", { body: "{}", position: 2 }); // replaced, not gone
  copies.clear(); // all of them: no news of one
  expect(cache.look().gone).toHaveLength(2);
  expect(cache.lookups).toBe(3);
});

test("with nobody watching, nothing is asked", async () => {
  vi.useFakeTimers();
  try {
    const asked = { reads: 0, lists: 0, probes: 0 };
    const counted = (what: keyof typeof asked) => async () => {
      asked[what] += 1;
    };
    const tape = new Tape(market);
    vi.spyOn(tape, "read").mockImplementation(counted("reads"));
    const cluster = { look: () => ({}), take: () => [], rest: () => {}, led: () => {} };
    const nothing = { rows: [], total: 0, countedFrom: 1 };
    const watched = {
      ask: counted("lists"),
      step: () => {},
      take: () => null,
      all: nothing,
      trails: {},
    };
    const feed = new Feed({
      tape,
      stocks: watched as unknown as WatchedStocks,
      cluster: cluster as unknown as WatchedCluster,
      cache: new WatchedCache(
        noCopies(),
        { stats: () => ({ ...noCopies().stats(), hits: 0, misses: 0 }) },
        1,
      ),
      probes: { ask: counted("probes") },
      log,
      name: "abc",
      nowMs: () => performance.now(),
      wallMs: () => Date.now(),
    });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toEqual({ reads: 0, lists: 0, probes: 0 });
    const reader = new ServerResponse(new IncomingMessage(new Socket()));
    await feed.watch(reader, undefined);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked.reads).toBeGreaterThan(30);
    reader.emit("close");
    await vi.advanceTimersByTimeAsync(RING_MS + TICK_MS);
    const before = { ...asked };
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toEqual(before);
    feed.close();
  } finally {
    vi.useRealTimers();
  }
});
