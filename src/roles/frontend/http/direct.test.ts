// What only these two requests can get wrong; that they are answered as the
// router would is in app.test.ts.

import Fastify, { type FastifyInstance } from "fastify";
import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { InvariantViolation } from "../../../core/invariant.ts";
import { rememberingLog, type TestLog } from "../../../io/rpc/testing.ts";
import { Trades } from "../orders/trades.ts";
import { TestMarket } from "../test-market.ts";
import { openAccess } from "./access.ts";
import { directly } from "./direct.ts";
import { overSocket } from "./test-http.ts";

const ROUTED = "the router's";
const INTERNAL = {
  statusCode: 500,
  body: '{"error":{"code":500,"message":"Internal server error"}}',
};
const TRADE = {
  method: "POST",
  url: "/orders",
  payload: '{"name":"FishCo","quantity":1,"type":"buy"}',
} as const;

let app: FastifyInstance;
let log: TestLog;
let broken: Error[];
let ended: string[];
let market: TestMarket;
let lookup: (name: string) => { body: string; position: number } | Promise<never>;

function start(level: "info" | "debug" = "info"): void {
  app = Fastify();
  app.setNotFoundHandler((_request, reply) => reply.code(404).send(ROUTED));
  log = rememberingLog();
  log.log.level = level;
  const silent = pino({ level: "silent" });
  directly(app.server, {
    access: openAccess(),
    limitKey: null,
    stocks: { lookup: (name) => lookup(name) },
    trades: new Trades(market, silent),
    log: log.log,
    broken: (violation) => broken.push(violation),
    answerOrigin: null,
    durations: { ended: (route, status) => ended.push(`${route} ${status}`) },
  });
}

beforeEach(() => {
  market = new TestMarket();
  broken = [];
  ended = [];
  lookup = () => ({ body: "the copy", position: 1 });
});
afterEach(() => app.close());

test("only requests in their plainest form are answered directly, all others by the router", async () => {
  start();
  expect((await overSocket(app, { url: "/stocks/FishCo" })).body).toBe("the copy");
  for (const url of [
    "/stocks/Fish%43o",
    "/stocks/FishCo?",
    "/stocks/",
    "/stocks/FishCo/",
    "/orders",
  ]) {
    expect((await overSocket(app, { url })).body).toBe(ROUTED);
  }
  const posted = ["/orders?", "/orders/", "/stocks/FishCo"];
  for (const url of posted) expect((await overSocket(app, { ...TRADE, url })).body).toBe(ROUTED);
});

test("each direct answer is counted in the metrics, for its route", async () => {
  start();
  await overSocket(app, { url: "/stocks/FishCo" });
  await overSocket(app, TRADE);
  await overSocket(app, { ...TRADE, payload: "{" });
  await overSocket(app, { url: "/orders" });
  expect(ended).toEqual(["GET /stocks/:name 200", "POST /orders 200", "POST /orders 400"]);
});

test("while the log takes debug lines, the router answers, which writes them", async () => {
  start("debug");
  expect((await overSocket(app, { url: "/stocks/FishCo" })).body).toBe(ROUTED);
  expect((await overSocket(app, TRADE)).body).toBe(ROUTED);
});

test.each(["thrown", "rejected"])(
  "a broken invariant, %s, is answered 500 and ends the process",
  async (how) => {
    start();
    const violation = new InvariantViolation("applied <= commit");
    lookup = () => {
      if (how === "thrown") throw violation;
      return Promise.reject(violation);
    };
    market.ask = () => Promise.reject(violation);
    expect(await overSocket(app, { url: "/stocks/FishCo" })).toMatchObject(INTERNAL);
    expect(await overSocket(app, TRADE)).toMatchObject(INTERNAL);
    expect(broken).toEqual([violation, violation]);
  },
);

test("an unexpected error is logged, and says nothing of what is inside", async () => {
  start();
  market.ask = () => Promise.reject(new Error("secret of the house"));
  expect(await overSocket(app, TRADE)).toMatchObject(INTERNAL);
  expect(log.lines).toMatchObject([{ msg: "Request failed", url: "/orders" }]);
  expect(broken).toEqual([]);
});
