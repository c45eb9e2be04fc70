// What only a real socket shows: whether a connection lives on after an error,
// and what is answered to what isn't even a request.

import pino from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { BODY_DISCARDED_BYTES_MAX } from "../limits.ts";
import type { TestMarket } from "../test-market.ts";
import { type Connection, GET, post, TestServer, TRADE, WAIT } from "./test-http.ts";

vi.setConfig({ testTimeout: 30_000 }); // a failed wait should say what it waited for

let server: TestServer;
let market: TestMarket;
let lines: string[];

beforeEach(async () => {
  lines = [];
  const log = pino({ level: "info" }, { write: (line: string) => lines.push(line) });
  server = await TestServer.open({ log });
  ({ market } = server);
});
afterEach(() => server.close());

const open = (): Promise<Connection> => server.connect();

function chunked(...pieces: readonly string[]): string {
  const chunks = [...pieces, ""].map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`);
  return post(chunks.join(""), "transfer-encoding: chunked");
}

describe("a connection stays usable", () => {
  const after: readonly (readonly [what: string, request: string, status: number])[] = [
    ["an unknown stock", GET.replace("FishCo", "Ash"), 400],
    ["a wrong URL", GET.replace("stocks", "stcks"), 404],
    ["an escape that is none", GET.replace("FishCo", "%zz"), 404],
    ["a wrong method", `DELETE /orders/1 HTTP/1.1\r\nhost: localhost\r\n\r\n`, 404],
    ["a body for a wrong URL", post("{}").replace("/orders", "/ordrs"), 404],
    ["a body too large for a wrong URL", post("x".repeat(70_000)).replace("/orders", "/o"), 404],
    ["a chunked body for a wrong URL", chunked("{").replace("/orders", "/ordrs"), 404],
    ["a body for a GET", GET.replace("\r\n\r\n", "\r\ncontent-length: 2\r\n\r\n{}"), 200],
    ["an empty body", post(""), 400],
    ["no body", post("", "x-none: 1"), 400],
    ["a body that is no JSON", post("{"), 400],
    ["a chunked body that is no JSON", chunked("{", '"name"'), 400],
    ["a body that is null", post("null"), 400],
    ["a body that is no UTF-8", post('{"name":"\xff"}'), 400],
    ["a refused trade", post(TRADE.replace("FishCo", "Hey")), 400],
    ["a bad key", post(TRADE, `idempotency-key:\r\ncontent-length: ${TRADE.length}`), 400],
    [
      "two keys",
      post(TRADE, `Idempotency-Key: a\r\nidempotency-key: b\r\ncontent-length: ${TRADE.length}`),
      400,
    ],
    [
      "a page of another site",
      post(TRADE, `origin: x://y\r\ncontent-length: ${TRADE.length}`),
      403,
    ],
    ["a body too large", post("x".repeat(70_000)), 413],
    [
      "a body too large for the router",
      post("x".repeat(70_000)).replace("/orders", "/orders?"),
      413,
    ],
    ["a chunked body too large", chunked("x".repeat(70_000)), 413],
  ];
  test.each(after)("after %s", async (_what, request, status) => {
    const connection = await open();
    const response = await connection.ask(request);
    expect(response.status).toBe(status);
    if (status >= 400) expect(JSON.parse(response.body).error.code).toBe(status);
    expect(response.headers.get("connection")).not.toBe("close");
    const next = await connection.ask(GET);
    expect(next.body).toBe('{"data":{"name":"FishCo","price":17.99,"quantity":600}}');
  });

  test("after each of many bad bodies, pipelined and in pieces", async () => {
    const connection = await open();
    for (const byte of post("[1]") + chunked("1") + post(TRADE) + GET) {
      connection.socket.write(byte);
    }
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++) statuses.push((await connection.response()).status);
    expect(statuses).toEqual([400, 400, 200, 200]);
  });
});

describe("bodies", () => {
  test("a trade is read from chunks as from a length", async () => {
    const connection = await open();
    expect((await connection.ask(chunked(TRADE.slice(0, 9), TRADE.slice(9)))).status).toBe(200);
    expect((await connection.ask(post(TRADE))).body).toBe('{"data":{"transaction_number":2}}');
  });

  test("curl's Expect: 100-continue is met", async () => {
    const connection = await open();
    const headers = `content-length: ${TRADE.length}\r\nexpect: 100-continue`;
    expect((await connection.ask(post("", headers))).status).toBe(100);
    expect((await connection.ask(TRADE)).body).toBe('{"data":{"transaction_number":1}}');
  });

  const endless: readonly (readonly [how: string, head: string])[] = [
    ["before the router", post("", "content-length: 100000000")],
    ["by the router", post("", "content-length: 100000000").replace("/orders", "/orders?")],
    ["before the router, in chunks", `${post("", "transfer-encoding: chunked")}5f5e100\r\n`],
  ];
  test.each(endless)("a body without end is cut off at a limit: refused %s", async (_how, head) => {
    const connection = await open();
    connection.socket.write(head);
    connection.socket.write(Buffer.alloc(BODY_DISCARDED_BYTES_MAX, "x"));
    const response = await connection.ask("x".repeat(100_000));
    expect(response.status).toBe(413);
    expect(JSON.parse(response.body).error.code).toBe(413);
    expect(response.headers.get("connection")).toBe("close");
    await vi.waitFor(() => expect(connection.ended).toBe(true), WAIT);
  });
});

