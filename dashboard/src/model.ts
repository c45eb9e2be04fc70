// What the page knows: the front end's picture, and the changes laid over it.
//
// Pure: a message and the time come in, a new picture goes out. The page shows
// it and keeps nothing besides.

import type {
  CachePart,
  ChangeMessage,
  ClusterPart,
  KeyPart,
  Moment,
  OrderRow,
  OrdersPart,
  PlaygroundLink,
  PlaygroundState,
  RatePoint,
  ReplicaStanding,
  StateMessage,
  StockRow,
} from "../../src/client/event-messages.ts";

export type {
  CachePart,
  ClusterPart,
  KeyPart,
  Moment,
  OrderRow,
  PlaygroundLink,
  PlaygroundState,
  RatePoint,
  ReplicaStanding,
  StockRow,
};

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
  /** Null until they are known. */
  readonly stocks: ReadonlyMap<string, StockRow> | null;
  readonly stocksTotal: number;
  readonly countedFrom: number;
  readonly trails: ReadonlyMap<string, readonly number[]>;
  readonly trailAt: number;
  /** Newest first; null until it is known. */
  readonly tape: readonly OrderRow[] | null;
  /** Of the newest message: orders that aren't on the tape. */
  readonly more: number;
  /** Number of the newest order; null until it is known. */
  readonly lastOrder: number | null;
  /** What the newest order's number was, when; for the pace. */
  readonly marks: readonly { readonly at: number; readonly last: number }[];
  readonly rates: readonly RatePoint[];
  readonly cluster: ClusterPart;
  /** Newest first. */
  readonly moments: readonly Moment[];
  readonly cache: CachePart;
  /** Under which this page was let in; null in a bazaar that asks for none. */
  readonly key: KeyPart | null;
}

export function floorOf(state: StateMessage): Floor {
  return {
    at: state.at,
    stocks: state.stocks && new Map(state.stocks.rows.map((row) => [row.name, row])),
    stocksTotal: state.stocks?.total ?? 0,
    countedFrom: state.stocks?.countedFrom ?? 1,
    trails: new Map(Object.entries(state.trails)),
    trailAt: state.at,
    tape: state.orders?.rows.toReversed() ?? null,
    more: 0,
    lastOrder: state.orders?.last ?? null,
    marks: state.orders ? [{ at: state.at, last: state.orders.last }] : [],
    rates: state.rates,
    cluster: state.cluster,
    moments: state.moments.toReversed(),
    cache: state.cache,
    key: state.key,
  };
}

export function changed(floor: Floor, change: ChangeMessage): Floor {
  const { at, stocks, orders, rates, cluster, moments, cache } = change;
  const rows = stocks ? withRows(floor.stocks ?? new Map(), stocks.rows) : floor.stocks;
  const isTrailDue = at - floor.trailAt >= TRAIL_STEP_MS;
  // A whole picture and the change after it may both have an order.
  const newest = floor.tape?.[0]?.number ?? 0;
  const fresh = (orders?.rows ?? []).filter(({ number }) => number > newest);
  return {
    at,
    stocks: rows,
    stocksTotal: stocks?.total ?? floor.stocksTotal,
    countedFrom: stocks?.countedFrom ?? floor.countedFrom,
    trails: isTrailDue && rows ? withTrails(floor.trails, rows) : floor.trails,
    trailAt: isTrailDue ? at : floor.trailAt,
    tape: orders ? [...fresh.toReversed(), ...(floor.tape ?? [])].slice(0, TAPE_MAX) : floor.tape,
    more: orders ? orders.more : 0,
    lastOrder: orders ? Math.max(floor.lastOrder ?? 0, orders.last) : floor.lastOrder,
    marks: withMark(floor, at, orders),
    rates: rates ? [...floor.rates, ...rates].slice(-RATES_MAX) : floor.rates,
    cluster: cluster ?? floor.cluster,
    moments: moments
      ? [...moments.toReversed(), ...floor.moments].slice(0, MOMENTS_MAX)
      : floor.moments,
    cache: cache ?? floor.cache,
    key: floor.key,
  };
}

/** Orders committed a second, in the whole bazaar. */
export function pace({ marks }: Floor): number {
  const first = marks[0];
  const last = marks.at(-1);
  if (!first || !last || last.at - first.at < 500) return 0;
  return ((last.last - first.last) * 1_000) / (last.at - first.at);
}

/** Numbers that jump by more than there is news aren't a pace: those orders may be days old. */
function withMark(
  { marks, lastOrder }: Floor,
  at: number,
  orders: OrdersPart | undefined,
): Floor["marks"] {
  const last = orders?.last ?? lastOrder;
  if (last === null) return [];
  const news = orders ? orders.rows.length + orders.more : 0;
  const isPace = lastOrder !== null && last - lastOrder <= news;
  return [...(isPace ? marks.filter((mark) => at - mark.at <= PACE_MS) : []), { at, last }];
}

/** Where an answered trade is, in words. */
export function onDisks({ quorum, replicas }: ClusterPart): string {
  return replicas.length > 1 ? `on ${quorum} of ${replicas.length} disks` : "on disk";
}

/** How the cluster is, in one word. `no-spare`: open, and not after one more failure. */
export type Health = "open" | "no-spare" | "choosing" | "no-quorum";

export function healthOf({ leader, ready, replicas, quorum }: ClusterPart): Health {
  const answering = replicas.filter(
    ({ standing }) => standing !== "down" && standing !== "silent",
  ).length;
  if (answering < quorum) return "no-quorum";
  if (leader === null || !ready) return "choosing";
  const inUse = replicas.filter(({ standing }) => standing === "leads" || standing === "follows");
  return inUse.length > quorum ? "open" : "no-spare";
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
