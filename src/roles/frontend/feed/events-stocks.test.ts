import { expect, test } from "vitest";
import type { StocksQuestion } from "../../../core/market/stock-lists.ts";
import type { Stock } from "../../../core/market/types.ts";
import type { StockPage } from "../stocks/stocks.ts";
import {
  STOCKS_BUSY_MS,
  STOCKS_IDLE_MS,
  STOCKS_SHOWN_MAX,
  TRAIL_STEP_MS,
  TRAIL_STEPS_MAX,
} from "./events-limits.ts";
import { WatchedStocks } from "./events-stocks.ts";

function watched(first: readonly Stock[]) {
  const market = { stocks: first, asked: 0, isThere: true };
  const sums = { volumes: new Map([["FishCo", { volume: 5, trades: 2 }]]), countedFrom: 1 };
  const page = async ({ after, limit }: StocksQuestion): Promise<StockPage> => {
    market.asked += 1;
    expect(after).toBe("");
    const { stocks, isThere } = market;
    if (!isThere) return { kind: "unavailable" };
    return {
      kind: "stocks",
      stocks: stocks.slice(0, limit),
      next: null,
      total: stocks.length,
      position: 1,
    };
  };
  return { market, sums, stocks: new WatchedStocks({ page }, sums) };
}

const FISH = { name: "FishCo", price: 17.99, quantity: 600 };
const BOAR = { name: "BoarCo", price: 28.59, quantity: 1_102 };

test("a stock is told again only when it changed", async () => {
  const { market, stocks } = watched([BOAR, FISH]);
  await stocks.ask(0, true);
  expect(stocks.take()?.rows).toHaveLength(2);
  expect(stocks.take()).toBeNull();
  market.stocks = [BOAR, { ...FISH, quantity: 599 }];
  await stocks.ask(10_000, true);
  expect(stocks.take()).toEqual({
    rows: [{ ...FISH, quantity: 599, volume: 5, trades: 2 }],
    total: 2,
    countedFrom: 1,
  });
});

test("what isn't known yet isn't told, and an empty bazaar is told as empty", async () => {
  const { market, stocks } = watched([]);
  market.isThere = false;
  await stocks.ask(0, true);
  stocks.step(0);
  expect([stocks.all, stocks.take(), stocks.trails]).toEqual([null, null, {}]);
  market.isThere = true;
  await stocks.ask(10_000, true);
  expect(stocks.take()).toEqual({ rows: [], total: 0, countedFrom: 1 });
  expect(stocks.take()).toBeNull();
});

test("before the orders are summed, what was traded is told as unknown", async () => {
  const unknown = new WatchedStocks(
    { page: async () => ({ kind: "stocks", stocks: [FISH], next: null, total: 1, position: 1 }) },
    { volumes: null, countedFrom: 1 },
  );
  await unknown.ask(0, true);
  expect(unknown.take()?.rows).toMatchObject([{ quantity: 600, volume: null, trades: null }]);
});

test("volume that grows is told, though the quantity is the same", async () => {
  const { sums, stocks } = watched([FISH]);
  await stocks.ask(0, true);
  stocks.take();
  sums.volumes.set("FishCo", { volume: 9, trades: 4 });
  expect(stocks.take()?.rows).toMatchObject([{ name: "FishCo", volume: 9, trades: 4 }]);
});

test("of thousands of stocks only so many are told, and they are asked for only so often", async () => {
  const many = Array.from({ length: 5_000 }, (_, index) => ({ ...FISH, name: `S${index}` }));
  const { market, stocks } = watched(many);
  await stocks.ask(0, true);
  expect(stocks.take()).toMatchObject({ total: 5_000, rows: { length: STOCKS_SHOWN_MAX } });
  await stocks.ask(STOCKS_BUSY_MS - 1, true);
  await stocks.ask(STOCKS_IDLE_MS - 1, false);
  expect(market.asked).toBe(1);
  await stocks.ask(STOCKS_BUSY_MS, true);
  expect(market.asked).toBe(2);
});

test("while nobody can tell, what is known is kept", async () => {
  const { market, stocks } = watched([FISH]);
  await stocks.ask(0, true);
  market.isThere = false;
  await stocks.ask(60_000, true);
  expect(stocks.all?.rows).toHaveLength(1);
});

test("a trail grows at its pace, up to a limit", async () => {
  const { stocks } = watched([FISH]);
  await stocks.ask(0, true);
  for (let at = 0; at < TRAIL_STEP_MS * (TRAIL_STEPS_MAX + 20); at += 250) stocks.step(at);
  expect(stocks.trails.FishCo).toHaveLength(TRAIL_STEPS_MAX);
});
