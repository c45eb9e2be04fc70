// Many clients at once, and one client many times: numbers without gaps, no
// stock sold twice, and one answer for each key.

import { beforeAll, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { dataOf, type HttpClient, jsonOf, numberOf } from "../../lab/http.ts";
import { useClusters } from "./harness/lifetime.ts";
import { allOrders, quantityOf } from "./harness/load.ts";

const clusters = useClusters("file");
let cluster: Cluster;
let client: HttpClient;

beforeAll(async () => {
  cluster = await clusters.up({
    logLevel: "info",
    stocks: [
      ["FishCo", 17.99, 600],
      ["GameStart", 10.25, 10],
      ["MenhirCo", 12.5, 100_000],
    ],
  });
  client = cluster.client();
});

async function lastNumber(): Promise<number> {
  return (await allOrders(client)).at(-1)?.number ?? 0;
}

test("64 clients at once get distinct numbers without a gap", async () => {
  const rounds = 4;
  const before = await lastNumber();
  const many = Array.from({ length: 64 }, () => cluster.client());
  const numbers = await Promise.all(
    many.map(async (one) => {
      const own: number[] = [];
      for (let round = 0; round < rounds; round++) {
        own.push(numberOf(await one.trade({ name: "MenhirCo", quantity: 1, type: "buy" })));
      }
      return own;
    }),
  );
  const sorted = numbers.flat().sort((a, b) => a - b);
  expect(sorted).toEqual(Array.from({ length: 64 * rounds }, (_, index) => before + 1 + index));
  for (const own of numbers) expect(own).toEqual(own.toSorted((a, b) => a - b));
});

test("32 buyers of the last 10 buy exactly 10", async () => {
  const buyers = Array.from({ length: 32 }, () => cluster.client());
  const calls = await Promise.all(
    buyers.map((buyer) => buyer.trade({ name: "GameStart", quantity: 1, type: "buy" })),
  );
  expect(calls.filter(({ status }) => status === 200)).toHaveLength(10);
  for (const call of calls.filter(({ status }) => status !== 200)) {
    expect(call.text).toBe(
      '{"error":{"code":500,"message":"Insufficient volume for GameStart stock"}}',
    );
  }
  expect(await quantityOf(client, "GameStart")).toBe(0);
});

test("a repeated key gets the first answer and moves no stock again", async () => {
  const before = await quantityOf(client, "FishCo");
  const trade = { name: "FishCo", quantity: 3, type: "buy" };
  const key = { "Idempotency-Key": "one purchase" };
  const first = await client.trade(trade, key);
  const again = await Promise.all([1, 2, 3].map(() => cluster.client().trade(trade, key)));
  for (const call of again) expect(call.text).toBe(first.text);
  expect(first.answered["idempotency-key"]).toBe("one purchase");
  expect(await quantityOf(client, "FishCo")).toBe(before - 3);
});

test("a trade that was refused under a key stays refused, though the stock has come since", async () => {
  const key = { "Idempotency-Key": "too early" };
  const trade = { name: "GameStart", quantity: 1, type: "buy" };
  const first = await client.trade(trade, key);
  expect(first.status).toBe(500);
  numberOf(await client.trade({ name: "GameStart", quantity: 1, type: "sell" }));
  expect((await client.trade(trade, key)).text).toBe(first.text);
  expect(await quantityOf(client, "GameStart")).toBe(1);
});

test("a key that is used again for another trade is refused", async () => {
  const key = { "Idempotency-Key": "mine" };
  numberOf(await client.trade({ name: "FishCo", quantity: 1, type: "buy" }, key));
  const other = await client.trade({ name: "FishCo", quantity: 2, type: "buy" }, key);
  expect(other.status).toBe(422);
  expect(jsonOf(other)).toMatchObject({ error: { code: 422 } });
});

test("the answer to a trade without a key names one, under which the trade can be repeated", async () => {
  const trade = { name: "FishCo", quantity: 1, type: "buy" };
  const call = await client.trade(trade);
  const key = call.answered["idempotency-key"];
  expect(key).toMatch(/^[\x20-\x7e]{1,128}$/);
  const again = await client.trade(trade, { "Idempotency-Key": String(key) });
  expect(again.text).toBe(call.text);
});

test("the list of orders is whole and in order, page by page", async () => {
  const rows = await allOrders(client);
  expect(rows.map(({ number }) => number)).toEqual(rows.map((_, index) => index + 1));
  const page = jsonOf(await client.get("/orders?after=2&limit=3")) as {
    data: readonly { number: number }[];
    next: number;
  };
  expect(page.data.map(({ number }) => number)).toEqual([3, 4, 5]);
  expect(page.next).toBe(5);
  const [third] = page.data;
  expect(dataOf(await client.get("/orders/3"))).toEqual(third);
});

test("the list of stocks is by name and agrees with each lookup", async () => {
  const stocks = dataOf(await client.get("/stocks")) as readonly { name: string }[];
  expect(stocks.map(({ name }) => name)).toEqual(["FishCo", "GameStart", "MenhirCo"]);
  for (const stock of stocks) {
    expect(dataOf(await client.get(`/stocks/${stock.name}`))).toEqual(stock);
  }
});

test("afterwards all replicas and the catalog agree", async () => {
  expect(await cluster.verify()).toMatchObject({ ok: true, differences: [] });
});
