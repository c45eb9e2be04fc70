import Fastify from "fastify";
import { expect, test } from "vitest";
import { rememberingLog } from "../../io/rpc/testing.ts";
import { badUrl } from "./http-errors.ts";
import { accessLine, logRequests } from "./request-log.ts";
import { RequestTraces } from "./request-trace.ts";

test("the access line is the seed's, digit for digit", () => {
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
  const app = Fastify({ frameworkErrors: badUrl(log, traces) });
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
