import Fastify, { type FastifyInstance } from "fastify";
import { validatorCompiler } from "fastify-type-provider-zod";
import pino from "pino";
import { beforeEach, expect, test } from "vitest";
import { handleErrors } from "../http/http-errors.ts";
import { Lane } from "../http/lane.ts";
import { TestMarket } from "../test-market.ts";
import { orderRoutes } from "./order-routes.ts";
import { Trades } from "./trades.ts";

const log = pino({ level: "silent" });
let market: TestMarket;
let app: FastifyInstance;

beforeEach(() => {
  market = new TestMarket();
  app = Fastify();
  app.setValidatorCompiler(validatorCompiler);
  handleErrors(app, log, () => {});
  const pages = new Lane({ atOnceMax: 1, waitingMax: 1, nowMs: () => 0 });
  app.register(orderRoutes(market, new Trades(market, log), pages));
});

test.each([
  ["limit=0", "limit must be a whole number from 1 to 1000"],
  ["limit=1001", "limit must be a whole number from 1 to 1000"],
  ["limit=", "limit must be a whole number from 1 to 1000"],
  ["limit=ten", "limit must be a whole number from 1 to 1000"],
  ["limit=1&limit=2", "limit must be a whole number from 1 to 1000"],
  ["after=-1", "after must be a whole number from 0 to 9007199254740991"],
  ["after=1.5", "after must be a whole number from 0 to 9007199254740991"],
  ["after=9007199254740992", "after must be a whole number from 0 to 9007199254740991"],
])("a page %s is refused with what is wrong", async (query, what) => {
  const response = await app.inject(`/orders?${query}`);
  expect(response.statusCode).toBe(400);
  expect(response.json()).toEqual({ error: { code: 400, message: `Bad request. ${what}` } });
  expect(market.questions).toEqual([]);
});

test("an answer of another kind than was asked for is told to nobody as a success", async () => {
  market.ask = async () => ({
    kind: "answer",
    answer: { kind: "stocks", stocks: [], next: null, total: 0, position: 1 },
  });
  expect((await app.inject("/orders/1")).statusCode).toBe(500);
  expect((await app.inject("/orders")).statusCode).toBe(500);
});

test("a leader that lists instead of trading isn't believed", async () => {
  market.ask = async () => ({
    kind: "answer",
    answer: { kind: "outcome", outcome: { kind: "listed" } },
  });
  const payload = '{"name":"FishCo","quantity":1,"type":"buy"}';
  const response = await app.inject({ method: "POST", url: "/orders", payload });
  expect(response.statusCode).toBe(500);
  expect(response.headers["idempotency-key"]).toMatch(/./);
});