test("a client that sends all before it reads gets its 413, not a broken connection", async () => {
  for (let i = 0; i < 10; i++) {
    const response = await fetch(`http://127.0.0.1:${server.port}/orders`, {
      method: "POST",
      body: "x".repeat(5_000_000),
    });
    expect(response.status).toBe(413);
    await response.text();
  }
});

test("a client that goes in the middle of a body isn't logged as an error", async () => {
  const connection = await open();
  connection.socket.write(post(TRADE).slice(0, -1));
  await vi.waitFor(() => expect(connection.socket.bytesWritten).toBeGreaterThan(0), WAIT);
  connection.socket.destroy();
  const count = () =>
    new Promise((resolve) => server.app.server.getConnections((_, n) => resolve(n)));
  await vi.waitFor(async () => expect(await count()).toBe(0), WAIT);
  expect(lines).toEqual([]);
  expect(market.questions).toEqual([]);
});

describe("a request that isn't taken", () => {
  test("since it isn't HTTP is 400, and the connection is closed", async () => {
    const connection = await open();
    const response = await connection.ask("what is this?\r\n\r\n");
    expect(response.status).toBe(400);
    expect(JSON.parse(response.body).error.code).toBe(400);
    await vi.waitFor(() => expect(connection.ended).toBe(true), WAIT);
  });

  test("for its headers without end is 431, and the connection is closed", async () => {
    const connection = await open();
    const response = await connection.ask(
      GET.replace("host: localhost", `x: ${"y".repeat(140_000)}`),
    );
    expect(response.status).toBe(431);
    expect(JSON.parse(response.body).error.code).toBe(431);
    await vi.waitFor(() => expect(connection.ended).toBe(true), WAIT);
  });

  test("for a name of 10,000 letters is refused in few words, before the router and in it", async () => {
    const connection = await open();
    const name = "Z".repeat(10_000);
    for (const url of [`/stocks/${name}`, `/stocks/${name}?a=1`, `/cache_invalid/${name}`]) {
      const response = await connection.ask(GET.replace("/stocks/FishCo", url));
      expect(response.status).toBe(400);
      expect(response.body).toContain("Bad request. The name of a stock has at most 64 letters");
    }
  });
});

describe("a trade", () => {
  const JUNK = "what is this?\r\n\r\n";
  const awaited: readonly (readonly [what: string, after: string, ends: boolean])[] = [
    ["garbage after its body", JUNK, false],
    ["a second request that is none", GET + JUNK, false],
    [
      "a second request with headers without end",
      `GET / HTTP/1.1\r\nx: ${"y".repeat(140_000)}`,
      false,
    ],
    ["half a second request, and the end", GET.slice(0, 20), true],
  ];
  test.each(awaited)(
    "is made, and its client isn't told no, in spite of %s",
    async (_what, after, ends) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      market.until = promise;
      const connection = await open();
      connection.socket.write(post(TRADE) + after);
      if (ends) connection.socket.end();
      await vi.waitFor(() => expect(connection.ended).toBe(true), WAIT);
      expect(connection.read).toBe("");
      resolve();
      const fish = () => market.lookupNow(["FishCo"]).stocks[0];
      await vi.waitFor(() => expect(fish()?.quantity).toBe(599), WAIT);
      // The answer came too late for that connection, and hurts no other.
      expect((await (await open()).ask(GET)).status).toBe(200);
    },
  );

  test("whose body hasn't come as a whole isn't made, and its client is told why", async () => {
    const connection = await open();
    const response = await connection.ask(post("5\r\n{", "transfer-encoding: chunked") + JUNK);
    expect(response.status).toBe(400);
    expect(response.body).toContain("The request isn't valid HTTP");
    await vi.waitFor(() => expect(connection.ended).toBe(true), WAIT);
    expect(market.questions).toEqual([]);
  });

  test("keeps its answer, and what comes after that is answered for itself", async () => {
    const connection = await open();
    expect((await connection.ask(post(TRADE))).status).toBe(200);
    expect((await connection.ask(JUNK)).status).toBe(400);
    await vi.waitFor(() => expect(connection.ended).toBe(true), WAIT);
  });
});

test("a server that closes lets go of a connection once its last request is answered", async () => {
  const connection = await open();
  expect((await connection.ask(GET)).status).toBe(200);
  await server.app.close();
  await vi.waitFor(() => expect(connection.ended).toBe(true), WAIT);
});
