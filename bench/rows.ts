// The table: what is promised, against which target, from which slots.
//
// A ratio is taken within a round, where both sides saw the same machine; the
// row's value is the median of the rounds' ratios. Rows without a target are there
// to read the others by.

import { type Summary, summarize } from "../lab/statistics.ts";
import { COST_SLOTS, IDLE_SLOT } from "./costs.ts";
import { CATCH_UP_IDLE_SLOT, CATCH_UP_SLOT, MEMORY_SLOT, RESTART_SLOT } from "./history.ts";
import {
  CONNECTIONS,
  CONNECTIONS_ON_ENGINES,
  ORDERS_MANY,
  ORDERS_SOME,
  STOCKS_MANY,
  STOCKS_SOME,
} from "./limits.ts";
import type { RoundResult } from "./round.ts";
import {
  engineSlot,
  FSYNC_SLOT,
  OVERLOAD_CONNECTIONS_SLOT,
  OVERLOAD_OFFERED_SLOT,
  SECURED_LOOKUPS_SLOT,
  SECURED_TRADES_SLOT,
} from "./subjects.ts";

/** A number of a slot. */
export interface Figure {
  readonly slot: string;
  readonly field: string;
}

export interface Row {
  /** What `--only` names it by, with the rows it belongs to. */
  readonly scenario: string;
  readonly what: string;
  readonly unit: "times" | "ms" | "s" | "per s" | "MiB" | "";
  /** Null for a row that only informs. */
  readonly target: { readonly atLeast: number } | { readonly atMost: number } | null;
  /** What it is computed from, as columns beside it. */
  readonly figures: readonly Figure[];
  /** From the figures, in their order. */
  readonly value: (...figures: number[]) => number;
}

/** A row with what the rounds gave. */
export interface MeasuredRow extends Omit<Row, "value"> {
  /** Null when no round has all its figures. */
  readonly measured: Summary | null;
  /** Medians of the figures; null where not measured. */
  readonly medians: readonly (number | null)[];
  /** Null when there is no target, or nothing was measured. */
  readonly met: boolean | null;
}

const ratio = (ours = Number.NaN, theirs = Number.NaN) => ours / theirs;
const first = (value = Number.NaN) => value;
const atMost = (most: number) => ({ atMost: most });
const atLeast = (least: number) => ({ atLeast: least });

const TRADES = rate(`bazaar.trades.${CONNECTIONS}`);
const LOOKUPS = rate(`bazaar.lookups.${CONNECTIONS}`);
const MIX = rate(`bazaar.mix.${CONNECTIONS}`);
const MANY_STOCKS = rate(`bazaar.trades-${STOCKS_MANY}-stocks.${CONNECTIONS}`);
const MANY_ROWS = rate(`postgres.trades-${STOCKS_MANY}-stocks.${CONNECTIONS}`);
const MANY_ORDERS = rate(`bazaar.trades-${ORDERS_MANY}-orders.${CONNECTIONS}`);
const SOME_ORDERS = rate(`bazaar.trades-${ORDERS_SOME}-orders.${CONNECTIONS}`);
const SOME_STOCKS = rate(`bazaar.trades-${STOCKS_SOME}-stocks.${CONNECTIONS}`);
const NODE_HTTP = rate(`node-http.get.${CONNECTIONS}`);
const BEST = [1, 8, 256].map((connections) => rate(`bazaar.trades.${connections}`));
const OFFERED = OVERLOAD_OFFERED_SLOT;
/** Within 1 s it must be started, or refused; what it then takes is added. */
const SLOWEST_MS = atMost(2_000);

