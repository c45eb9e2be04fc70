// Who is let in to what: every route, without a key and with every kind of wrong one.

import { hash, randomBytes } from "node:crypto";
import fc from "fast-check";
import pino from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RIGHTS, type Right } from "../../../core/market/keys.ts";
import type { ApiKey } from "../../../core/market/types.ts";
import type { KnownKeys } from "../../../core/service/key-copy.ts";
import { memoryCopies } from "../../../io/cache/memory.ts";
import { FrontendMetrics } from "../metrics.ts";
import { stocksOver, TestMarket } from "../test-market.ts";
import { Access, isGrant, NEEDS, needOf } from "./access.ts";
import { build } from "./app.ts";
import { overSocket, type TestRequest } from "./test-http.ts";

const log = pino({ level: "silent" });
const SECRET = randomBytes(32).toString("base64url");
const NOW_MS = 1_000_000;

const key = (name: string, more: Partial<ApiKey> = {}): ApiKey => ({
  name,
  digest: hash("sha256", SECRET),
  may: "read",
  stocks: "",
  expiresAtMs: 0,
  ...more,
});
const ALL = RIGHTS.join();
const without = (right: Right): string => RIGHTS.filter((each) => each !== right).join();

/** As the leader said last, or nothing yet; and whether that may be relied on. */
let known: KnownKeys | null;
let isCurrent: boolean;
let waiting: ((isCurrent: boolean) => void)[];
let access: Access;
let market: TestMarket;
let app: ReturnType<typeof build>;

beforeEach(() => {
  const keys = [
    key("all", { may: ALL }),
    key("expired", { may: ALL, expiresAtMs: NOW_MS }),
    key("lasting", { may: ALL, expiresAtMs: NOW_MS + 1 }),
    key("fish", { may: ALL, stocks: "FishCo" }),
    ...RIGHTS.map((right) => key(`not-${right}`, { may: without(right) })),
  ];
  known = { version: keys.length, keys };
  isCurrent = true;
  waiting = [];
  access = accessTo(false);
  market = new TestMarket();
  const stocks = stocksOver(market, { copies: memoryCopies({ entriesMax: 9 }), log });
  app = build({
    orders: market,
    stocks,
    log,
    access,
    metrics: new FrontendMetrics("frontend", {
      cache: () => stocks.stats(),
      isReady: () => true,
      isLeased: () => true,
      onLeader: () => {},
    }),
    feed: { isOpen: false, watch: async () => {}, traded() {}, close() {} } as never,
    steps: { ask: async () => ({ steps: [] }) } as never,
    verification: {
      verify: async () => ({ position: 0, orders: 0, problems: [] }) as never,
      told: () => ({ lastOrder: 0, failed: 0 }),
      nowMs: () => 0,
      wallMs: () => 0,
    },
    playground: {
      tokenDigest: "",
      state: () => null,
      ask: async () => ({ done: true }),
    },
  });
});
afterEach(() => app.close());

function accessTo(isOpenAtFirst: boolean, needsKeys = false): Access {
  return new Access({
    keys: {
      get last() {
        return known;
      },
      get current() {
        return isCurrent ? known : null;
      },
      whenCurrent: (settled) => void waiting.push(settled),
    },
    isOpenAtFirst,
    needsKeys,
    wallMs: () => NOW_MS,
  });
}

/** How each route is asked; one without a line fails the test below. */
const ASKED: Readonly<Record<string, TestRequest>> = {
  "GET /stocks/:name": { url: "/stocks/FishCo" },
  "GET /stocks": { url: "/stocks" },
  "GET /orders/:number": { url: "/orders/1" },
  "GET /orders": { url: "/orders" },
  "POST /orders": {
    method: "POST",
    url: "/orders",
    payload: '{"name":"FishCo","quantity":1,"type":"buy"}',
  },
  "GET /get_order_leader": { url: "/get_order_leader" },
  "GET /events": { url: "/events" },
  "GET /steps": { url: "/steps" },
  "GET /cache_invalid/:name": { url: "/cache_invalid/FishCo" },
  "POST /verify": { method: "POST", url: "/verify" },
  "GET /playground": { url: "/playground" },
  "POST /playground": { method: "POST", url: "/playground" },
  "GET /metrics": { url: "/metrics" },
  "GET /healthz": { url: "/healthz" },
  "GET /readyz": { url: "/readyz" },
  "GET /openapi.json": { url: "/openapi.json" },
  "GET /docs": { url: "/docs" },
  "GET /docs/": { url: "/docs/" },
  "GET /docs/js/scalar.js": { url: "/docs/js/scalar.js" },
  "GET /": { url: "/" },
  "GET /icon.svg": { url: "/icon.svg" },
  "GET /index.html": { url: "/index.html" },
};

