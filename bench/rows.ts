// The table: what is promised, against which target, from which slots.
//
// A ratio is taken within a round, where both sides saw the same machine; the
// row's value is the median of the rounds' ratios. Rows without a target are there
// to read the others by.

import { type Summary, summarize } from "../lab/statistics.ts";
import { CATCH_UP_IDLE_SLOT, CATCH_UP_SLOT, MEMORY_SLOT, RESTART_SLOT } from "./history.ts";
import { CONNECTIONS, ORDERS_MANY, ORDERS_SOME, STOCKS_MANY, STOCKS_SOME } from "./limits.ts";
import type { RoundResult, Sample } from "./round.ts";
import { FSYNC_SLOT, OVERLOAD_CONNECTIONS_SLOT, OVERLOAD_OFFERED_SLOT } from "./subjects.ts";

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

const TRADES = rate(`bazaar.trades.${CONNECTIONS}`);
const NODE_HTTP = rate(`node-http.get.${CONNECTIONS}`);
const BEST = [1, 8, 256].map((connections) => rate(`bazaar.trades.${connections}`));

const ratio = (ours = Number.NaN, theirs = Number.NaN) => ours / theirs;
const first = (value = Number.NaN) => value;

export const ROWS: readonly Row[] = [
  ratioRow("trades", "trades/s against etcd puts/s over HTTP", TRADES, rate("etcd.puts.64"), 2.5),
  ratioRow(
    "trades",
    "trades/s against PostgreSQL with quorum standbys",
    TRADES,
    rate("postgres.trades.64"),
    5,
  ),
  ratioRow("trades", "trades/s against node:http answering a constant", TRADES, NODE_HTTP, 0.22),
  ratioRow(
    "trades",
    "… against node:http answering it to a POST",
    TRADES,
    rate("node-http.post.64"),
  ),
  ratioRow("trades", "… against fastify answering it to a POST", TRADES, rate("fastify.post.64")),
  {
    scenario: "latency",
    what: "trade p99 against etcd put p99",
    unit: "times",
    target: { atMost: 0.5 },
    figures: [
      { slot: TRADES.slot, field: "p99Ms" },
      { slot: "etcd.puts.64", field: "p99Ms" },
    ],
    value: ratio,
  },
  ratioRow(
    "lookups",
    "cached lookups/s against node:http",
    rate("bazaar.lookups.64"),
    NODE_HTTP,
    0.85,
  ),
  ratioRow(
    "lookups",
    "… against fastify answering a constant",
    rate("bazaar.lookups.64"),
    rate("fastify.get.64"),
  ),
  ratioRow(
    "lookups",
    "… against Redis GETs/s by redis-benchmark",
    rate("bazaar.lookups.64"),
    rate("redis.get.64"),
  ),
  ratioRow(
    "misses",
    "lookups/s with the cache off against node:http",
    rate("bazaar.misses.64"),
    NODE_HTTP,
    0.35,
  ),
  ratioRow(
    "mix",
    "the lab's mix, requests/s against node:http",
    rate("bazaar.mix.64"),
    NODE_HTTP,
    0.35,
  ),
  ratioRow(
    "mix",
    "… against node:http answering the same mix",
    rate("bazaar.mix.64"),
    rate("node-http.mix.64"),
  ),
  {
    scenario: "alone",
    what: "one trade alone, p50 beyond two fsyncs of this disk",
    unit: "ms",
    target: { atMost: 1.5 },
    figures: [
      { slot: "bazaar.trades.1", field: "p50Ms" },
      { slot: FSYNC_SLOT, field: "p50Ms" },
    ],
    value: (trade = Number.NaN, fsync = Number.NaN) => trade - 2 * fsync,
  },
  ratioRow(
    "orders",
    "trades/s with 1,000,000 orders against an empty journal",
    rate(`bazaar.trades-${ORDERS_MANY}-orders.64`),
    TRADES,
    0.9,
  ),
  ratioRow(
    "orders",
    "… with 100,000 orders",
    rate(`bazaar.trades-${ORDERS_SOME}-orders.64`),
    TRADES,
  ),
  ratioRow(
    "stocks",
    "trades/s with 10,000 stocks against 10",
    rate(`bazaar.trades-${STOCKS_MANY}-stocks.64`),
    TRADES,
    0.9,
  ),
  ratioRow("stocks", "… with 1,000 stocks", rate(`bazaar.trades-${STOCKS_SOME}-stocks.64`), TRADES),
  ratioRow(
    "stocks",
    "10,000 stocks, against PostgreSQL with as many rows",
    rate(`bazaar.trades-${STOCKS_MANY}-stocks.64`),
    rate(`postgres.trades-${STOCKS_MANY}-stocks.64`),
  ),
  figureRow("restart", "restart of a replica with 1,000,000 orders", "s", RESTART_SLOT, "seconds", {
    atMost: 2,
  }),
  figureRow(
    "catchup",
    "catch-up of 1,000,000 orders under load",
    "per s",
    CATCH_UP_SLOT,
    "ordersPerSecond",
    {
      atLeast: 100_000,
    },
  ),
  {
    scenario: "catchup",
    what: "trades/s of the others meanwhile, against before",
    unit: "times",
    target: { atLeast: 0.8 },
    figures: [
      { slot: CATCH_UP_SLOT, field: "okPerSecond" },
      { slot: CATCH_UP_SLOT, field: "beforePerSecond" },
    ],
    value: ratio,
  },
  figureRow(
    "catchup",
    "catch-up of 1,000,000 orders without load",
    "per s",
    CATCH_UP_IDLE_SLOT,
    "ordersPerSecond",
  ),
  figureRow(
    "memory",
    "memory of a replica with 1,000,000 orders",
    "MiB",
    MEMORY_SLOT,
    "residentMiB",
    {
      atMost: 150,
    },
  ),
  overloadRow("overload, 2,000 connections", OVERLOAD_CONNECTIONS_SLOT),
  ...answersRows("2,000 connections", OVERLOAD_CONNECTIONS_SLOT),
  overloadRow("overload, twice as many offered", OVERLOAD_OFFERED_SLOT),
  ...answersRows("twice as many offered", OVERLOAD_OFFERED_SLOT),
  // Within 1 s it must be started, or refused; what it then takes is added.
  figureRow(
    "overload",
    "twice as many offered: slowest 200",
    "ms",
    OVERLOAD_OFFERED_SLOT,
    "maxMs",
    {
      atMost: 2_000,
    },
  ),
  figureRow(
    "overload",
    "twice as many offered: slowest 503",
    "ms",
    OVERLOAD_OFFERED_SLOT,
    "unavailableMaxMs",
    { atMost: 2_000 },
  ),
];

