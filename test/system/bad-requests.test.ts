// Every kind of request that can't be answered: the status, the body, and that
// the connection can be used for the next one.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { beforeAll, describe, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { type HttpClient, jsonOf, numberOf, type Sent } from "../../lab/http.ts";
import { useClusters } from "./harness/lifetime.ts";

const clusters = useClusters("file");
let cluster: Cluster;
let client: HttpClient;

beforeAll(async () => {
  cluster = await clusters.up();
  client = cluster.client();
});

/** Sends it and then, over the same connection, a request that must succeed. */
async function refused(sent: Sent): Promise<{ status: number; error: unknown }> {
  const call = await client.send(sent);
  const next = await client.get("/stocks/FishCo");
  expect(next.status).toBe(200);
  expect(next.connection).toBe(call.connection);
  return { status: call.status, ...(jsonOf(call) as { error: unknown }) };
}

function post(body: string): Sent {
  return { method: "POST", path: "/orders", body };
}

describe("a body that is no trade is refused, and the connection stays usable:", () => {
  const good = { name: "FishCo", quantity: 1, type: "buy" };
  const bodies: readonly (readonly [what: string, body: string])[] = [
    ["empty", ""],
    ["not JSON", "name=FishCo&quantity=1&type=buy"],
    ["cut off", '{"name":"FishCo","quantity":1,'],
    ["JSON and more", `${JSON.stringify(good)}}`],
    ["bytes that are no text", "\u0000\u0001\ufffe"],
    ["null", "null"],
    ["a number", "1"],
    ["a string", '"FishCo"'],
    ["an array", "[]"],
    ["an array with a trade in it", JSON.stringify([good])],
    ["no field", "{}"],
    ["no name", JSON.stringify({ ...good, name: undefined })],
    ["no quantity", JSON.stringify({ ...good, quantity: undefined })],
    ["no type", JSON.stringify({ ...good, type: undefined })],
    ["a name that is no string", JSON.stringify({ ...good, name: 1 })],
    ["a name that is null", JSON.stringify({ ...good, name: null })],
    ["a quantity in quotes", JSON.stringify({ ...good, quantity: "10" })],
    ["a quantity that isn't whole", JSON.stringify({ ...good, quantity: 1.9 })],
    ["a quantity that is null", JSON.stringify({ ...good, quantity: null })],
    ["a quantity that is true", JSON.stringify({ ...good, quantity: true })],
    ["a type that is no string", JSON.stringify({ ...good, type: ["buy"] })],
  ];
  test.each(bodies)("%s", async (_what, body) => {
    const { status, error } = await refused(post(body));
    expect(status).toBe(400);
    expect(error).toEqual({
      code: 400,
      message: expect.stringMatching(/^POST data not in correct format\. ./),
    });
  });
});

