import { expect, test } from "vitest";
import { RATES_KEPT_S } from "./events-limits.ts";
import { Rates } from "./events-rates.ts";

test("a percentile is off by no more than a bucket's width", () => {
  const rates = new Rates();
  for (let ms = 1; ms <= 1_000; ms++) rates.traded("accepted", ms);
  const { p50, p99, trades } = rates.second(0, 0);
  expect(trades).toBe(1_000);
  expect(Math.abs((p50 ?? 0) / 500 - 1)).toBeLessThan(0.06);
  expect(Math.abs((p99 ?? 0) / 990 - 1)).toBeLessThan(0.06);
});

test("a second is told with its own trades and no others", () => {
  const rates = new Rates();
  rates.traded("accepted", 5);
  rates.traded("refused", 5);
  rates.traded("failed", 10_000);
  expect(rates.second(1_000, 7)).toMatchObject({ trades: 1, refused: 1, failed: 1, lookups: 7 });
  expect(rates.second(2_000, 9)).toEqual({
    at: 2_000,
    trades: 0,
    refused: 0,
    failed: 0,
    lookups: 2,
    p50: null,
    p99: null,
  });
});

test("a trade without an answer has no latency, and a few trades no 99th percentile", () => {
  const rates = new Rates();
  rates.traded("failed", 10_000);
  expect(rates.second(0, 0)).toMatchObject({ failed: 1, p50: null, p99: null });
  for (let trade = 0; trade < 99; trade++) rates.traded("refused", 2);
  rates.traded("failed", 10_000);
  const { p50, p99 } = rates.second(1_000, 0);
  expect(p50).toBeCloseTo(2, 0);
  expect(p99).toBeNull();
});

test("latencies beyond the buckets, or no numbers, are counted in the outermost ones", () => {
  const rates = new Rates();
  for (const ms of [0, -1, Number.NaN, 1e-9, 1e12]) {
    for (let times = 0; times < 20; times++) rates.traded("accepted", ms);
  }
  const { trades, p50, p99 } = rates.second(0, 0);
  expect(trades).toBe(100);
  expect(p50).toBeLessThan(0.02);
  expect(p99).toBeGreaterThan(30_000);
});

test("history keeps the newest seconds, up to a limit", () => {
  const rates = new Rates();
  for (let at = 0; at < RATES_KEPT_S + 10; at++) rates.second(at, 0);
  expect(rates.points).toHaveLength(RATES_KEPT_S);
  expect(rates.points.at(-1)?.at).toBe(RATES_KEPT_S + 9);
});