export const ROWS: readonly Row[] = [
  against("trades", "trades/s against etcd puts/s over HTTP", TRADES, rate("etcd.puts.64"), 2.5),
  against(
    "trades",
    "trades/s against PostgreSQL with quorum standbys",
    TRADES,
    rate("postgres.trades.64"),
    5,
  ),
  against("trades", "trades/s against node:http answering a constant", TRADES, NODE_HTTP, 0.22),
  against(
    "trades",
    "… against node:http answering it to a POST",
    TRADES,
    rate("node-http.post.64"),
  ),
  against("trades", "… against fastify answering it to a POST", TRADES, rate("fastify.post.64")),
  {
    scenario: "latency",
    what: "trade p99 against etcd put p99",
    unit: "times",
    target: atMost(0.5),
    figures: [TRADES, rate("etcd.puts.64")].map(({ slot }) => ({ slot, field: "p99Ms" })),
    value: ratio,
  },
  against("lookups", "cached lookups/s against node:http", LOOKUPS, NODE_HTTP, 0.85),
  against("lookups", "… against fastify answering a constant", LOOKUPS, rate("fastify.get.64")),
  against("lookups", "… against Redis GETs/s by redis-benchmark", LOOKUPS, rate("redis.get.64")),
  against(
    "misses",
    "lookups/s with the cache off against node:http",
    rate("bazaar.misses.64"),
    NODE_HTTP,
    0.35,
  ),
  against("mix", "the lab's mix, requests/s against node:http", MIX, NODE_HTTP, 0.35),
  against("mix", "… against node:http answering the same mix", MIX, rate("node-http.mix.64")),
  {
    scenario: "alone",
    what: "one trade alone, p50 beyond two fsyncs of this disk",
    unit: "ms",
    target: atMost(1.5),
    figures: ["bazaar.trades.1", FSYNC_SLOT].map((slot) => ({ slot, field: "p50Ms" })),
    value: (trade = Number.NaN, fsync = Number.NaN) => trade - 2 * fsync,
  },
  against(
    "orders",
    "trades/s with 1,000,000 orders against an empty journal",
    MANY_ORDERS,
    TRADES,
    0.9,
  ),
  against("orders", "… with 100,000 orders", SOME_ORDERS, TRADES),
  against("stocks", "trades/s with 10,000 stocks against 10", MANY_STOCKS, TRADES, 0.9),
  against("stocks", "… with 1,000 stocks", SOME_STOCKS, TRADES),
  against("stocks", "10,000 stocks, against PostgreSQL with as many rows", MANY_STOCKS, MANY_ROWS),
  ...CONNECTIONS_ON_ENGINES.map((connections) =>
    against(
      "engines",
      `trades/s on PostgreSQL against the built-in log, ${connections} connections`,
      rate(engineSlot(connections)),
      rate(`bazaar.trades.${connections}`),
      0.8,
    ),
  ),
  ...CONNECTIONS_ON_ENGINES.map((connections) =>
    against(
      "engines",
      `… against trades that PostgreSQL makes itself, ${connections} connections`,
      rate(engineSlot(connections)),
      rate(`postgres.trades.${connections}`),
      5,
    ),
  ),
  against(
    "secured",
    "trades/s with TLS and keys against those without",
    rate(SECURED_TRADES_SLOT),
    TRADES,
    0.8,
  ),
  against(
    "secured",
    "cached lookups/s with TLS and keys against those without",
    rate(SECURED_LOOKUPS_SLOT),
    LOOKUPS,
    0.8,
  ),
  single("restart", "restart of a replica with 1,000,000 orders", RESTART_SLOT, "seconds", {
    unit: "s",
    target: atMost(2),
  }),
  single("catchup", "catch-up of 1,000,000 orders under load", CATCH_UP_SLOT, "ordersPerSecond", {
    unit: "per s",
  }),
  against(
    "catchup",
    "trades/s of the others meanwhile, against before",
    rate(CATCH_UP_SLOT),
    { slot: CATCH_UP_SLOT, field: "beforePerSecond" },
    0.8,
  ),
  single(
    "catchup",
    "catch-up of 1,000,000 orders without load",
    CATCH_UP_IDLE_SLOT,
    "ordersPerSecond",
    { unit: "per s", target: atLeast(100_000) },
  ),
  single("memory", "memory of a replica with 1,000,000 orders", MEMORY_SLOT, "residentMiB", {
    unit: "MiB",
    target: atMost(150),
  }),
  single(
    "costs",
    "processor time of an idle bazaar, worst process",
    IDLE_SLOT,
    "worstCpuMsPerSecond",
    {
      unit: "ms",
      target: atMost(3),
    },
  ),
  ...overload("overload, 2,000 connections", "2,000 connections", OVERLOAD_CONNECTIONS_SLOT),
  ...overload("overload, twice as many offered", "twice as many offered", OFFERED),
  single(
    "overload",
    "… processor time that making them took, a second",
    OFFERED,
    "loadCpuMsPerSecond",
    {
      unit: "ms",
    },
  ),
  single("overload", "twice as many offered: slowest 200", OFFERED, "maxMs", {
    unit: "ms",
    target: SLOWEST_MS,
  }),
  single("overload", "twice as many offered: slowest 503", OFFERED, "unavailableMaxMs", {
    unit: "ms",
    target: SLOWEST_MS,
  }),
];