/** What isn't a key that is known, and what is said of it. */
const WRONG: readonly [what: string, authorization: string | undefined, error: string | null][] = [
  ["no key", undefined, null],
  ["an unknown key", `Bearer nobody.${SECRET}`, "invalid_token"],
  ["a wrong secret", `Bearer all.${randomBytes(32).toString("base64url")}`, "invalid_token"],
  ["an expired key", `Bearer expired.${SECRET}`, "invalid_token"],
  ["a revoked key", `Bearer revoked.${SECRET}`, "invalid_token"],
];

test("each route is asked for in these tests, and each is in the table of needs", async () => {
  expect(Object.keys(ASKED).sort()).toEqual(Object.keys(NEEDS).sort());
  const routes = new Set<string>();
  const probe = build({
    orders: market,
    stocks: stocksOver(market, { copies: memoryCopies({ entriesMax: 1 }), log }),
    log,
  });
  probe.addHook("onRoute", ({ method, url }) => void routes.add(`${method} ${url}`));
  await probe.ready();
  await probe.close();
  expect(() => app.get("/new", () => {})).toThrow("no row of NEEDS for GET /new");
});

describe.each(["injected", "over a socket"])("%s", (way) => {
  function ask(route: string, authorization?: string) {
    const request = ASKED[route] as TestRequest;
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const asked = { ...request, headers: { ...request.headers, ...headers } };
    return way === "injected" ? app.inject(asked) : overSocket(app, asked);
  }

  const guarded = Object.entries(NEEDS).filter(([, { may }]) => may !== null);

  test.each(guarded)(
    "%s is let in to with a key that may, and to nobody else",
    async (route, need) => {
      for (const [what, authorization, error] of WRONG) {
        const response = await ask(route, authorization);
        expect(response.statusCode, what).toBe(401);
        const challenge = String(response.headers["www-authenticate"]);
        expect(challenge).toMatch(/^Bearer realm="bazaar"/);
        if (error !== null) expect(challenge).toContain(`error="${error}"`);
        expect(JSON.stringify(response.json())).not.toContain(SECRET);
      }
      const lacking = await ask(route, `Bearer not-${need.may}.${SECRET}`);
      expect(lacking.statusCode).toBe(403);
      expect(lacking.json().error.message).toContain(`the right to ${need.may}`);
      expect(lacking.headers["www-authenticate"]).toContain(`scope="${need.may}"`);
      const some = await ask(route, `Bearer fish.${SECRET}`);
      if (need.ofAllStocks) expect(some.json().error.message).toContain("some stocks only");
      for (const name of ["all", "lasting"]) {
        const may = await ask(route, `Bearer ${name}.${SECRET}`);
        expect(may.headers["www-authenticate"]).toBeUndefined();
        expect(may.statusCode).not.toBe(401);
      }
    },
  );

  test("what was refused was not done", async () => {
    await ask("POST /orders");
    await ask("POST /orders", `Bearer not-trade.${SECRET}`);
    expect(market.questions).toEqual([]);
    expect((await ask("POST /orders", `Bearer all.${SECRET}`)).statusCode).toBe(200);
    expect(market.questions).toHaveLength(1);
    expect(market.questions[0]).toMatchObject({
      requestId: expect.stringContaining("all\u001f"),
    });
  });

  test("a key that is for some stocks sees and trades no others", async () => {
    const asked = (request: TestRequest) => {
      const headers = { authorization: `Bearer fish.${SECRET}` };
      const all = { ...request, headers };
      return way === "injected" ? app.inject(all) : overSocket(app, all);
    };
    const body = (name: string) => JSON.stringify({ name, quantity: 1, type: "buy" });
    const other = { method: "POST", url: "/orders", payload: body("BoarCo") } as const;
    await app.inject({ ...other, headers: { authorization: `Bearer all.${SECRET}` } });
    for (const request of [
      { url: "/stocks/BoarCo" },
      { url: "/cache_invalid/BoarCo" },
      { url: "/orders/1" },
      other,
    ]) {
      expect((await asked(request)).statusCode, request.url).toBe(403);
    }
    expect((await asked({ url: "/stocks/FishCo" })).statusCode).toBe(200);
    expect((await asked({ ...other, payload: body("FishCo") })).statusCode).toBe(200);
    expect((await asked({ url: "/orders/2" })).statusCode).toBe(200);
  });

  test("what is open is open to everybody, and what isn't there isn't there", async () => {
    for (const [route, { may }] of Object.entries(NEEDS)) {
      if (may === null) expect((await ask(route)).statusCode, route).not.toBe(401);
    }
    const unknown = { url: "/nowhere" };
    const response = way === "injected" ? app.inject(unknown) : overSocket(app, unknown);
    expect((await response).statusCode).toBe(404);
  });

  test("without any key everybody may everything, whatever is sent along", async () => {
    known = { version: 0, keys: [] };
    for (const authorization of [undefined, "Bearer what.ever", "Basic x"]) {
      expect((await ask("GET /stocks/:name", authorization)).statusCode).toBe(200);
      expect((await ask("POST /orders", authorization)).statusCode).toBe(200);
      expect((await ask("GET /metrics", authorization)).statusCode).toBe(200);
    }
  });

  test("the last key revoked doesn't open the bazaar", async () => {
    known = { version: 2, keys: [] };
    expect((await ask("GET /stocks/:name")).statusCode).toBe(401);
  });

  test("while nobody says which keys there are, requests wait, and are answered when somebody does", async () => {
    isCurrent = false;
    const asked = ask("GET /stocks/:name", `Bearer all.${SECRET}`);
    await expect.poll(() => waiting.length).toBe(1);
    known = { version: 100, keys: [] }; // revoked meanwhile
    isCurrent = true;
    waiting[0]?.(true);
    expect((await asked).statusCode).toBe(401);
  });

  test("who has waited in vain is told to ask again", async () => {
    isCurrent = false;
    for (const [index, route] of ["GET /stocks/:name", "POST /orders"].entries()) {
      const request = ASKED[route] as TestRequest;
      const headers = { authorization: `Bearer all.${SECRET}` };
      const whole = { ...request, headers };
      const asked = way === "injected" ? app.inject(whole) : overSocket(app, whole);
      // Injected requests begin when somebody waits for them.
      void Promise.resolve(asked);
      await expect.poll(() => waiting.length).toBe(index + 1);
      waiting[index]?.(false);
      expect((await asked).statusCode).toBe(503);
    }
  });
});

