import Fastify from "fastify";
import { validatorCompiler } from "fastify-type-provider-zod";
import { expect, test } from "vitest";
import { rememberingLog } from "../../../io/rpc/testing.ts";
import { Lane } from "../http/lane.ts";
import { type StockLookups, stockRoutes } from "./stock-routes.ts";

function serving(over: Partial<StockLookups>) {
  const app = Fastify();
  app.setValidatorCompiler(validatorCompiler);
  const log = rememberingLog();
  const stocks: StockLookups = {
    lookup: () => Promise.resolve({ kind: "unknown" }),
    list: () => Promise.resolve({ kind: "list", body: Buffer.from('{"data":[]}') }),
    page: () => Promise.resolve({ kind: "unavailable" }),
    drop: () => {},
    ...over,
  };
  const pages = new Lane({ atOnceMax: 1, waitingMax: 1, nowMs: () => 0 });
  stockRoutes(app, stocks, log.log, () => false, pages);
  return { app, log };
}

const body = '{"data":{"name":"FishCo","price":17.99,"quantity":600}}';

test.each([
  ["a copy at once", { body, position: 3 }],
  ["an answer later", Promise.resolve({ kind: "known" as const, body })],
])("%s is sent as it is", async (_what, found) => {
  const { app, log } = serving({ lookup: () => found });
  const response = await app.inject("/stocks/FishCo");
  expect(response.body).toBe(body);
  expect(response.headers["content-type"]).toBe("application/json; charset=utf-8");
  expect(log.lines.map((line) => line.msg)).toEqual([`Received lookup response - 200 ${body}`]);
});

test("each way a lookup ends has its status", async () => {
  for (const [kind, status] of [
    ["unknown", 400],
    ["unavailable", 503],
    ["overloaded", 503],
  ] as const) {
    const { app } = serving({ lookup: () => Promise.resolve({ kind }) });
    expect((await app.inject("/stocks/FishCo")).statusCode).toBe(status);
  }
});

test("a list that nobody answers is no empty list", async () => {
  const { app } = serving({ list: () => Promise.resolve({ kind: "unavailable" }) });
  expect((await app.inject("/stocks")).statusCode).toBe(503);
  expect((await serving({}).app.inject("/stocks")).body).toBe('{"data":[]}');
});

test("what can't be a stock's name isn't looked up, listed or dropped", async () => {
  const asked: string[] = [];
  const { app } = serving({
    lookup: (name) => {
      asked.push(name);
      return Promise.resolve({ kind: "unknown" });
    },
    drop: (name) => void asked.push(name),
  });
  for (const name of ["Fish1", "Fish%20Co", "F%C3%ACsh", "", "__proto__", "Fish-Co"]) {
    expect((await app.inject(`/stocks/${name}`)).statusCode).toBe(404);
    expect((await app.inject(`/cache_invalid/${name}`)).statusCode).toBe(404);
  }
  expect(asked).toEqual([]);
});
