// The document against docs/api.md, and against what the routes really answer.

import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import Fastify from "fastify";
import pino from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { memoryCopies } from "../../../io/cache/memory.ts";
import { stocksOver, TestMarket } from "../test-market.ts";
import { apiDocuments } from "./api-documents.ts";
import { api, described } from "./api-schemas.ts";
import { build } from "./app.ts";
import { costOf, RateLimits } from "./rate-limits.ts";
import { overSocket, type TestRequest } from "./test-http.ts";

vi.setConfig({ testTimeout: 30_000 });

const log = pino({ level: "silent" });
const API_PAGE = readFileSync(join(import.meta.dirname, "../../../../docs/api.md"), "utf8");

interface Operation {
  readonly summary: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly headers?: Readonly<Record<string, object>>;
        readonly content: {
          readonly "application/json": { readonly schema: Parameters<typeof z.fromJSONSchema>[0] };
        };
      }
    >
  >;
}
interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

let market: TestMarket;
let app: ReturnType<typeof build>;
let rates: RateLimits;

beforeEach(() => {
  market = new TestMarket();
  const copies = memoryCopies({ entriesMax: 100 });
  const nowMs = () => 0;
  const stocks = stocksOver(market, { copies, log });
  const verification = {
    verify: async () => ({ ok: true, position: 1, orders: 0, differences: [] }),
    told: () => ({ lastOrder: 0, failed: 0 }),
    nowMs,
    wallMs: nowMs,
  };
  rates = new RateLimits({ unitsPerS: 100_000, loopback: true, trustProxy: [], nowMs });
  app = build({
    orders: market,
    stocks,
    log,
    version: "1.2.3",
    verification,
    rates,
    connectionLimits: { heldMs: 0 },
  });
});
afterEach(() => app.close());

async function read(): Promise<OpenApi> {
  const response = await app.inject("/openapi.json");
  expect(response.statusCode).toBe(200);
  return response.json();
}

test("the document and docs/api.md describe the same routes", async () => {
  const { openapi, info, paths } = await read();
  expect(openapi).toBe("3.1.0");
  expect(info.version).toBe("1.2.3");
  const described = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const sections = /^### (.*)$/gm;
  const written = [...API_PAGE.matchAll(sections)]
    .flatMap(([, title = ""]) => title.match(/(?:GET|POST) \/\S*[\w]/g) ?? [])
    .map((title) => title.replace("NAME", "{name}").replace("NUMBER", "{number}"))
    .filter((title) => !NOT_JSON.includes(title));
  expect(described.sort()).toEqual(written.sort());
});

test("the document says that a key may be sent, so that its page has a place for it", async () => {
  const { components, security } = (await app.inject("/openapi.json")).json();
  expect(components.securitySchemes).toEqual({ key: { type: "http", scheme: "bearer" } });
  expect(security).toEqual([{}, { key: [] }]);
});

