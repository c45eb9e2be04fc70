// Pages of other sites.

import Fastify from "fastify";
import pino from "pino";
import { afterEach, describe, expect, test } from "vitest";
import { TestMarket } from "../test-market.ts";
import { build } from "./app.ts";
import { answersOrigins, corsHook, FOREIGN_PAGE, foreignTo } from "./origins.ts";
import { overSocket, type TestRequest } from "./test-http.ts";

const SHOP = "https://shop.example";
const log = pino({ level: "silent" });
let app: ReturnType<typeof build>;
let market: TestMarket;
let dropped: string[];

function start(corsOrigins: readonly string[]): void {
  market = new TestMarket();
  dropped = [];
  const copy = { body: '{"data":1}', position: 1 };
  const stocks = {
    lookup: () => copy,
    list: async () => ({ kind: "unavailable" as const }),
    page: async () => ({ kind: "unavailable" as const }),
    drop: (name: string) => void dropped.push(name),
  };
  app = build({ orders: market, stocks, log, corsOrigins });
}
afterEach(() => app.close());

const asked = (url: string, origin: string): TestRequest => ({ url, headers: { origin } });
const TRADE = {
  url: "/orders",
  method: "POST",
  payload: '{"name":"FishCo","quantity":1,"type":"buy"}',
} as const;
const PREFLIGHT = {
  url: "/orders",
  method: "OPTIONS",
  headers: {
    origin: SHOP,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,idempotency-key",
  },
} as const;

describe("a page of a site that was named", () => {
  test.each(["/stocks/FishCo", "/orders/99", "/nowhere", "/healthz"])(
    "can read %s",
    async (url) => {
      start([SHOP]);
      const { headers } = await overSocket(app, asked(url, SHOP));
      expect(headers["access-control-allow-origin"]).toBe(SHOP);
      expect(headers["access-control-expose-headers"]).toContain("idempotency-key");
      expect(headers.vary).toBe("origin");
    },
  );

  test("can trade, and learns its key", async () => {
    start(["https://other.example", SHOP]);
    const preflight = await overSocket(app, PREFLIGHT);
    expect(preflight.statusCode).toBe(204);
    expect(preflight.headers).toMatchObject({
      "access-control-allow-origin": SHOP,
      "access-control-allow-methods": expect.stringContaining("POST"),
      "access-control-allow-headers": expect.stringContaining("idempotency-key"),
    });
    const trade = await overSocket(app, { ...TRADE, headers: { origin: SHOP } });
    expect(trade.statusCode).toBe(200);
    expect(trade.headers["access-control-allow-origin"]).toBe(SHOP);
  });
});

test.each([[[SHOP]], [["*"]], [[]]])(
  "%j named: these sites may trade, and no others",
  async (named) => {
    start(named);
    for (const url of ["/orders", "/orders?"]) {
      const status = async (origin: string) =>
        (await overSocket(app, { ...TRADE, url, headers: { origin } })).statusCode;
      expect(await status(SHOP)).toBe(named.length > 0 ? 200 : 403);
      expect(await status("https://evil.example")).toBe(named[0] === "*" ? 200 : 403);
    }
  },
);

test("a page of another site neither trades nor drops copies", async () => {
  start([]);
  const evil = { origin: "https://evil.example", "content-type": "text/plain" };
  const image = { "sec-fetch-site": "cross-site" };
  for (const asked of [
    { ...TRADE, headers: evil },
    { ...TRADE, url: "/orders?", headers: evil },
    { url: "/cache_invalid/FishCo", headers: evil },
    { url: "/cache_invalid/FishCo", headers: image },
  ]) {
    const { statusCode, body, headers } = await overSocket(app, asked);
    expect(statusCode).toBe(403);
    expect(JSON.parse(body)).toEqual({ error: { code: 403, message: expect.any(String) } });
    expect(headers["idempotency-key"]).toBeUndefined();
  }
  expect(market.questions).toEqual([]);
  expect(dropped).toEqual([]);
  expect((await overSocket(app, TRADE)).statusCode).toBe(200);
  expect((await overSocket(app, { url: "/cache_invalid/FishCo" })).statusCode).toBe(200);
  expect(dropped).toEqual(["FishCo"]);
});

