// What every request passes, seen from outside: over bare connections, whatever
// the URL, and until when one may be used.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HostNames } from "../../../io/host-names.ts";
import { REQUEST_RECEIVE_LIMIT_MS } from "../limits.ts";
import type { TestMarket } from "../test-market.ts";
import { RequestGate } from "./request-gate.ts";
import { type Connection, GET, post, TestServer, TRADE, WAIT } from "./test-http.ts";

let server: TestServer;
let market: TestMarket;
let gate: RequestGate;

beforeEach(async () => {
  gate = new RequestGate(new HostNames("127.0.0.1", []));
  server = await TestServer.open({ gate });
  ({ market } = server);
});
afterEach(() => server.close());

const open = (): Promise<Connection> => server.connect();

describe("a request", () => {
  const asked = [
    ...[
      "/",
      "/stocks",
      "/stocks/FishCo",
      "/orders",
      "/orders/1",
      "/events",
      "/metrics",
      "/healthz",
    ],
    ...["/readyz", "/get_order_leader", "/cache_invalid/FishCo", "/openapi.json", "/docs", "/none"],
    "/%zz",
  ].map(
    (url) =>
      `GET ${url} HTTP/1.1\r\nhost: evil.example:8000\r\norigin: http://evil.example:8000\r\n\r\n`,
  );
  test.each([
    ...asked,
    post(TRADE).replace("localhost", "evil.example"),
    GET.replace("/stocks", "http://evil.example/stocks"),
    "OPTIONS * HTTP/1.1\r\nhost: evil.example\r\n\r\n",
  ])(
    "for a host that this front end isn't known by is 421, whatever it asks: %j",
    async (request) => {
      const connection = await open();
      const response = await connection.ask(request);
      expect(response.status).toBe(421);
      expect(JSON.parse(response.body)).toEqual({
        error: {
          code: 421,
          message: expect.stringMatching(/host evil\.example\..*--allowed-hosts/),
        },
      });
      expect(response.headers.get("connection")).toBe("close");
      expect(market.questions).toEqual([]);
    },
  );

  test.each([
    ["no host", GET.replace("host: localhost\r\n", "")],
    ["two hosts", GET.replace("host: localhost", "host: localhost\r\nHost: localhost")],
    ["a host that can't be one", GET.replace("localhost", "local host")],
  ])("with %s is 400", async (_what, request) => {
    const response = await (await open()).ask(request);
    expect(response.status).toBe(400);
    expect(JSON.parse(response.body).error.message).toBe(
      "Bad request. Host must be a name or an address, given once",
    );
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  });

  test("of HTTP/1.0, as load balancers check, needs no host", async () => {
    const response = await (await open()).ask("GET /readyz HTTP/1.0\r\n\r\n");
    expect(response.status).toBe(200);
  });
});

describe("a connection ends with its answer", () => {
  test.each(["h2c", "websocket"])("after a request to upgrade to %s", async (protocol) => {
    const connection = await open();
    const upgrade = `connection: Upgrade\r\nupgrade: ${protocol}\r\n`;
    const response = await connection.ask(GET.replace("\r\n\r\n", `\r\n${upgrade}\r\n`));
    expect(response.status).toBe(200);
    expect(response.headers.get("connection")).toBe("close");
    await vi.waitFor(() => expect(connection.ended).toBe(true), WAIT);
  });

  test("after a request to open a tunnel, in words", async () => {
    const connection = await open();
    const response = await connection.ask("CONNECT x:1 HTTP/1.1\r\nhost: localhost\r\n\r\n");
    expect(response.status).toBe(404);
    expect(JSON.parse(response.body).error.message).toBe("Invalid request url");
    expect(response.headers.get("connection")).toBe("close");
    await vi.waitFor(() => expect(connection.ended).toBe(true), WAIT);
  });

  test("after an expectation that can't be met", async () => {
    const connection = await open();
    const response = await connection.ask(GET.replace("host:", "expect: a miracle\r\nhost:"));
    expect(response.status).toBe(417);
    expect(response.headers.get("connection")).toBe("close");
    await vi.waitFor(() => expect(connection.ended).toBe(true), WAIT);
  });

  test("after a client's last request, which is answered though more came behind it", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    market.until = promise;
    const connection = await open();
    connection.socket.write(
      post(TRADE, `connection: close\r\ncontent-length: ${TRADE.length}`) + GET,
    );
    await vi.waitFor(() => expect(market.questions).toHaveLength(1), WAIT);
    resolve();
    expect((await connection.response()).body).toBe('{"data":{"transaction_number":1}}');
    await vi.waitFor(() => expect(connection.ended).toBe(true), WAIT);
    expect(connection.read).toBe("");
  });
});

test("every JSON answer tells browsers not to guess what it is", async () => {
  const connection = await open();
  const stocks = GET.replace("/FishCo", "");
  for (const request of [GET, stocks, post(TRADE), post("{"), GET.replace("stocks", "stcks")]) {
    const { headers } = await connection.ask(request);
    expect(headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  }
});

test("a body that comes slowly has the time that is promised, and no more", {
  timeout: 60_000,
}, async () => {
  const connection = await open();
  const startMs = performance.now();
  connection.socket.write(post("", "content-length: 100"));
  const slowly = setInterval(() => connection.socket.write("x"), 500);
  try {
    await vi.waitFor(() => expect(connection.read).toContain("\r\n\r\n"), {
      timeout: 50_000,
      interval: 50,
    });
  } finally {
    clearInterval(slowly);
  }
  const response = await connection.response();
  expect(response.status).toBe(408);
  expect(response.headers.get("connection")).toBe("close");
  const tookMs = performance.now() - startMs;
  expect(tookMs).toBeGreaterThanOrEqual(REQUEST_RECEIVE_LIMIT_MS - 1);
  expect(tookMs).toBeLessThan(REQUEST_RECEIVE_LIMIT_MS * 1.5);
});

describe("once the front end stops", () => {
  test("each answer is the last of its connection, those under way too, and none is lost", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    market.until = promise;
    const [idle, waiting, three] = [await open(), await open(), await open()];
    expect((await idle.ask(GET)).headers.get("connection")).toBe("keep-alive");
    waiting.socket.write(post(TRADE));
    three.socket.write(post(TRADE) + post(TRADE) + post(TRADE));
    await vi.waitFor(() => expect(market.questions).toHaveLength(4), WAIT);
    gate.stop();
    resolve();
    const last = [await waiting.response()];
    for (let nth = 1; nth <= 3; nth++) {
      const response = await three.response();
      expect(response.status).toBe(200);
      if (nth === 3) last.push(response);
      else expect(response.headers.get("connection")).toBe("keep-alive");
    }
    // A connection that waited, and one that came only now, are answered once.
    last.push(await idle.ask(GET), await (await open()).ask(post(TRADE)));
    for (const { status, headers } of last) {
      expect(status).toBe(200);
      expect(headers.get("connection")).toBe("close");
    }
    for (const each of server.connections)
      await vi.waitFor(() => expect(each.ended).toBe(true), WAIT);
  });

  test("what is piped behind a last request isn't made without an answer", async () => {
    gate.stop();
    const connection = await open();
    expect((await connection.ask(post(TRADE) + post(TRADE) + GET)).status).toBe(200);
    await vi.waitFor(() => expect(connection.ended).toBe(true), WAIT);
    expect(connection.read).toBe("");
    expect(market.questions).toHaveLength(1);
  });
});
