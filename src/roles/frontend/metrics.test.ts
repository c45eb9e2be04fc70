import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { memoryCopies } from "../../io/cache/memory.ts";
import { build } from "./http/app.ts";
import { overSocket } from "./http/test-http.ts";
import { FrontendMetrics } from "./metrics.ts";
import { stocksOver, TestMarket } from "./test-market.ts";

const log = pino({ level: "silent" });
let app: ReturnType<typeof build>;
let market: TestMarket;
let found: (leader: number | null) => void;

beforeEach(() => {
  market = new TestMarket();
  const copies = memoryCopies({ entriesMax: 100 });
  const stocks = stocksOver(market, { copies, log });
  const metrics = new FrontendMetrics("frontend", {
    cache: () => stocks.stats(),
    isReady: () => true,
    isLeased: () => false,
    onLeader(callback) {
      found = callback;
    },
  });
  app = build({ orders: market, stocks, log, metrics });
});
afterEach(() => app.close());

async function scrape(): Promise<ReadonlyMap<string, number>> {
  const { body, headers } = await overSocket(app, { url: "/metrics" });
  expect(headers["content-type"]).toContain("text/plain");
  const lines = body.split("\n").filter((line) => line.startsWith("bazaar_"));
  return new Map(
    lines.map((line) => [
      line.replace(/ [^ ]*$/, "").replace(/role="frontend",|,?role="frontend"/, ""),
      Number(line.replace(/.* /, "")),
    ]),
  );
}

test("requests and trades are counted, answered before the router or by it", async () => {
  const trade = { method: "POST", url: "/orders" } as const;
  await overSocket(app, { ...trade, payload: '{"name":"FishCo","quantity":1,"type":"buy"}' });
  await overSocket(app, { ...trade, payload: '{"name":"Ash","quantity":1,"type":"buy"}' });
  await overSocket(app, { ...trade, payload: "{" });
  for (let time = 0; time < 3; time += 1) await overSocket(app, { url: "/stocks/FishCo" });
  await overSocket(app, { url: "/orders/1" });
  await overSocket(app, { url: "/nowhere" });
  const told = await scrape();
  const requests = (route: string, status: number) =>
    told.get(`bazaar_http_request_duration_seconds_count{route="${route}",status="${status}"}`);
  expect(requests("POST /orders", 200)).toBe(1);
  expect(requests("POST /orders", 400)).toBe(2);
  expect(requests("GET /stocks/:name", 200)).toBe(3);
  expect(requests("GET /orders/:number", 200)).toBe(1);
  expect(requests("none", 404)).toBe(1);
  expect(told.get('bazaar_trades_total{outcome="accepted"}')).toBe(1);
  expect(told.get('bazaar_trades_total{outcome="refused"}')).toBe(1);
  expect(told.get('bazaar_trades_total{outcome="malformed"}')).toBe(1);
  expect(told.get('bazaar_cache_lookups_total{result="hit"}')).toBe(2);
  expect(told.get('bazaar_cache_lookups_total{result="miss"}')).toBe(1);
});

test("a refusal is counted, whether the leader was asked or not", async () => {
  const trade = { method: "POST", payload: '{"name":"FishCo","quantity":1,"type":"buy"}' } as const;
  for (const url of ["/orders", "/orders?"]) {
    const post = (headers: Record<string, string>, payload: string = trade.payload) =>
      overSocket(app, { ...trade, url, headers, payload });
    await post({ "idempotency-key": "" });
    await post({}, "x".repeat(70_000));
    await post({ origin: "https://evil.example" });
    market.failing = new Error("unheard of");
    await post({});
    market.failing = "unavailable";
    await post({});
    market.failing = null;
  }
  const told = await scrape();
  const trades = (outcome: string) => told.get(`bazaar_trades_total{outcome="${outcome}"}`);
  expect(trades("malformed")).toBe(4);
  expect(trades("foreign")).toBe(2);
  expect(trades("failed")).toBe(2);
  expect(trades("unavailable")).toBe(2);
  for (const status of [400, 413, 403, 500, 503]) {
    const route = `{route="POST /orders",status="${status}"}`;
    expect(told.get(`bazaar_http_request_duration_seconds_count${route}`), `${status}`).toBe(2);
  }
});

test("each leader that is found counts as a change, the loss of one doesn't", async () => {
  found(9094);
  found(null);
  found(9092);
  const told = await scrape();
  expect(told.get("bazaar_leader_changes_total{}")).toBe(2);
  expect(told.get("bazaar_ready{}")).toBe(1);
  expect(told.get("bazaar_leased{}")).toBe(0);
});