test("a page of another site may read nothing that it gets", async () => {
  start([SHOP]);
  for (const url of ["/stocks/FishCo", "/healthz"]) {
    const { headers } = await overSocket(app, asked(url, "https://evil.example"));
    expect(headers["access-control-allow-origin"]).toBeUndefined();
    expect(headers.vary).toBe("origin");
  }
});

test("without the option, no page of another site may read, or ask to trade", async () => {
  start([]);
  expect((await overSocket(app, PREFLIGHT)).statusCode).toBe(404);
  const { headers } = await overSocket(app, asked("/stocks/FishCo", SHOP));
  expect(headers["access-control-allow-origin"]).toBeUndefined();
});

test("where all sites may, an answer names none, so that a cache keeps one for all", async () => {
  start(["*"]);
  const { headers } = await overSocket(app, asked("/stocks/FishCo", SHOP));
  expect(headers["access-control-allow-origin"]).toBe("*");
  expect(headers.vary).toBeUndefined();
});

test("a stream that takes its connection over keeps the headers", async () => {
  start([]);
  const own = Fastify();
  const answer = answersOrigins([SHOP]);
  if (answer) corsHook(own, answer);
  own.get("/events", (_request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200, { "content-type": "text/event-stream" }).end();
  });
  const { headers } = await overSocket(own, asked("/events", SHOP));
  expect(headers["access-control-allow-origin"]).toBe(SHOP);
  await own.close();
});

const HOST = "127.0.0.1:8000";
const OWN = `http://${HOST}`;
const EVIL = "https://evil.example";

type Headers = Parameters<ReturnType<typeof foreignTo>>[0]["headers"];

const foreign: readonly (readonly [what: string, headers: Headers])[] = [
  ["another site's", { origin: EVIL, host: HOST }],
  ["another port's of this host", { origin: "http://127.0.0.1:3000", host: HOST }],
  ["one whose address begins with this host", { origin: `${OWN}.evil.example`, host: HOST }],
  ["a sandboxed one", { origin: "null", host: HOST }],
  ["one that sends nothing as its origin", { origin: "", host: HOST }],
  ["one that names no host, nor does the request", { origin: "http://", host: HOST }],
  ["one in a request without a host", { origin: EVIL }],
  ["an image on another site's", { "sec-fetch-site": "cross-site", host: HOST }],
  ["an image on another port's", { "sec-fetch-site": "same-site", host: HOST }],
];
test.each(foreign)("a page of another site may not act here: %s", (_what, headers) => {
  expect(foreignTo([])({ headers })).toBe(true);
  expect(foreignTo([SHOP])({ headers })).toBe(true);
  expect(foreignTo(["*"])({ headers })).toBe(false);
});

const own: readonly (readonly [what: string, headers: Headers])[] = [
  ["no page", { host: HOST }],
  ["the own page", { origin: OWN, host: HOST }],
  ["the own page, in other letters", { origin: "http://Market:8000", host: "mARKET:8000" }],
  ["the own page through an encrypting proxy", { origin: SHOP, host: "shop.example" }],
  [
    "the own page through a proxy that doesn't pass the host on",
    { origin: SHOP, host: HOST, "sec-fetch-site": "same-origin" },
  ],
  ["an address typed in", { host: HOST, "sec-fetch-site": "none" }],
];
test.each(own)("a program and the own page may act here: %s", (_what, headers) => {
  expect(foreignTo([])({ headers })).toBe(false);
});

test("a named site may act here, and lets no other in", () => {
  const isForeign = foreignTo(["http://127.0.0.1:3000", SHOP]);
  const from = (origin: string) => ({
    headers: { origin, host: HOST, "sec-fetch-site": "cross-site" },
  });
  expect(isForeign(from(SHOP))).toBe(false);
  expect(isForeign(from(EVIL))).toBe(true);
  expect(FOREIGN_PAGE.status).toBe(403);
});