describe("an impossible trade is refused, and the connection stays usable:", () => {
  const cases: readonly (readonly [string, string, number, string])[] = [
    ["a quantity of 0", '{"name":"FishCo","quantity":0,"type":"buy"}', 400, "Invalid quantity 0"],
    [
      "a negative quantity",
      '{"name":"FishCo","quantity":-10,"type":"sell"}',
      400,
      "Invalid quantity -10",
    ],
    [
      "an unknown type",
      '{"name":"FishCo","quantity":1,"type":"BUY"}',
      400,
      "Unknow trade type - BUY",
    ],
    [
      "an unknown stock",
      '{"name":"Hey","quantity":1,"type":"buy"}',
      400,
      "Bad request. Hey stock not found in db",
    ],
    [
      "a name that every JavaScript object has",
      '{"name":"constructor","quantity":1,"type":"buy"}',
      400,
      "Bad request. constructor stock not found in db",
    ],
    [
      "more than there is of the stock",
      '{"name":"FishCo","quantity":601,"type":"buy"}',
      500,
      "Insufficient volume for FishCo stock",
    ],
    [
      "a quantity above the largest safe integer",
      '{"name":"FishCo","quantity":9999999999999999,"type":"buy"}',
      500,
      "Insufficient volume for FishCo stock",
    ],
    [
      "a quantity above all numbers",
      '{"name":"FishCo","quantity":1e400,"type":"buy"}',
      500,
      "Insufficient volume for FishCo stock",
    ],
    [
      "a quantity of 21 digits",
      '{"name":"FishCo","quantity":1e20,"type":"buy"}',
      500,
      "Insufficient volume for FishCo stock",
    ],
  ];
  test.each(cases)("%s", async (_what, body, status, message) => {
    expect(await refused(post(body))).toEqual({ status, error: { code: status, message } });
  });

  test.each([String(Number.MAX_SAFE_INTEGER), "1e400"])(
    "a sale of %s, which would pass the largest safe integer",
    async (quantity) => {
      const body = `{"name":"FishCo","quantity":${quantity},"type":"sell"}`;
      const { status, error } = await refused(post(body));
      expect(status).toBe(400);
      expect(error).toEqual({ code: 400, message: expect.stringMatching(/^Invalid quantity /) });
    },
  );

  test("a quantity below all numbers", async () => {
    const { status, error } = await refused(
      post('{"name":"FishCo","quantity":-1e400,"type":"buy"}'),
    );
    expect(status).toBe(400);
    expect(error).toEqual({ code: 400, message: expect.stringMatching(/^Invalid quantity -/) });
  });

  test("the quantity is judged before the type, the type before the stock", async () => {
    const all = await refused(post('{"name":"Hey","quantity":0,"type":"negotiate"}'));
    expect(all.error).toEqual({ code: 400, message: "Invalid quantity 0" });
    const two = await refused(post('{"name":"Hey","quantity":1,"type":"negotiate"}'));
    expect(two.error).toEqual({ code: 400, message: "Unknow trade type - negotiate" });
  });
});

describe("any other URL is answered with 404, and the connection stays usable:", () => {
  const requests: readonly Sent[] = [
    ...[
      "/stcks/BoarCo",
      "/orders/1ac",
      "/orders/0",
      "/orders/-1",
      "/ordrs/2",
      "/get_order_lader",
      "/cache_invald/FishCo",
      "/stocks/FishCo/",
      "/orders/1/",
      "/get_order_leader/",
      "/stocks/Fish-Co",
      "/stocks/Fish1",
      "/stocks/Fish%20Co",
      "/stocks/%zz",
      "/%zz",
    ].map((path) => ({ method: "GET", path })),
    { method: "POST", path: "/stocks/FishCo", body: "{}" },
    { method: "POST", path: "/ordrs", body: "{}" },
    { method: "PUT", path: "/orders", body: "{}" },
    { method: "DELETE", path: "/orders/1" },
    { method: "POST", path: "/get_order_leader", body: "{}" },
  ];
  test.each(requests)("$method $path", async (sent) => {
    expect(await refused(sent)).toEqual({
      status: 404,
      error: { code: 404, message: "Invalid request url" },
    });
  });
});

test("an unknown stock is refused every time", async () => {
  const name = "Z".repeat(64);
  for (const path of [`/stocks/${name}`, `/stocks/${name}`, "/stocks/constructor"]) {
    expect(await refused({ method: "GET", path })).toEqual({
      status: 400,
      error: {
        code: 400,
        message: `Bad request. ${path.slice("/stocks/".length)} stock not found in db`,
      },
    });
  }
});

test("a name longer than any stock's is refused, and the answer doesn't repeat it", async () => {
  const long = {
    status: 400,
    error: { code: 400, message: "Bad request. The name of a stock has at most 64 letters" },
  };
  const name = "Z".repeat(65);
  expect(await refused({ method: "GET", path: `/stocks/${name}` })).toEqual(long);
  expect(await refused({ method: "GET", path: `/cache_invalid/${name}` })).toEqual(long);
  expect(await refused(post(JSON.stringify({ name, quantity: 1, type: "buy" })))).toEqual(long);
});