test("a bazaar without keys answers without its replicas what it can, and waits with what they would be asked", () => {
  known = { version: 0, keys: [] };
  isCurrent = false;
  const itself = access.judge(undefined, { may: "metrics", leaderless: true });
  expect(!(itself instanceof Promise) && isGrant(itself)).toBe(true);
  expect(access.judge(undefined, { may: "trade" })).toBeInstanceOf(Promise);
});

test("before anything was heard of keys, a front end is open on its own machine only", () => {
  known = null;
  isCurrent = false;
  const need = { may: "metrics", leaderless: true } as const;
  expect(accessTo(true).judge(undefined, need)).not.toBeInstanceOf(Promise);
  expect(accessTo(false).judge(undefined, need)).toBeInstanceOf(Promise);
});

test("a grant ends when its key is revoked, expires, or can't be checked any more", async () => {
  const grant = await access.judge(`Bearer all.${SECRET}`, { may: "read" });
  if (!isGrant(grant)) throw new Error("not let in");
  expect(grant.holds()).toBe(true);
  isCurrent = false;
  expect(grant.holds()).toBe(false);
  isCurrent = true;
  known = { version: 100, keys: [] };
  expect(grant.holds()).toBe(false);
});

test("an open grant ends when the first key is made", async () => {
  const before = known;
  known = { version: 0, keys: [] };
  const grant = await access.judge(undefined, { may: "read" });
  if (!isGrant(grant)) throw new Error("not let in");
  expect(grant.holds()).toBe(true);
  known = before;
  expect(grant.holds()).toBe(false);
});

test("no Authorization but a key's own lets anybody in, whatever it is made of", () => {
  const need = needOf("GET", "/stocks") ?? { may: "read" as const };
  const parts = ["Bearer", "bearer", "Basic", " ", ".", "all", SECRET, ",", "=", "\u001f", "é"];
  const right = /^bearer +(?:all|lasting|not-trade|not-manage|not-metrics)\.([\w-]+)$/i;
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ maxLength: 100 }),
        fc.string({ unit: "binary", maxLength: 100 }),
        fc.array(fc.constantFrom(...parts), { maxLength: 9 }).map((all) => all.join("")),
        fc.string({ minLength: 8_000, maxLength: 9_000 }),
      ),
      (authorization) => {
        const verdict = access.judge(authorization, need);
        if (verdict instanceof Promise) throw new Error("it waits");
        const isRight = right.exec(authorization)?.[1] === SECRET;
        expect(isGrant(verdict)).toBe(isRight);
        if (!isGrant(verdict)) expect([401, 403]).toContain(verdict.status);
      },
    ),
    { numRuns: 500 },
  );
}, 60_000);

test("the scheme may be written in any case, and blanks may be many", () => {
  for (const authorization of [`bearer all.${SECRET}`, `BEARER   all.${SECRET}`]) {
    const verdict = access.judge(authorization, { may: "read" });
    expect(!(verdict instanceof Promise) && isGrant(verdict)).toBe(true);
  }
  const twice = access.judge(`Bearer all.${SECRET}, Bearer all.${SECRET}`, { may: "read" });
  expect(!(twice instanceof Promise) && isGrant(twice)).toBe(false);
});

test("beyond its own machine a bazaar without keys lets nobody in, and says how to make one", async () => {
  for (const heard of [null, { version: 0, keys: [] }]) {
    known = heard;
    isCurrent = heard !== null;
    const judged = accessTo(false, true).judge(undefined, { may: "read", leaderless: true });
    known = { version: 0, keys: [] };
    isCurrent = true;
    for (const settled of waiting.splice(0)) settled(true);
    expect(await judged).toMatchObject({
      status: 401,
      body: expect.stringContaining("bazaar key add"),
    });
  }
});
