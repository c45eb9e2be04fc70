import { hash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { rememberingLog } from "../../../io/rpc/testing.ts";
import { RATE_ADDRESSES_MAX, RATE_BURST_S } from "../limits.ts";
import { Access } from "./access.ts";
import { costOf, type RateLimitOptions, RateLimits } from "./rate-limits.ts";
import { overSocket, type TestRequest, TestServer } from "./test-http.ts";

let nowMs = 0;
const limitsOf = (options: Partial<RateLimitOptions>) =>
  new RateLimits({
    unitsPerS: 10,
    loopback: true,
    trustProxy: [],
    nowMs: () => nowMs,
    ...options,
  });

/** A request from `address`, each on a connection of its own. */
const from = (address: string, forwarded?: string) =>
  ({
    socket: { remoteAddress: address } as Socket,
    headers: forwarded === undefined ? {} : { "x-forwarded-for": forwarded },
  }) satisfies Pick<IncomingMessage, "socket" | "headers">;

const isGiven = (limits: RateLimits, address: string, cost = 1) =>
  limits.takeOfAddress(from(address), cost)?.waitMs === 0;

describe("a bucket", () => {
  test("lets so much through at once, and then as much as the rate allows", () => {
    const limits = limitsOf({});
    const given = Array.from({ length: 30 }, () => isGiven(limits, "10.0.0.1"));
    expect(given.filter(Boolean)).toHaveLength(10 * RATE_BURST_S);
    nowMs += 500;
    const later = Array.from({ length: 30 }, () => isGiven(limits, "10.0.0.1"));
    expect(later.filter(Boolean)).toHaveLength(5);
  });

  test("tells when there will be enough, and then there is", () => {
    const limits = limitsOf({});
    expect(isGiven(limits, "10.0.0.1", 20)).toBe(true);
    const waitMs = limits.takeOfAddress(from("10.0.0.1"), 7)?.waitMs ?? 0;
    expect(waitMs).toBeCloseTo(700);
    nowMs += waitMs - 1;
    expect(isGiven(limits, "10.0.0.1", 7)).toBe(false);
    nowMs += 2;
    expect(isGiven(limits, "10.0.0.1", 7)).toBe(true);
  });

  test("gives all that it holds to a request that costs more", () => {
    const limits = limitsOf({});
    expect(isGiven(limits, "10.0.0.1", 1_000)).toBe(true);
    expect(isGiven(limits, "10.0.0.1", 1)).toBe(false);
    nowMs += 1_000 * RATE_BURST_S;
    expect(isGiven(limits, "10.0.0.1", 1_000)).toBe(true);
  });

  test("is each address's own, of IPv6 each subscriber's, however that is written", () => {
    const limits = limitsOf({});
    expect(isGiven(limits, "10.0.0.1", 20)).toBe(true);
    expect(isGiven(limits, "::ffff:10.0.0.1")).toBe(false);
    expect(isGiven(limits, "10.0.0.2")).toBe(true);
    expect(isGiven(limits, "2001:db8:0:1::1", 20)).toBe(true);
    expect(isGiven(limits, "2001:db8:0:1:ffff::9")).toBe(false);
    expect(isGiven(limits, "2001:db8::1:0:0:0:7")).toBe(false);
    expect(isGiven(limits, "2001:db8:0:2::1")).toBe(true);
    expect(isGiven(limits, "fe80::1%eth0", 20)).toBe(true);
    expect(isGiven(limits, "fe80::2%eth0")).toBe(false);
  });

  test("is each key's own, wherever that is used from", () => {
    const limits = limitsOf({});
    const isGivenTo = (key: string, address: string, cost: number) =>
      limits.takeOfKey(key, from(address), cost)?.waitMs === 0;
    expect(isGivenTo("shop", "10.0.0.1", 15)).toBe(true);
    expect(isGivenTo("shop", "10.0.0.2", 6)).toBe(false);
    expect(isGivenTo("shop", "10.0.0.3", 5)).toBe(true);
    expect(isGivenTo("10.0.0.1", "10.0.0.2", 20)).toBe(true);
    expect(isGiven(limits, "10.0.0.1", 20)).toBe(true);
    expect(limitsOf({ loopback: false }).takeOfKey("shop", from("127.0.0.1"), 1)).toBeNull();
  });

  test("is forgotten when too many others were used since, so that memory is bounded", () => {
    const limits = limitsOf({});
    expect(isGiven(limits, "10.0.0.1", 20)).toBe(true);
    for (let index = 0; index < RATE_ADDRESSES_MAX - 1; index += 1) {
      isGiven(limits, `11.${index >> 16}.${(index >> 8) & 255}.${index & 255}`);
    }
    expect(isGiven(limits, "10.0.0.1")).toBe(false);
    for (let index = 0; index < RATE_ADDRESSES_MAX; index += 1) {
      isGiven(limits, `12.${index >> 16}.${(index >> 8) & 255}.${index & 255}`);
    }
    expect(isGiven(limits, "10.0.0.1")).toBe(true);
  });
});

test("nobody is limited at a rate of 0, and this machine only where that was asked for", () => {
  expect(limitsOf({ unitsPerS: 0 }).takeOfAddress(from("10.0.0.1"), 1)).toBeNull();
  for (const own of ["127.0.0.1", "::1", "::ffff:127.0.0.9"]) {
    expect(limitsOf({ loopback: false }).takeOfAddress(from(own), 1)).toBeNull();
    expect(limitsOf({}).takeOfAddress(from(own), 1)).not.toBeNull();
  }
});

test.each([
  ["who isn't named as a proxy", "10.0.0.5", "1.1.1.1", "10.0.0.5"],
  ["a proxy that names nobody", "10.0.0.1", undefined, "10.0.0.1"],
  ["a proxy that names a client", "10.0.0.1", "1.1.1.1", "1.1.1.1"],
  ["a client that names another", "10.0.0.1", "6.6.6.6, 1.1.1.1", "1.1.1.1"],
  ["a proxy behind a proxy", "10.0.0.1", "6.6.6.6, 1.1.1.1, 10.1.2.3", "1.1.1.1"],
  ["a proxy whose word is no address", "10.0.0.1", "1.1.1.1, unknown", "10.0.0.1"],
  ["a proxy over IPv6", "fd00::9", "2001:db8::1", "2001:db8::1"],
  ["a proxy on a socket of both families", "::ffff:10.0.0.1", "::ffff:1.1.1.1", "1.1.1.1"],
])("for %s, the right address is counted", (_, sender, forwarded, counted) => {
  const limits = limitsOf({ trustProxy: ["10.0.0.1", "10.1.0.0/16", "fd00::/8"] });
  expect(limits.addressOf(from(sender, forwarded))).toBe(counted);
});

test("a list costs more than a page, a page more than a trade, a trade more than a lookup", () => {
  const costs = [
    costOf("GET", "/stocks"),
    costOf("GET", "/stocks?after=A"),
    costOf("POST", "/orders"),
    costOf("GET", "/stocks/FishCo"),
    costOf("GET", "/readyz"),
  ];
  expect(costs).toEqual(costs.toSorted((a, b) => b - a));
  expect(new Set(costs).size).toBe(costs.length);
  expect(costs.at(-1)).toBe(0);
  expect(costOf("GET", "/orders?limit=9")).toBe(costOf("GET", "/stocks?after=A"));
  expect(costOf("POST", "/verify")).toBeGreaterThan(costOf("GET", "/stocks"));
});

describe("a front end", () => {
  let server: TestServer;
  afterEach(() => server.close());

  const TRADE = {
    method: "POST",
    url: "/orders",
    payload: '{"name":"FishCo","quantity":1,"type":"buy"}',
  } as const;
  const ask = (asked: TestRequest) => overSocket(server.app, asked);

  test("answers what is beyond an address's rate with 429 and when to come again, and doesn't trade", async () => {
    server = await TestServer.open({ rates: limitsOf({ unitsPerS: 5 }) }); // two trades at once
    const answers = [await ask(TRADE), await ask(TRADE), await ask(TRADE)];
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 429]);
    expect(server.market.questions.filter(({ kind }) => kind === "request")).toHaveLength(2);
    const [, last, refused] = answers;
    const policy = '"address";q=10;qu="units";w=2';
    expect(last?.headers).toMatchObject({ "ratelimit-policy": policy });
    expect(refused?.headers).toMatchObject({
      "retry-after": "1",
      "ratelimit-policy": policy,
      ratelimit: '"address";r=0;t=2',
    });
    expect(refused?.json()).toEqual({
      error: { code: 429, message: "Too many requests from your address. Ask again in 1 s" },
    });
    nowMs += 1_000;
    expect((await ask(TRADE)).statusCode).toBe(200);
  });

  test("counts lookups, routes and unknown URLs in one bucket, and answers health checks always", async () => {
    server = await TestServer.open({ rates: limitsOf({ unitsPerS: 3 }) });
    const statuses = [];
    for (const url of ["/stocks/FishCo", "/stocks/FishCo", "/get_order_leader", "/nowhere"]) {
      statuses.push((await ask({ url })).statusCode);
    }
    expect(statuses).toEqual([200, 200, 200, 404]);
    for (const url of ["/stocks/FishCo", "/stocks", "/orders/1", "/openapi.json", "/nowhere"]) {
      expect((await ask({ url })).statusCode).toBe(429);
    }
    expect((await ask({ url: "/healthz" })).statusCode).toBe(200);
  });

  test("counts what a key asks for from many addresses, past the router and by it", async () => {
    const keys = ["shop", "stall"].map((name) => ({
      name,
      digest: hash("sha256", "secret"),
      may: "read,trade",
      stocks: "",
      expiresAtMs: 0,
    }));
    const known = { version: 1, keys };
    server = await TestServer.open({
      rates: limitsOf({ unitsPerS: 1, trustProxy: ["127.0.0.1"] }),
      access: new Access({
        keys: { last: known, current: known, whenCurrent: () => {} },
        isOpenAtFirst: false,
        wallMs: () => 0,
      }),
    });
    let clients = 0;
    const askAs = (key: string, asked: TestRequest) => {
      clients += 1;
      const headers = {
        authorization: `Bearer ${key}.secret`,
        "x-forwarded-for": `10.0.0.${clients}`,
      };
      return ask({ ...asked, headers });
    };
    const lookup = { url: "/stocks/FishCo" };
    expect((await askAs("shop", lookup)).statusCode).toBe(200);
    expect((await askAs("shop", lookup)).statusCode).toBe(200);
    for (const asked of [lookup, TRADE, { url: "/orders/1" }]) {
      const refused = await askAs("shop", asked);
      expect(refused.statusCode).toBe(429);
      expect(refused.headers.ratelimit).toBe('"key";r=0;t=2');
      expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
      expect(refused.json().error.message).toContain("Too many requests from your key");
    }
    expect((await askAs("stall", lookup)).statusCode).toBe(200);
  });

  test("says nothing of rates while more than half is left", async () => {
    server = await TestServer.open({ rates: limitsOf({ unitsPerS: 1_000 }) });
    const { headers } = await ask({ url: "/stocks/FishCo" });
    expect(headers.ratelimit).toBeUndefined();
    expect(headers["ratelimit-policy"]).toBeUndefined();
  });

  test("logs whose requests it refuses, once in a while", async () => {
    const log = rememberingLog();
    server = await TestServer.open({ log: log.log, rates: limitsOf({ unitsPerS: 1 }) });
    for (let asked = 0; asked < 5; asked += 1) await ask({ url: "/stocks/FishCo" });
    const lines = log.lines.filter(({ msg }) => String(msg).includes("--rate-limit"));
    expect(lines).toMatchObject([{ address: "127.0.0.1" }]);
  });
});