describe("a refusal takes bounded room on each replica's disk:", () => {
  const REFUSALS = 2_000;
  /** Sent with a key each, so that whatever is remembered of a refusal is. */
  async function grownBy(bodies: readonly object[]): Promise<number[]> {
    const before = sizes();
    const crowd = cluster.client(32);
    const calls = await Promise.all(
      Array.from({ length: REFUSALS }, (_, index) => {
        const key = `${process.pid} ${index}`.padEnd(128, "k");
        return crowd.trade(bodies[index % bodies.length] ?? {}, { "Idempotency-Key": key });
      }),
    );
    for (const { status } of calls) expect([400, 422, 500]).toContain(status);
    // The tables are written later: a trade on each side of what is measured.
    numberOf(await client.trade({ name: "FishCo", quantity: 1, type: "buy" }));
    return sizes().map((size, index) => size - (before[index] ?? 0));
  }

  /** Bytes of what each replica's files hold. */
  function sizes(): number[] {
    return cluster.replicas.map((id) => {
      const folder = join(cluster.data, `order-${id}`);
      const file = join(folder, "order.db");
      const journal = readdirSync(join(folder, "journal"))
        .map((name) => readFileSync(join(folder, "journal", name)))
        .reduce((sum, bytes) => sum + bytes.findLastIndex((byte) => byte !== 0) + 1, 0);
      const database = new DatabaseSync(file, { readOnly: true });
      try {
        const sum = "sum(pgsize)";
        const row = database.prepare(`SELECT ${sum} AS bytes FROM dbstat`).get();
        return Number(row?.bytes) + journal;
      } finally {
        database.close();
      }
    });
  }

  test("none where no market would accept it, however large it is", async () => {
    const good = { name: "FishCo", quantity: 1, type: "buy" };
    const grown = await grownBy([
      { ...good, name: "x".repeat(60_000) },
      { ...good, name: "\u{1f41f}".repeat(15_000) },
      { ...good, type: "y".repeat(60_000) },
      { ...good, quantity: -1e300 },
      { ...good, quantity: 0 },
    ]);
    for (const bytes of grown) expect(bytes).toBeLessThan(64 * 1024);
  });

  test("a kilobyte at most where the market was asked, with the longest key and name", async () => {
    const grown = await grownBy([
      { name: "x".repeat(64), quantity: Number.MAX_VALUE, type: "sell" },
      { name: "FishCo", quantity: 1e300, type: "buy" },
    ]);
    for (const bytes of grown) expect(bytes).toBeLessThan(REFUSALS * 1_024);
    expect(Math.max(...grown)).toBeGreaterThan(REFUSALS * 128); // it is remembered
  });
});

test("an unknown order is refused every time", async () => {
  for (const number of ["99999", "99999", "9007199254740993", "9".repeat(40)]) {
    expect(await refused({ method: "GET", path: `/orders/${number}` })).toEqual({
      status: 400,
      error: { code: 400, message: `Bad request. ${number} order not found in ORDER LOG` },
    });
  }
});

test("a body over 64 KiB is refused without being read to its end", async () => {
  const call = await client.send(post(JSON.stringify({ name: "F".repeat(70_000) })));
  expect(call.status).toBe(413);
  expect(jsonOf(call)).toMatchObject({ error: { code: 413 } });
  // It may close the connection; a new one works.
  expect((await client.get("/stocks/FishCo")).status).toBe(200);
});

test("a good body is read whatever its Content-Type, in chunks or with a length", async () => {
  const body = JSON.stringify({ name: "FishCo", quantity: 1, type: "buy" });
  const sent: readonly Sent[] = [
    post(body),
    { ...post(body), headers: { "Content-Type": "application/json; charset=utf-8" } },
    { ...post(body), headers: { "Content-Type": "application/x-www-form-urlencoded" } },
    { ...post(body), headers: { "Content-Type": "text/plain" } },
    { ...post(body), headers: { "Content-Type": "nonsense" } },
    { method: "POST", path: "/orders", body: [body.slice(0, 9), body.slice(9)] },
  ];
  const numbers: number[] = [];
  for (const one of sent) numbers.push(numberOf(await client.send(one)));
  const first = numbers[0] ?? 0;
  expect(numbers).toEqual(sent.map((_, index) => first + index));
});
