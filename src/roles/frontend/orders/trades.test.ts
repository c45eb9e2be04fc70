import pino from "pino";
import { expect, test } from "vitest";
import type { OrderView } from "../../../core/service/types.ts";
import type { Grant } from "../http/access.ts";
import { TestMarket } from "../test-market.ts";
import { BodyCutOffError, BodyTooLargeError } from "./trade-body.ts";
import { bodyProblem, requestKey, Trades } from "./trades.ts";

const market = new TestMarket();
const trades = new Trades(market, pino({ level: "silent" }));
const EVERYBODY: Grant = { owner: null, stocks: null, may: () => true, holds: () => true };
const body = (text: string) => new TextEncoder().encode(text);

test("an answer of another kind isn't taken for a trade's", async () => {
  const odd = new Trades(
    {
      ask: async () => ({
        kind: "answer",
        answer: { kind: "outcome", outcome: { kind: "listed" } },
      }),
      isFull: () => false,
    },
    pino({ level: "silent" }),
  );
  const asked = odd.answer(
    body('{"name":"FishCo","quantity":1,"type":"buy"}'),
    "k",
    true,
    EVERYBODY,
  );
  await expect(asked).rejects.toThrow("a trade ended as listed");
});

test("what is no trade is refused without the leader", async () => {
  const answer = await trades.answer(body("{"), "k", false, EVERYBODY);
  expect(answer.status).toBe(400);
  expect(market.questions).toEqual([]);
});

test("an error that isn't the body's is not told to the client", () => {
  expect(bodyProblem(new BodyTooLargeError(true))).toMatchObject({ status: 413 });
  expect(bodyProblem(new BodyTooLargeError(false))).toMatchObject({ status: 413, closes: true });
  expect(bodyProblem(new BodyCutOffError())?.status).toBe(400);
  expect(bodyProblem(new Error("other"))).toBeNull();
});

/** As Node reads these lines: a header that comes twice is joined. */
function keyOf(...values: readonly string[]): string | null {
  return requestKey({
    headers: values.length === 0 ? {} : { "idempotency-key": values.join(", ") },
    rawHeaders: [
      "Host",
      "idempotency-key",
      ...values.flatMap((value) => ["Idempotency-Key", value]),
    ],
  });
}

test("each trade without a key gets one of its own, in order of time", () => {
  const keys = [keyOf(), keyOf()];
  for (const key of keys) {
    expect(key).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
  expect(keys[0]).not.toBe(keys[1]);
});

test.each(["k", "my key: 1", "a, b", `~!"#$%&'()*+,-./:;<=>?@[]^_\`{|} ${"k".repeat(95)}~`])(
  "the client's key %j is taken as it is",
  (key) => {
    expect(keyOf(key)).toBe(key);
  },
);

test.each([
  ["", "empty"],
  ["x".repeat(129), "too long"],
  ["né", "not ASCII"],
  ["a\tb", "a tab"],
])("a key %j is refused: %s", (key) => {
  expect(keyOf(key)).toBeNull();
});

test("two keys are no key, even if each of them were one", () => {
  expect(keyOf("a", "b")).toBeNull();
  expect(keyOf("a", "a")).toBeNull();
});

test("whoever watches is told of each trade as what it became, and of nothing else", async () => {
  const watched = new TestMarket();
  const told: [string, OrderView | null][] = [];
  const watch = {
    traded: (end: string, _ms: number, order: OrderView | null) => void told.push([end, order]),
  };
  const trading = new Trades(watched, pino({ level: "silent" }), undefined, watch);
  const trade = (type: string, quantity: number, key: string) =>
    trading.answer(body(JSON.stringify({ name: "FishCo", quantity, type })), key, false, EVERYBODY);
  await trade("buy", 3, "a");
  await trade("buy", 1_000_000, "b");
  watched.failing = "unavailable";
  await trade("sell", 1, "c");
  watched.failing = new Error("gone");
  await expect(trade("sell", 1, "d")).rejects.toThrow("gone");
  await trading.answer(body("{"), "e", false, EVERYBODY);
  expect(told).toEqual([
    ["accepted", { number: 1, name: "FishCo", type: "buy", quantity: 3 }],
    ["refused", null],
    ["failed", null],
    ["failed", null],
  ]);
});

test("two clients that use one key never share an answer, and each gets its own again", async () => {
  const shared = new TestMarket();
  const trading = new Trades(shared, pino({ level: "silent" }));
  const trade = (owner: string | null, quantity: number) =>
    trading.answer(body(JSON.stringify({ name: "FishCo", quantity, type: "buy" })), "1", true, {
      ...EVERYBODY,
      owner,
    });
  const numbers = [];
  for (const [owner, quantity] of [
    ["ann", 1],
    ["bob", 2],
    [null, 3],
    ["ann", 1],
    ["bob", 2],
  ] as const) {
    numbers.push(JSON.parse(String((await trade(owner, quantity)).body)).data.transaction_number);
  }
  expect(numbers).toEqual([1, 2, 3, 1, 2]);
  expect((await trade("ann", 2)).status).toBe(422);
});

test("a key that is for some stocks trades no others", async () => {
  const before = market.questions.length;
  const grant = { ...EVERYBODY, owner: "ann", stocks: new Set(["BoarCo"]) };
  const asked = body('{"name":"FishCo","quantity":1,"type":"buy"}');
  expect((await trades.answer(asked, "k", true, grant)).status).toBe(403);
  expect(market.questions).toHaveLength(before);
});