/** What is written about a route, and, for all of them, under "Errors in general". */
function written(title: string): string {
  const name = title.replace("{name}", "NAME").replace("{number}", "NUMBER");
  const sections = API_PAGE.split(/^### /m);
  const of = (heading: RegExp) => sections.find((section) => heading.test(section)) ?? "";
  const isTitle = (section: string) => section.split("\n", 1)[0]?.split(", ").includes(name);
  return (sections.find(isTitle) ?? "") + of(/^Errors in general/);
}

function statusesIn(text: string): readonly string[] {
  return text.match(/(?<![\d,:])[45]\d\d(?![\d,:])/g) ?? [];
}

test("the document and docs/api.md describe the same statuses and parameters", async () => {
  /** By section: two routes may share one. */
  const bySection = new Map<string, string[]>();
  for (const [path, operations] of Object.entries((await read()).paths)) {
    for (const [method, { responses, parameters = [] }] of Object.entries(operations)) {
      const title = `${method.toUpperCase()} ${path}`;
      const [own = "", general = ""] = written(title).split("Errors in general");
      expect(own, title).not.toBe("");
      const statuses = Object.keys(responses).filter((status) => status !== "200");
      const said = statusesIn(own + general);
      expect(
        statuses.filter((status) => !said.includes(status)),
        title,
      ).toEqual([]);
      bySection.set(own, [...(bySection.get(own) ?? []), ...statuses]);
      for (const { name, in: where } of parameters) {
        if (where !== "path") expect(own.toLowerCase(), title).toContain(`\`${name}`);
      }
    }
  }
  for (const [section, described] of bySection) {
    const missing = statusesIn(section).filter((status) => !described.includes(status));
    expect(missing, section.split("\n", 1)[0]).toEqual([]);
  }
});

test("the document names Retry-After and Idempotency-Key where they are sent", async () => {
  for (const [path, operations] of Object.entries((await read()).paths)) {
    for (const [method, { responses }] of Object.entries(operations)) {
      for (const [status, { headers = {} }] of Object.entries(responses)) {
        expect("Retry-After" in headers, `${path} ${status}`).toBe(["429", "503"].includes(status));
        const isTrade = method === "post" && path === "/orders" && !["403", "429"].includes(status);
        expect("Idempotency-Key" in headers, `${path} ${status}`).toBe(isTrade);
      }
    }
  }
});

test("a route without a schema isn't described", async () => {
  const own = Fastify();
  apiDocuments(own, "1.0.0");
  own.register(async (scope) => {
    scope.get("/inside", () => "hidden");
    scope.get("/readyz", described(api.readiness), () => "as it is");
  });
  const { paths } = (await own.inject("/openapi.json")).json();
  expect(Object.keys(paths)).toEqual(["/readyz"]);
  expect((await own.inject("/readyz")).body).toBe("as it is");
  await own.close();
});

/** What answers in another format, or is the document itself. */
const NOT_JSON: readonly string[] = [
  "GET /events",
  "GET /openapi.json",
  "GET /docs",
  "GET /metrics",
];

const TRADE = { method: "POST", url: "/orders" } as const;
const EXAMPLES: readonly (readonly [path: string, status: number, asked: TestRequest])[] = [
  ["/stocks/{name}", 200, { url: "/stocks/FishCo" }],
  ["/stocks/{name}", 400, { url: "/stocks/Ash" }],
  ["/stocks/{name}", 404, { url: "/stocks/Fish1" }],
  ["/stocks", 200, { url: "/stocks" }],
  ["/stocks", 200, { url: "/stocks?limit=1" }],
  ["/stocks", 400, { url: "/stocks?after=1" }],
  ["/orders", 200, { ...TRADE, payload: '{"name":"FishCo","quantity":1,"type":"buy"}' }],
  ["/orders", 400, { ...TRADE, payload: '{"name":"Ash","quantity":1,"type":"buy"}' }],
  ["/orders", 413, { ...TRADE, payload: " ".repeat(70_000) }],
  ["/orders", 500, { ...TRADE, payload: '{"name":"FishCo","quantity":9999,"type":"buy"}' }],
  ["/orders", 200, { url: "/orders" }],
  ["/orders", 400, { url: "/orders?limit=0" }],
  ["/orders/{number}", 200, { url: "/orders/1" }],
  ["/orders/{number}", 400, { url: "/orders/99" }],
  ["/orders/{number}", 404, { url: "/orders/0" }],
  ["/get_order_leader", 200, { url: "/get_order_leader" }],
  ["/verify", 200, { method: "POST", url: "/verify" }],
  ["/verify", 403, { method: "POST", url: "/verify", headers: { origin: "https://evil.example" } }],
  ["/cache_invalid/{name}", 200, { url: "/cache_invalid/FishCo" }],
  ["/cache_invalid/{name}", 400, { url: `/cache_invalid/${"A".repeat(65)}` }],
  ["/cache_invalid/{name}", 404, { url: "/cache_invalid/Fish1" }],
  ["/healthz", 200, { url: "/healthz" }],
  ["/readyz", 200, { url: "/readyz" }],
  ["/orders", 403, { ...TRADE, payload: "{}", headers: { origin: "https://evil.example" } }],
  [
    "/cache_invalid/{name}",
    403,
    { url: "/cache_invalid/FishCo", headers: { origin: "https://evil.example" } },
  ],
];
/** While nobody leads. */
const UNANSWERED: typeof EXAMPLES = [
  ["/stocks/{name}", 503, { url: "/stocks/BoarCo" }],
  ["/stocks", 503, { url: "/stocks" }],
  ["/orders", 503, { ...TRADE, payload: '{"name":"FishCo","quantity":1,"type":"buy"}' }],
  ["/orders", 503, { url: "/orders" }],
  ["/orders/{number}", 503, { url: "/orders/1" }],
  ["/get_order_leader", 503, { url: "/get_order_leader" }],
  ["/readyz", 503, { url: "/readyz" }],
];

test("every answer that is described can be had, in the shape that the document says", async () => {
  const { paths } = await read();
  const key = { "idempotency-key": "k" };
  const first = { ...TRADE, payload: '{"name":"FishCo","quantity":2,"type":"buy"}', headers: key };
  await overSocket(app, first);
  const reused = { ...first, payload: '{"name":"FishCo","quantity":3,"type":"buy"}' };
  const left = new Set<string>();
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, { responses }] of Object.entries(operations)) {
      for (const status of Object.keys(responses)) left.add(`${method} ${path} ${status}`);
    }
  }
  const check = async ([path, status, asked]: (typeof EXAMPLES)[number]) => {
    const method = (asked.method ?? "GET").toLowerCase();
    left.delete(`${method} ${path} ${status}`);
    const operation = paths[path]?.[method];
    const schema = operation?.responses[status]?.content["application/json"].schema;
    expect(schema, `${path} ${status}`).toBeDefined();
    const response = await overSocket(app, asked);
    expect(response.statusCode, `${path} ${status}`).toBe(status);
    expect(() => z.fromJSONSchema(schema ?? {}).parse(response.json())).not.toThrow();
  };
  for (const example of [...EXAMPLES, ["/orders", 422, reused] as const]) await check(example);
  market.failing = "unavailable";
  market.leaderId = null;
  market.isLeased = false;
  for (const example of UNANSWERED) await check(example);
  const client = { socket: { remoteAddress: "127.0.0.1" } as Socket, headers: {} };
  rates.takeOfAddress(client, rates.takeOfAddress(client, 1)?.units ?? 0);
  const costs = ({ url, method }: TestRequest) => costOf(method, url) > 0;
  for (const [path, status, asked] of EXAMPLES) {
    if (status === 200 && costs(asked)) await check([path, 429, asked]);
  }
  expect([...left]).toEqual([]);
});

