// Which numbers of a result go into which plot.

import { type Line, type LinePlot, linePlots } from "../lab/chart.ts";
import {
  CONNECTIONS,
  CONNECTIONS_OVERLOAD,
  CONNECTIONS_SWEPT,
  ORDERS_MANY,
  ORDERS_SOME,
  STOCKS,
  STOCKS_MANY,
  STOCKS_SOME,
} from "./limits.ts";
import type { RoundResult } from "./round.ts";
import { OVERLOAD_CONNECTIONS_SLOT } from "./subjects.ts";
import { median } from "./table.ts";

/** What is plotted over connections, ours first. */
export const SWEPT: readonly { readonly load: string; readonly name: string }[] = [
  { load: "bazaar.trades", name: "bazaar: trades" },
  { load: "bazaar.lookups", name: "bazaar: cached lookups" },
  { load: "etcd.puts", name: "etcd: puts" },
  { load: "postgres.trades", name: "PostgreSQL: trades" },
  { load: "node-http.get", name: "node:http: a constant" },
  { load: "fastify.get", name: "fastify: a constant" },
];

/** The slots of the plot over connections. */
export const SWEEP: readonly string[] = SWEPT.flatMap(({ load }) =>
  CONNECTIONS_SWEPT.map((connections) => `${load}.${connections}`),
);

/** An empty journal has no place on a logarithmic axis: the few orders of the warm-up have. */
const ORDERS_FEW = 10_000;

/** Throughput and p99 over connections, as SVG. */
export function connectionsPlot(rounds: readonly RoundResult[]): string {
  const chart = (field: string, title: string, yLabel: string): LinePlot => ({
    title,
    x: { label: "connections", scale: "log", marks: CONNECTIONS_SWEPT },
    y: { label: yLabel, scale: "log" },
    lines: SWEPT.map(({ load, name }, colour) => ({
      name,
      colour,
      dash: load.startsWith("bazaar.") ? 0 : 1 + (colour % 2),
      isStrong: load.startsWith("bazaar."),
      points: points(
        rounds,
        field,
        CONNECTIONS_SWEPT.map((connections) => [connections, `${load}.${connections}`]),
      ),
    })),
  });
  return linePlots(
    [
      chart("okPerSecond", "Throughput", "answers of 200 a second"),
      chart("p99Ms", "Latency", "p99, ms"),
    ],
    "Throughput and p99 latency over the number of connections, for the bazaar and its peers",
  );
}

/** Trades a second over orders, stocks and connections, as SVG. */
export function growthPlot(rounds: readonly RoundResult[]): string {
  const base = `bazaar.trades.${CONNECTIONS}`;
  const chart = (
    title: string,
    xLabel: string,
    slots: readonly (readonly [number, string])[],
  ): LinePlot => {
    const line = {
      name: `bazaar: trades${xLabel.includes("connections") ? "" : `, ${CONNECTIONS} connections`}`,
      ...{ colour: 0, dash: 0, isStrong: true },
      points: points(rounds, "okPerSecond", slots),
    };
    return {
      title,
      x: { label: xLabel, scale: "log", marks: slots.map(([x]) => x) },
      y: { label: "trades a second", scale: "linear" },
      lines: [line],
    };
  };
  return linePlots(
    [
      chart("Orders in the journal", "orders (10k: a new journal, and what the load adds)", [
        [ORDERS_FEW, base],
        [ORDERS_SOME, `bazaar.trades-${ORDERS_SOME}-orders.${CONNECTIONS}`],
        [ORDERS_MANY, `bazaar.trades-${ORDERS_MANY}-orders.${CONNECTIONS}`],
      ]),
      chart("Stocks", "stocks", [
        [STOCKS, base],
        [STOCKS_SOME, `bazaar.trades-${STOCKS_SOME}-stocks.${CONNECTIONS}`],
        [STOCKS_MANY, `bazaar.trades-${STOCKS_MANY}-stocks.${CONNECTIONS}`],
      ]),
      chart("Connections", "connections", [
        ...CONNECTIONS_SWEPT.map((connections): [number, string] => [
          connections,
          `bazaar.trades.${connections}`,
        ]),
        [CONNECTIONS_OVERLOAD, OVERLOAD_CONNECTIONS_SLOT],
      ]),
    ],
    "Trades a second over the number of orders, stocks and connections",
  );
}

function points(
  rounds: readonly RoundResult[],
  field: string,
  slots: readonly (readonly [number, string])[],
): Line["points"] {
  return slots.flatMap(([x, slot]) => {
    const y = median(rounds, slot, field);
    return y === null || y <= 0 ? [] : [{ x, y }];
  });
}
