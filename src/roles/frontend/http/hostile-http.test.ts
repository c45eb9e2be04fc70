// What a client, or a proxy that reads HTTP otherwise than we do, may send to get
// a request past somebody: heads that can be read in two ways, with a trade
// behind them or in their body. Whatever it is, each answer is HTTP with JSON,
// and nothing behind a refused head is ever run.

import { connect } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { TestMarket } from "../test-market.ts";
import { TestServer } from "./test-http.ts";

const RUNS = 750;
const TEST_LIMIT_MS = 120_000;

let server: TestServer;
let market: TestMarket;

beforeAll(async () => {
  server = await TestServer.open();
  ({ market } = server);
});
afterAll(() => server.close());

/** Of the trade that must not be made; no other has it. */
const HIDDEN_QUANTITY = 7;
const trade = (quantity: number) => `{"name":"FishCo","quantity":${quantity},"type":"sell"}`;
const post = (body: string, more = "") =>
  `POST /orders HTTP/1.1\r\nHost: localhost\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;
const HIDDEN = post(trade(HIDDEN_QUANTITY));
const LOOKUP = "GET /stocks/FishCo HTTP/1.1\r\nHost: localhost\r\n\r\n";

/** Requests that are fine, to come before. */
const fine = fc.constantFrom(
  LOOKUP,
  post(trade(1)),
  "GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n",
);

const line = fc.constantFrom("POST /orders", "GET /stocks/FishCo", "POST /none", "GET /metrics");
const head = (...headers: readonly string[]) =>
  line.map((start) => `${start} HTTP/1.1\r\n${headers.map((each) => `${each}\r\n`).join("")}\r\n`);
const withHost = (...headers: readonly string[]) => head("Host: localhost", ...headers);

/** Heads after which nothing may be run, by what is odd about them. */
const ODD: Readonly<Record<string, fc.Arbitrary<string>>> = {
  "two ways to tell the length": fc
    .constantFrom(
      ["Content-Length: 4", "Transfer-Encoding: chunked"],
      ["Transfer-Encoding: chunked", "Content-Length: 4"],
      ["Transfer-Encoding: chunked", "Content-Length: 0"],
    )
    .chain((headers) => withHost(...headers)),
  "two lengths": fc
    .tuple(fc.nat(40), fc.nat(40))
    .chain(([a, b]) => withHost(`Content-Length: ${a}`, `Content-Length: ${b}`)),
  "a length that is none": fc
    .constantFrom("+5", "-1", "0x5", "5, 5", "5 5", "five", "5;", "1e1", "99999999999999999999999")
    .chain((length) => withHost(`Content-Length: ${length}`)),
  "a coding that isn't read": fc
    .constantFrom(
      "identity",
      "xchunked",
      "chunked, identity",
      "gzip",
      "chunked;q=1",
      "chunked x",
      "",
    )
    .chain((coding) => withHost(`Transfer-Encoding: ${coding}`)),
  "a coding twice": withHost("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
  "a chunk that is none": fc
    .tuple(
      withHost("Transfer-Encoding: chunked"),
      fc.constantFrom(
        "x",
        "-1\r\n",
        "0x5\r\n",
        "fffffffffffffffff\r\n",
        "1\nx",
        "5\r\n{",
        "1\r\nxx\r\n",
      ),
    )
    .map(([start, chunk]) => `${start}${chunk}`),
  "a folded line": withHost("X-Folded: a", " Content-Length: 4"),
  "bare line feeds": withHost().map((start) => start.replaceAll("\r\n", "\n")),
  "a bare carriage return": withHost("X-Odd: a\rContent-Length: 4"),
  "a NUL": withHost("X-Odd: a\0b"),
  "a space before the colon": withHost("Content-Length : 4"),
  "a header without a name": withHost(": 4"),
  "a line without a colon": withHost("nonsense"),
  "no HTTP": fc.constantFrom(
    "what is this?\r\n\r\n",
    "GET /\r\n\r\n",
    "\0\0\0",
    "GET / HTTP/3.7\r\n\r\n",
  ),
  "HTTP/2": fc.constant("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  "no host": head(),
  "two hosts": fc
    .constantFrom(["Host: localhost", "Host: localhost"], ["Host: localhost", "host: evil.example"])
    .chain((headers) => head(...headers)),
  "another host": fc
    .constantFrom(
      "evil.example",
      "evil.example:8000",
      "localhost.evil.example",
      "",
      "a b",
      "localhost, b",
    )
    .chain((host) => head(`Host: ${host}`)),
  "another host in its URL": fc.constant(
    "GET http://evil.example/stocks/FishCo HTTP/1.1\r\nHost: localhost\r\n\r\n",
  ),
  "an upgrade": fc
    .tuple(fc.constantFrom("h2c", "websocket", "TLS/1.0", ""), fc.boolean(), fc.boolean())
    .chain(([to, isAsked, hasBody]) =>
      withHost(
        ...(isAsked ? ["Connection: Upgrade"] : []),
        `Upgrade: ${to}`,
        ...(hasBody ? ["Content-Length: 2"] : []),
      ).map((start) => (hasBody ? `${start}{}` : start)),
    ),
  "an expectation": withHost("Expect: a miracle"),
  "a tunnel": fc.constant("CONNECT evil.example:80 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
  "its last words": withHost("Connection: close"),
  "an old version": line.map((start) => `${start} HTTP/1.0\r\n\r\n`),
};

/** Of these the head has its answer before the rest shows to be none; then the connection ends without a word. */
const FINE_UNTIL_ITS_BODY = new Set(["a coding that isn't read", "a chunk that is none"]);

interface Sent {
  readonly before: readonly string[];
  readonly odd: string;
  /** The hidden trade as a request, or as the body of one: a lost head would set it free. */
  readonly after: string;
  /** Where what is sent is cut into pieces, as shares of it. */
  readonly cuts: readonly number[];
}

const WRAPPED = `POST /none HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`;
const sent = (odd: fc.Arbitrary<string>): fc.Arbitrary<Sent> =>
  fc.record({
    before: fc.array(fine, { maxLength: 2 }),
    odd,
    after: fc.constantFrom(HIDDEN, WRAPPED, LOOKUP + HIDDEN),
    cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 }),
  });

/** Sends it in pieces, then no more, and reads until the server closes. */
async function exchange({ before, odd, after, cuts }: Sent): Promise<string> {
  const socket = connect({ port: server.port, host: "127.0.0.1", noDelay: true });
  let read = "";
  socket.on("data", (chunk) => {
    read += chunk.toString("latin1");
  });
  socket.on("error", () => {}); // cut off while it still sent
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await new Promise((resolve) => socket.once("connect", resolve));
  const all = before.join("") + odd + after;
  const ends = [...cuts.map((share) => Math.floor(share * all.length)), all.length];
  // What was lost came in one piece with what it was lost with.
  if (cuts.length === 3)
    ends.unshift(before.join("").length + odd.length + after.indexOf("\r\n\r\n") + 4);
  let start = 0;
  for (const end of ends.toSorted((a, b) => a - b)) {
    if (end > start) socket.write(all.slice(start, end), "latin1");
    start = Math.max(start, end);
    for (let turns = 0; turns < 5; turns++) await turn();
  }
  socket.end();
  await closed;
  return read;
}

interface Answer {
  readonly status: number;
  readonly closes: boolean;
}

/** Reads answers to the last byte; throws at what is none. */
function answersIn(read: string): readonly Answer[] {
  const answers: Answer[] = [];
  for (let rest = read; rest !== ""; ) {
    const found = /^HTTP\/1\.1 (\d{3}) [ -~]*\r\n((?:[\w-]+: [ -~]*\r\n)*)\r\n/.exec(rest);
    if (!found) throw new Error(`no answer: ${JSON.stringify(rest.slice(0, 200))}`);
    const [whole, status = "", lines = ""] = found;
    const headers = new Map(
      lines.split("\r\n").map((each) => {
        const [name = "", ...value] = each.split(": ");
        return [name.toLowerCase(), value.join(": ")];
      }),
    );
    const length = Number(headers.get("content-length"));
    rest = rest.slice(whole.length);
    const isText = headers.get("content-type")?.startsWith("text/plain"); // metrics
    if (headers.get("content-type") !== "application/json; charset=utf-8" && !isText) {
      throw new Error(`no JSON: ${whole}`);
    }
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    if (rest.length < length) throw new Error(`cut off: ${whole}${rest}`);
    if (!isText) {
      const body = JSON.parse(rest.slice(0, length));
      if (Number(status) >= 400) expect(body.error.code).toBe(Number(status));
    }
    rest = rest.slice(length);
    answers.push({ status: Number(status), closes: headers.get("connection") === "close" });
  }
  return answers;
}

const hiddenTrades = () =>
  market.questions.filter(
    (each) =>
      each.kind === "request" &&
      each.content.kind === "trade" &&
      each.content.quantity === HIDDEN_QUANTITY,
  ).length;

test.each(Object.entries(ODD))(
  "nothing behind a head with %s is run, and each answer is HTTP with JSON",
  async (what, odd) => {
    await fc.assert(
      fc.asyncProperty(sent(odd), async (one) => {
        const made = hiddenTrades();
        const answers = answersIn(await exchange(one));
        expect(hiddenTrades()).toBe(made);
        const isFine = FINE_UNTIL_ITS_BODY.has(what);
        expect(answers.length).toBeLessThanOrEqual(one.before.length + (isFine ? 2 : 1));
        if (one.before.length === 0) expect(answers.length).toBeGreaterThan(0);
        // One that is answered at all is answered with the connection's end.
        const last = answers.length > one.before.length && !isFine ? answers.at(-1) : undefined;
        expect(last?.closes ?? true).toBe(true);
      }),
      { numRuns: Math.ceil(RUNS / Object.keys(ODD).length) },
    );
  },
  TEST_LIMIT_MS,
);

test("behind a valid head the same trade is made, so these tests would see it", async () => {
  const made = hiddenTrades();
  const answers = answersIn(
    await exchange({ before: [LOOKUP], odd: LOOKUP, after: HIDDEN, cuts: [0.2, 0.7] }),
  );
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(hiddenTrades()).toBe(made + 1);
  await exchange({ before: [], odd: LOOKUP, after: WRAPPED, cuts: [] });
  expect(hiddenTrades()).toBe(made + 1);
});