test("the page needs nothing from another host, and may not ask for it", async () => {
  const page = await overSocket(app, { url: "/docs/" });
  expect(page.statusCode).toBe(200);
  const policy = String(page.headers["content-security-policy"]);
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/https?:|\*/);
  expect(page.body.replaceAll("http://www.w3.org", "")).not.toMatch(
    /(?:src|href)="(?:https?:)?\/\//,
  );
  const script = await overSocket(app, { url: "/docs/js/scalar.js" });
  expect(script.statusCode).toBe(200);
  expect(script.headers["content-type"]).toContain("javascript");
});

test("the page says its language, and its script is sent compressed to who takes that", async () => {
  const page = await overSocket(app, { url: "/docs/" });
  expect(page.body).toMatch(/<html lang="en"/);
  const asked = (coding: string) =>
    overSocket(app, { url: "/docs/js/scalar.js", headers: { "accept-encoding": coding } });
  const small = await asked("gzip, br");
  expect(small.headers).toMatchObject({ "content-encoding": "gzip", vary: "accept-encoding" });
  expect(Number(small.headers["content-length"])).toBeLessThan(1_500_000);
  const whole = await asked("identity");
  expect(whole.headers["content-encoding"]).toBeUndefined();
  expect(Number(whole.headers["content-length"])).toBeGreaterThan(2_000_000);
});