/** Names for `--only`. `connections` has no row: it is the plot's. */
export const SCENARIOS: readonly string[] = [
  ...new Set([...ROWS.map(({ scenario }) => scenario), "connections"]),
];

/** The slots that these scenarios need; `sweep` are those of the plot. */
export function slotsOf(scenarios: readonly string[], sweep: readonly string[]): Set<string> {
  const rows = ROWS.filter(({ scenario }) => scenarios.includes(scenario));
  const slots = rows.flatMap(({ figures }) => figures.map(({ slot }) => slot));
  return new Set([
    ...slots,
    ...(scenarios.includes("connections") ? sweep : []),
    ...(scenarios.includes("costs") ? COST_SLOTS : []),
  ]);
}

/** The rows of these scenarios with what the rounds gave. */
export function measureRows(
  scenarios: readonly string[],
  rounds: readonly RoundResult[],
): MeasuredRow[] {
  return ROWS.filter(({ scenario }) => scenarios.includes(scenario)).map(({ value, ...row }) => {
    const figuresOf = ({ samples }: RoundResult) =>
      row.figures.map(({ slot, field }) => samples[slot]?.[field] ?? Number.NaN);
    const values = rounds.map((round) => value(...figuresOf(round))).filter(Number.isFinite);
    const medians = row.figures.map((_, index) => {
      const each = rounds.map((round) => figuresOf(round)[index] ?? Number.NaN);
      return summarize(each.filter(Number.isFinite))?.median ?? null;
    });
    const measured = summarize(values);
    return { ...row, measured, medians, met: met(row.target, measured) };
  });
}

function met(target: Row["target"], measured: Summary | null): boolean | null {
  if (target === null || measured === null) return null;
  return "atLeast" in target ? measured.median >= target.atLeast : measured.median <= target.atMost;
}

function rate(slot: string): Figure {
  return { slot, field: "okPerSecond" };
}

function against(
  scenario: string,
  what: string,
  ours: Figure,
  theirs: Figure,
  least?: number,
): Row {
  const target = least === undefined ? null : atLeast(least);
  return { scenario, what, unit: "times", target, figures: [ours, theirs], value: ratio };
}

function single(
  scenario: string,
  what: string,
  slot: string,
  field: string,
  { unit = "", target = null }: Partial<Pick<Row, "unit" | "target">>,
): Row {
  return { scenario, what, unit, target, figures: [{ slot, field }], value: first };
}

/** 200s a second under overload against the most it did in the same round, with whatever connections; and what the other answers were. */
function overload(what: string, short: string, slot: string): Row[] {
  const none = { target: atMost(0) };
  const count = (name: string, field: string, more: Parameters<typeof single>[4]) =>
    single("overload", `${short}: ${name}`, slot, field, more);
  return [
    {
      scenario: "overload",
      what: `${what}: 200s/s against its best`,
      unit: "times",
      target: atLeast(0.8),
      figures: [rate(slot), TRADES, ...BEST],
      value: (overloaded = Number.NaN, ...others) => overloaded / Math.max(...others),
    },
    count("503s", "unavailable", {}),
    count("503s without Retry-After", "withoutRetryAfter", none),
    count("neither 200 nor 503", "other", none),
    count("connections or answers lost", "lost", none),
    count("changes of the leader", "leaderChanges", none),
  ];
}