/** Names for `--only`. `connections` has no row: it is the plot's. */
export const SCENARIOS: readonly string[] = [
  ...new Set([...ROWS.map(({ scenario }) => scenario), "connections"]),
];

/** The slots that these scenarios need; `sweep` are those of the plot. */
export function slotsOf(scenarios: readonly string[], sweep: readonly string[]): Set<string> {
  const rows = ROWS.filter(({ scenario }) => scenarios.includes(scenario));
  const slots = rows.flatMap(({ figures }) => figures.map(({ slot }) => slot));
  return new Set([...slots, ...(scenarios.includes("connections") ? sweep : [])]);
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

function ratioRow(
  scenario: string,
  what: string,
  ours: Figure,
  theirs: Figure,
  atLeast?: number,
): Row {
  const target = atLeast === undefined ? null : { atLeast };
  return { scenario, what, unit: "times", target, figures: [ours, theirs], value: ratio };
}

function figureRow(
  scenario: string,
  what: string,
  unit: Row["unit"],
  slot: string,
  field: keyof Sample & string,
  target: Row["target"] = null,
): Row {
  return { scenario, what, unit, target, figures: [{ slot, field }], value: first };
}

/** 200s a second under overload against the most it did in the same round, with whatever connections. */
function overloadRow(what: string, slot: string): Row {
  return {
    scenario: "overload",
    what: `${what}: 200s/s against its best`,
    unit: "times",
    target: { atLeast: 0.8 },
    figures: [rate(slot), TRADES, ...BEST],
    value: (overloaded = Number.NaN, ...others) => overloaded / Math.max(...others),
  };
}

function answersRows(what: string, slot: string): Row[] {
  const none = { atMost: 0 };
  return [
    figureRow("overload", `${what}: 503s`, "", slot, "unavailable"),
    figureRow("overload", `${what}: 503s without Retry-After`, "", slot, "withoutRetryAfter", none),
    figureRow("overload", `${what}: neither 200 nor 503`, "", slot, "other", none),
    figureRow("overload", `${what}: connections or answers lost`, "", slot, "lost", none),
    figureRow("overload", `${what}: changes of the leader`, "", slot, "leaderChanges", none),
  ];
}
