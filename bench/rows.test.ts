import { describe, expect, test } from "vitest";
import type { RoundResult, Sample } from "./round.ts";
import { measureRows, ROWS, SCENARIOS, slotsOf } from "./rows.ts";

const round = (samples: Readonly<Record<string, Sample>>): RoundResult => ({
  samples,
  failures: [],
  loadAverages: [],
});
const rates = (rates: Readonly<Record<string, number>>): RoundResult =>
  round(
    Object.fromEntries(Object.entries(rates).map(([slot, okPerSecond]) => [slot, { okPerSecond }])),
  );

describe("a ratio", () => {
  test("is taken within each round, so that a round on a slow machine counts like any other", () => {
    const rounds = [
      rates({ "bazaar.trades.64": 3_000, "etcd.puts.64": 1_000 }),
      rates({ "bazaar.trades.64": 600, "etcd.puts.64": 200 }),
      rates({ "bazaar.trades.64": 4_000, "etcd.puts.64": 2_000 }),
    ];
    const [row] = measureRows(["trades"], rounds);
    expect(row).toMatchObject({
      measured: { median: 3, min: 2, max: 3 },
      medians: [3_000, 1_000],
      met: true,
    });
  });

  test("of a round that lacks one side isn't 0, and the row without any isn't met", () => {
    const half = rates({ "bazaar.trades.64": 3_000 });
    const whole = rates({ "bazaar.trades.64": 2_000, "etcd.puts.64": 1_000 });
    expect(measureRows(["trades"], [half, whole])[0]).toMatchObject({
      measured: { median: 2, min: 2, max: 2 },
      met: false,
    });
    expect(measureRows(["trades"], [half])[0]).toMatchObject({ measured: null, met: null });
  });
});

test("latency must be below its target, not above", () => {
  const at = (ours: number) =>
    measureRows(
      ["latency"],
      [round({ "bazaar.trades.64": { p99Ms: ours }, "etcd.puts.64": { p99Ms: 20 } })],
    )[0]?.met;
  expect([at(10), at(10.1)]).toEqual([true, false]);
});

test("a trade alone may take two fsyncs more than its limit", () => {
  const [row] = measureRows(
    ["alone"],
    [round({ "bazaar.trades.1": { p50Ms: 2.5 }, "disk.fsync": { p50Ms: 0.5 } })],
  );
  expect(row).toMatchObject({ measured: { median: 1.5 }, met: true });
});

test("overload is compared with the best of all connections, not with 64", () => {
  const rows = measureRows(
    ["overload"],
    [
      rates({
        "overload.connections.2000": 800,
        "bazaar.trades.1": 10,
        "bazaar.trades.8": 500,
        "bazaar.trades.64": 900,
        "bazaar.trades.256": 1_000,
      }),
    ],
  );
  expect(rows[0]).toMatchObject({ measured: { median: 0.8 }, met: true });
});

test("a single 503 without Retry-After, or change of the leader, misses the target", () => {
  const sample = { okPerSecond: 1, withoutRetryAfter: 1, other: 0, lost: 0, leaderChanges: 1 };
  const rows = measureRows(["overload"], [round({ "overload.offered.twice": sample })]);
  const metOf = (what: string) =>
    rows.find((row) => row.what === `twice as many offered: ${what}`)?.met;
  expect(metOf("503s without Retry-After")).toBe(false);
  expect(metOf("changes of the leader")).toBe(false);
  expect(metOf("neither 200 nor 503")).toBe(true);
});

test("a scenario alone measures what it needs and no more", () => {
  expect(slotsOf(["misses"], ["a"])).toEqual(new Set(["bazaar.misses.64", "node-http.get.64"]));
  expect(slotsOf(["connections"], ["a", "b"])).toEqual(new Set(["a", "b"]));
});

test("every promise of a number has a row", () => {
  expect(ROWS.filter(({ target }) => target !== null).length).toBeGreaterThanOrEqual(15);
  expect(SCENARIOS).toEqual([
    "trades",
    "latency",
    "lookups",
    "misses",
    "mix",
    "alone",
    "orders",
    "stocks",
    "engines",
    "secured",
    "restart",
    "catchup",
    "memory",
    "costs",
    "overload",
    "connections",
  ]);
});
