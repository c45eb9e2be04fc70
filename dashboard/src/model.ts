// What the page knows: the front end's picture, and the changes laid over it.
//
// Pure: a message and the time come in, a new picture goes out. The page shows
// it and keeps nothing besides.

import type {
  CachePart,
  ChangeMessage,
  ClusterPart,
  Moment,
  OrderRow,
  RatePoint,
  StateMessage,
  StockRow,
} from "../../src/client/event-messages.ts";

export type { CachePart, ClusterPart, Moment, OrderRow, RatePoint, StockRow };

/** Orders on the tape. */
export const TAPE_MAX = 40;
/** Seconds on the charts. */
export const RATES_MAX = 120;
const MOMENTS_MAX = 30;
/** As the front end keeps trails. */
const TRAIL_STEP_MS = 2_000;
const TRAIL_MAX = 60;
/** Over how long "orders a second" is measured. */
const PACE_MS = 3_000;

export interface Floor {
  /** By the front end's clock. */
  readonly at: number;
  readonly stocks: ReadonlyMap<string, StockRow>;
  readonly stocksTotal: number;
  readonly countedFrom: number;
  readonly trails: ReadonlyMap<string, readonly number[]>;
  readonly trailAt: number;
  /** Newest first. */
  readonly tape: readonly OrderRow[];
  /** Of the newest message: orders that aren't on the tape. */
  readonly more: number;
  readonly lastOrder: number;
  /** What the newest order's number was, when; for the pace. */
  readonly marks: readonly { readonly at: number; readonly last: number }[];
  readonly rates: readonly RatePoint[];
  readonly cluster: ClusterPart;
  /** Newest first. */
  readonly moments: readonly Moment[];
  readonly cache: CachePart;
}

export function floorOf(state: StateMessage): Floor {
  return {
    at: state.at,
    stocks: new Map(state.stocks.rows.map((row) => [row.name, row])),
    stocksTotal: state.stocks.total,
    countedFrom: state.stocks.countedFrom,
    trails: new Map(Object.entries(state.trails)),
    trailAt: state.at,
    tape: state.orders.rows.toReversed(),
    more: 0,
    lastOrder: state.orders.last,
    marks: state.orders.last > 0 ? [{ at: state.at, last: state.orders.last }] : [],
    rates: state.rates,
    cluster: state.cluster,
    moments: state.moments.toReversed(),
    cache: state.cache,
  };
}

export function changed(floor: Floor, change: ChangeMessage): Floor {
  const { at, stocks, orders, rates, cluster, moments, cache } = change;
  const rows = stocks ? withRows(floor.stocks, stocks.rows) : floor.stocks;
  const isTrailDue = at - floor.trailAt >= TRAIL_STEP_MS;
  // A whole picture and the change after it may both have an order.
  const fresh = (orders?.rows ?? []).filter(({ number }) => number > (floor.tape[0]?.number ?? 0));
  const lastOrder = Math.max(floor.lastOrder, orders?.last ?? 0);
  return {
    at,
    stocks: rows,
    stocksTotal: stocks?.total ?? floor.stocksTotal,
    countedFrom: stocks?.countedFrom ?? floor.countedFrom,
    trails: isTrailDue ? withTrails(floor.trails, rows) : floor.trails,
    trailAt: isTrailDue ? at : floor.trailAt,
    tape: fresh.length > 0 ? [...fresh.toReversed(), ...floor.tape].slice(0, TAPE_MAX) : floor.tape,
    more: orders ? orders.more : 0,
    lastOrder,
    marks: withMark(floor, at, lastOrder),
    rates: rates ? [...floor.rates, ...rates].slice(-RATES_MAX) : floor.rates,
    cluster: cluster ?? floor.cluster,
    moments: moments
      ? [...moments.toReversed(), ...floor.moments].slice(0, MOMENTS_MAX)
      : floor.moments,
    cache: cache ?? floor.cache,
  };
}

/** Orders committed a second, in the whole bazaar. */
export function pace({ marks }: Floor): number {
  const first = marks[0];
  const last = marks.at(-1);
  if (!first || !last || last.at - first.at < 500) return 0;
  return ((last.last - first.last) * 1_000) / (last.at - first.at);
}

/** The first number that is heard of isn't a pace: it may stand for a million orders. */
function withMark({ marks, lastOrder }: Floor, at: number, last: number): Floor["marks"] {
  const before = lastOrder === 0 && last > 1 ? [] : marks.filter((mark) => at - mark.at <= PACE_MS);
  return [...before, { at, last }];
}

/** How the cluster is, in one word. */
export type Health = "open" | "choosing" | "no-quorum";

export function healthOf({ leader, ready, replicas, quorum }: ClusterPart): Health {
  const answering = replicas.filter(
    ({ standing }) => standing !== "down" && standing !== "silent",
  ).length;
  if (answering < quorum) return "no-quorum";
  return leader !== null && ready ? "open" : "choosing";
}

function withRows(
  before: ReadonlyMap<string, StockRow>,
  rows: readonly StockRow[],
): ReadonlyMap<string, StockRow> {
  const after = new Map(before);
  for (const row of rows) after.set(row.name, row);
  // A stock that was listed takes its place in the alphabet.
  return after.size === before.size
    ? after
    : new Map([...after].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function withTrails(
  before: ReadonlyMap<string, readonly number[]>,
  rows: ReadonlyMap<string, StockRow>,
): ReadonlyMap<string, readonly number[]> {
  return new Map(
    [...rows.values()].map(({ name, quantity }) => [
      name,
      [...(before.get(name) ?? []), quantity].slice(-TRAIL_MAX),
    ]),
  );
}
