// Against a real server on loopback that answers by a script, step by step.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { BazaarClient, type BazaarClientOptions } from "./client.ts";
import { BazaarError } from "./errors.ts";

type Step = (request: Asked, response: ServerResponse) => void;
interface Asked {
  readonly method: string;
  readonly url: string;
  readonly key: string | undefined;
  readonly trace: string | undefined;
  readonly body: string;
}

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A server that answers its nth request with the nth step, and the last one from then on. */
async function scripted(...steps: Step[]): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += String(chunk);
    });
    request.on("end", () => {
      const question = {
        method: request.method ?? "",
        url: request.url ?? "",
        key: request.headers["idempotency-key"]?.toString(),
        trace: request.headers.traceparent?.toString(),
        body,
      };
      asked.push(question);
      steps[Math.min(asked.length, steps.length) - 1]?.(question, response);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const answer =
  (status: number, body: unknown, headers: Record<string, string> = {}): Step =>
  (_, response) => {
    response.writeHead(status, headers).end(typeof body === "string" ? body : JSON.stringify(body));
  };
const data = (value: unknown) => answer(200, { data: value });
const error = (code: number, message: string, headers?: Record<string, string>) =>
  answer(code, { error: { code, message } }, headers);
const silence: Step = () => {};
const cut: Step = (_, response) => response.destroy();
const halfAnAnswer: Step = (_, response) => {
  response.writeHead(200, { "content-length": "1000" });
  response.write('{"data":', () => response.destroy());
};

const FISH = { name: "FishCo", price: 17.99, quantity: 600 };
const client = (url: string, options: Partial<BazaarClientOptions> = {}) =>
  new BazaarClient({ url, timeoutMs: 5_000, random: () => 0, ...options });
const failure = async (call: Promise<unknown>): Promise<BazaarError> => {
  const reason: unknown = await call.then(
    () => new Error("it succeeded"),
    (rejected: unknown) => rejected,
  );
  if (!(reason instanceof BazaarError)) throw reason;
  return reason;
};

test("each call asks its route and returns the answer's data", async () => {
  const { url, asked } = await scripted(
    data(FISH),
    data([FISH]),
    answer(200, { data: [FISH], next: "FishCo" }),
    data({ number: 7, name: "FishCo", type: "buy", quantity: 1 }),
    answer(200, { data: [], next: null }),
    data({ transaction_number: 8 }),
  );
  const bazaar = client(`${url}/`);
  expect(await bazaar.lookup("FishCo")).toEqual(FISH);
  expect(await bazaar.stocks()).toEqual([FISH]);
  expect(await bazaar.stocksPage({ after: "Ant", limit: 1, containing: "fish" })).toEqual({
    stocks: [FISH],
    next: "FishCo",
  });
  expect(await bazaar.order(7)).toMatchObject({ number: 7, type: "buy" });
  expect(await bazaar.orders({ after: 7, limit: 3 })).toEqual({ orders: [], next: null });
  expect(await bazaar.trade({ name: "FishCo", type: "buy", quantity: 1, key: "k" })).toEqual({
    number: 8,
    key: "k",
    attempts: 1,
  });
  expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual([
    "GET /stocks/FishCo",
    "GET /stocks",
    "GET /stocks?limit=1&after=Ant&containing=fish",
    "GET /orders/7",
    "GET /orders?after=7&limit=3",
    "POST /orders",
  ]);
  expect(JSON.parse(asked[5]?.body ?? "")).toEqual({ name: "FishCo", quantity: 1, type: "buy" });
});

test("every attempt of a trade carries the same key and body", async () => {
  const { url, asked } = await scripted(
    cut,
    error(503, "no leader"),
    halfAnAnswer,
    answer(502, "<html>"),
    data({ transaction_number: 1 }),
  );
  const done = await client(url).trade({ name: "FishCo", type: "sell", quantity: 2 });
  expect(done).toMatchObject({ number: 1, attempts: 5 });
  expect(done.key).toMatch(/^[0-9a-f]{32}$/);
  expect(new Set(asked.map((question) => question.key))).toEqual(new Set([done.key]));
  expect(new Set(asked.map((question) => question.body)).size).toBe(1);
});

test("two trades have different keys", async () => {
  const { url, asked } = await scripted(data({ transaction_number: 1 }));
  const bazaar = client(url);
  await bazaar.trade({ name: "FishCo", type: "buy", quantity: 1 });
  await bazaar.trade({ name: "FishCo", type: "buy", quantity: 1 });
  expect(asked[0]?.key).not.toBe(asked[1]?.key);
});

test.each([
  [400, "Bad request. Ash stock not found in db"],
  [404, "Invalid request url"],
  [422, "this key was used for another trade"],
  [500, "Insufficient volume for GameStart stock"],
])("a call refused with status %i is made once", async (status, message) => {
  const { url, asked } = await scripted(error(status, message));
  const call = client(url).trade({ name: "Ash", type: "buy", quantity: 1, key: "k" });
  expect(await failure(call)).toMatchObject({ kind: "refused", status, message, key: "k" });
  expect(asked.length).toBe(1);
});

test("a failure with the status of a refusal is tried again", async () => {
  const { url } = await scripted(error(500, "out of order"), data(FISH));
  expect(await client(url).lookup("FishCo")).toEqual(FISH);
});

test("a client waits as long as Retry-After says", async () => {
  const { url, asked } = await scripted(error(503, "busy", { "Retry-After": "1" }), data(FISH));
  const started = performance.now();
  await client(url).lookup("FishCo");
  // Timers may fire up to a millisecond early.
  expect(performance.now() - started).toBeGreaterThanOrEqual(998);
  expect(asked.length).toBe(2);
});

test("a Retry-After past the time-out ends the call at once", async () => {
  const { url, asked } = await scripted(error(503, "no quorum", { "Retry-After": "60" }));
  const started = performance.now();
  const call = client(url).trade({ name: "FishCo", type: "buy", quantity: 1, key: "mine" });
  expect(await failure(call)).toMatchObject({
    kind: "unavailable",
    status: 503,
    message: "no quorum",
    key: "mine",
    attempts: 1,
  });
  expect(performance.now() - started).toBeLessThan(4_000);
  expect(asked.length).toBe(1);
});

test("a call to a server that never answers ends at its time-out", async () => {
  const { url } = await scripted(silence);
  const reason = await failure(client(url).lookup("FishCo", { timeoutMs: 50 }));
  expect(reason).toMatchObject({ kind: "unavailable", status: null, message: "no answer in time" });
});

test("a call whose answer is lost is tried again", async () => {
  const { url, asked } = await scripted(silence, data(FISH));
  expect(await client(url, { attemptTimeoutMs: 50 }).lookup("FishCo")).toEqual(FISH);
  expect(asked.length).toBe(2);
});

test("a front end that isn't there is tried again until the time-out, and the error names the reason", async () => {
  const { url } = await scripted(silence);
  const gone = servers[0];
  gone?.closeAllConnections();
  await new Promise((resolve) => gone?.close(resolve));
  const reason = await failure(client(url).lookup("FishCo", { timeoutMs: 60 }));
  expect(reason.kind).toBe("unavailable");
  expect(reason.message).toContain("ECONNREFUSED");
  expect(reason.attempts).toBeGreaterThan(1);
});

test("a caller's abort ends a call that waits for an answer, with the key to ask again", async () => {
  const { url, asked } = await scripted(silence);
  const controller = new AbortController();
  const trade = { name: "FishCo", type: "buy", quantity: 1, key: "k" } as const;
  const call = failure(client(url).trade(trade, { signal: controller.signal }));
  await vi.waitUntil(() => asked.length === 1);
  controller.abort();
  expect(await call).toMatchObject({ kind: "aborted", key: "k", attempts: 1 });
});

test("a caller's abort ends a call that waits to be tried again", async () => {
  const { url, asked } = await scripted(error(503, "busy", { "Retry-After": "3" }));
  const controller = new AbortController();
  const call = failure(client(url).lookup("FishCo", { signal: controller.signal }));
  await vi.waitUntil(() => asked.length === 1);
  controller.abort("enough");
  expect(await call).toMatchObject({ kind: "aborted", cause: "enough" });
});

test("a call with an aborted signal sends nothing", async () => {
  const { url, asked } = await scripted(data(FISH));
  const reason = await failure(client(url).lookup("FishCo", { signal: AbortSignal.abort() }));
  expect(reason).toMatchObject({ kind: "aborted", attempts: 0 });
  expect(asked.length).toBe(0);
});

test.each<[string, Step]>([
  ["a page of another server", answer(200, "<html>hello</html>")],
  ["an error of another server", answer(404, "not here")],
  ["an answer without its fields", data({ name: "FishCo" })],
])("%s is refused as misunderstood", async (_, step) => {
  const { url, asked } = await scripted(step);
  expect((await failure(client(url).lookup("FishCo"))).kind).toBe("misunderstood");
  expect(asked.length).toBe(1);
});

test("all orders are read, page after page, each once", async () => {
  const order = (number: number) => ({ number, name: "FishCo", type: "sell", quantity: 1 });
  const { url, asked } = await scripted(
    answer(200, { data: [order(1), order(2)], next: 2 }),
    answer(200, { data: [order(3)], next: null }),
  );
  const numbers: number[] = [];
  for await (const each of client(url).allOrders()) numbers.push(each.number);
  expect(numbers).toEqual([1, 2, 3]);
  expect(asked.map((question) => question.url)).toEqual([
    "/orders?after=0&limit=1000",
    "/orders?after=2&limit=1000",
  ]);
});

test("a name is sent encoded, whatever it holds", async () => {
  const { url, asked } = await scripted(error(404, "Invalid request url"));
  await failure(client(url).lookup("../orders?é\ud800"));
  expect(asked[0]?.url).toBe("/stocks/..%2Forders%3F%C3%A9%EF%BF%BD");
});

test("a wrong argument is refused before anything is sent", async () => {
  const { url, asked } = await scripted(data(FISH));
  const bazaar = client(url);
  const trade = { name: "FishCo", type: "buy", quantity: 1 } as const;
  await expect(bazaar.trade({ ...trade, key: "schlüssel→" })).rejects.toThrow(TypeError);
  await expect(bazaar.trade(trade, { timeoutMs: -1 })).rejects.toThrow(RangeError);
  await expect(bazaar.lookup("FishCo", { traceparent: "a\nb" })).rejects.toThrow(TypeError);
  expect(() => bazaar.events({ timeoutMs: 0 })).toThrow(RangeError);
  expect(asked).toEqual([]);
});

test("every attempt carries the caller's trace", async () => {
  const { url, asked } = await scripted(error(503, "busy"), data(FISH));
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  await client(url).lookup("FishCo", { traceparent });
  expect(asked.map((question) => question.trace)).toEqual([traceparent, traceparent]);
});

test("invalid options throw at construction", () => {
  expect(() => new BazaarClient({ url: "nonsense" })).toThrow(TypeError);
  expect(() => new BazaarClient({ url: "ftp://127.0.0.1" })).toThrow(TypeError);
  expect(() => new BazaarClient({ url: "http://h", timeoutMs: 0 })).toThrow(RangeError);
});

describe("the API key", () => {
  async function seen(key: BazaarClientOptions["key"]): Promise<readonly (string | undefined)[]> {
    const keys: (string | undefined)[] = [];
    const fetchOne: typeof fetch = async (_url, init) => {
      keys.push(new Headers(init?.headers).get("authorization") ?? undefined);
      return keys.length === 1
        ? new Response("{}", { status: 503 })
        : new Response(JSON.stringify({ data: FISH }), { status: 200 });
    };
    await client("http://127.0.0.1", { key, fetch: fetchOne }).lookup("FishCo");
    return keys;
  }

  test("goes with each attempt, and a function is asked before each", async () => {
    expect(await seen("shop.secret")).toEqual(["Bearer shop.secret", "Bearer shop.secret"]);
    let calls = 0;
    expect(await seen(async () => `shop.${++calls}`)).toEqual(["Bearer shop.1", "Bearer shop.2"]);
    expect(await seen(() => null)).toEqual([undefined, undefined]);
    expect(await seen(undefined)).toEqual([undefined, undefined]);
  });

  test("that no header can carry is an error that doesn't repeat it", async () => {
    const wrong = client("http://127.0.0.1", { key: "shop.se\ncret" }).lookup("FishCo");
    await expect(wrong).rejects.toThrow(TypeError);
    await expect(wrong).rejects.not.toThrow("cret");
  });

  test.each<[status: number, kind: string]>([
    [401, "unauthorized"],
    [403, "forbidden"],
  ])("status %i is told as %s, and not tried again", async (status, kind) => {
    const { url, asked } = await scripted(error(status, "no"));
    expect(await failure(client(url).lookup("FishCo"))).toMatchObject({ kind, status });
    const events = client(url).events();
    await expect(events.next()).rejects.toMatchObject({ kind, status });
    expect(asked).toHaveLength(2);
  });
});
