import Fastify from "fastify";
import { expect, onTestFinished, test } from "vitest";
import { rememberingLog } from "../../../io/rpc/testing.ts";
import { KEY_HEADER } from "../orders/trades.ts";
import { badUrl } from "./http-errors.ts";
import { accessLine, logRequests } from "./request-log.ts";
import { RequestTraces } from "./request-traces.ts";

test("the access line is the reference program's, digit for digit", () => {
  const request = {
    ip: "127.0.0.1",
    method: "GET",
    url: "/stocks/FishCo",
    raw: { httpVersion: "1.1" },
  };
  expect(accessLine(request, 200, new Date(2023, 4, 1, 15, 15, 6))).toBe(
    '127.0.0.1 - - [01/May/2023 15:15:06] "GET /stocks/FishCo HTTP/1.1" 200 -',
  );
});

test("a request is in the log whatever becomes of it", async () => {
  const { log, lines } = rememberingLog();
  const traces = new RequestTraces(log);
  const app = Fastify({ frameworkErrors: badUrl(log) });
  logRequests(app, log, traces);
  app.get("/", () => "here");
  for (const [url, status] of [
    ["/", 200],
    ["/nowhere", 404],
    ["/%zz", 404],
  ] as const) {
    const from = lines.length;
    await app.inject(url);
    const said = lines.slice(from).map((line) => line.msg.replace(/\[.*?\]/, "[]"));
    expect(said).toEqual([
      `Received GET request on url ${url}`,
      `127.0.0.1 - - [] "GET ${url} HTTP/1.1" ${status} -`,
      "Finished GET request",
    ]);
  }
});

test("a request is in its trace from its handler until its answer", async () => {
  const { log, lines } = rememberingLog();
  const traces = new RequestTraces(log);
  const app = Fastify();
  onTestFinished(() => app.close());
  logRequests(app, log, traces);
  const asked: unknown[] = [];
  app.get("/stocks/:name", () => {
    asked.push(traces.of([{ kind: "lookup", name: "FishCo" }]));
    return "a stock";
  });
  app.get("/orders", {
    onRequest: (_request, reply, done) => {
      reply.header(KEY_HEADER, "a-1");
      done();
    },
    handler: () => "an order",
  });
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  const get = (path: string) => fetch(`${url}${path}`, { headers: { traceparent } });
  await get("/stocks/FishCo?again");
  await get("/orders");
  const [lookup, trade] = lines.filter(({ msg }) => msg === "Part of a trace");
  expect(lookup).toMatchObject({ traceparent, request: "/stocks/FishCo" });
  expect(trade).toMatchObject({ traceparent, request: "a-1" });
  expect(asked).toEqual([{ traces: [{ traceparent, request: "/stocks/FishCo" }] }]);
  await expect.poll(() => traces.of([{ kind: "lookup", name: "FishCo" }])).toEqual({});
});
