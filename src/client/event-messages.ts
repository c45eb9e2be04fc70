// What GET /events says: a whole picture first, then what changes.
//
// `state` carries everything, and comes first unless the reader resumes. Each
// `change` carries the parts that changed, in the same shapes: rows of stocks
// replace those of the same name, orders, rates and moments are added, cluster
// and cache replace what was there. Times are milliseconds since 1970 by the
// front end's clock. What isn't known yet, since no leader has answered, is null.

/** One stock; sums are of the orders counted, see {@link StocksPart}, null until those are known. */
export interface StockRow {
  readonly name: string;
  readonly price: number;
  readonly quantity: number;
  /** Units bought and sold. */
  readonly volume: number | null;
  /** Orders. */
  readonly trades: number | null;
}

export interface StocksPart {
  readonly rows: readonly StockRow[];
  /** How many stocks there are; rows are of the first STOCKS_SHOWN_MAX by name. */
  readonly total: number;
  /** Volume and trades are of the orders from this number on; 1: of all. */
  readonly countedFrom: number;
}

/** What a stock's quantity was, newest last, one number every TRAIL_STEP_MS. */
export type Trails = Readonly<Record<string, readonly number[]>>;

export interface OrderRow {
  readonly number: number;
  readonly name: string;
  readonly type: "buy" | "sell";
  readonly quantity: number;
}

export interface OrdersPart {
  /** The newest, ascending; at most TAPE_ROWS_MAX in a change. */
  readonly rows: readonly OrderRow[];
  /** Orders committed since the last message that aren't in `rows`; of a picture, all before them. */
  readonly more: number;
  /** Number of the newest order known; 0 when there is none. */
  readonly last: number;
}

/** One finished second of this front end. */
export interface RatePoint {
  /** When it began. */
  readonly at: number;
  /** Trades answered: accepted, refused, and without an answer in time. */
  readonly trades: number;
  readonly refused: number;
  readonly failed: number;
  readonly lookups: number;
  /** Latency of the answered trades, milliseconds; null in a second without any. */
  readonly p50: number | null;
  /** … and in one with fewer than 100, whose 99th percentile is just the slowest. */
  readonly p99: number | null;
}

/**
 * `apart`: it answers, and neither leads nor follows the leader. `silent`: connected, but
 * nothing has come from it lately: paused, or cut off. `down`: no connection.
 */
export type ReplicaStanding = "leads" | "follows" | "apart" | "silent" | "down";

export interface ReplicaRow {
  readonly role: string;
  readonly id: number;
  readonly standing: ReplicaStanding;
  readonly epoch: number | null;
  /** Position of its newest entry, and of the newest that it knows to be committed. */
  readonly last: number | null;
  readonly commit: number | null;
  /** Entries that the leader has and it hasn't; null while there is no leader, or it is down. */
  readonly behind: number | null;
}

export interface CatalogRow {
  readonly role: string;
  readonly port: number;
  readonly standing: "up" | "silent" | "down";
  /** Whether this front end asks it for stocks and its lease. */
  readonly asked: boolean;
  readonly applied: number | null;
  /** Committed entries that it hadn't applied when it was asked; null while that isn't known. */
  readonly behind: number | null;
  /** Whether it may answer now, under a lease of the leader; null while that isn't known. */
  readonly leased: boolean | null;
}

export interface FrontendRow {
  readonly role: string;
  readonly port: number;
  /** Whether it is the one that tells. */
  readonly self: boolean;
  readonly standing: "up" | "down";
  /** The catalog under whose lease it answers from copies, as that catalog says; null: it asks. */
  readonly leasedBy: string | null;
}

export interface ClusterPart {
  readonly leader: number | null;
  readonly epoch: number;
  /** How many replicas must hold an entry. */
  readonly quorum: number;
  /** Whether a trade could be answered now. */
  readonly ready: boolean;
  readonly frontends: readonly FrontendRow[];
  readonly catalogs: readonly CatalogRow[];
  readonly replicas: readonly ReplicaRow[];
  /** Under which this front end answers from its copies; null: it asks. */
  readonly lease: { readonly catalog: string; readonly ms: number } | null;
  /** Null unless started by `bazaar up --playground`. */
  readonly playground: PlaygroundState | null;
}

export type PlaygroundLink = readonly [string, string];

/** What `bazaar up --playground` says of its processes. */
export interface PlaygroundState {
  readonly roles: Readonly<Record<string, "running" | "paused" | "down">>;
  /** Links that can be cut, each the names of two processes, and those that are. */
  readonly links: readonly PlaygroundLink[];
  readonly cut: readonly PlaygroundLink[];
  /** Requests a second that the built-in client is to make. */
  readonly load: number;
  /** What became of them in its last finished second; null before it had one. */
  readonly loadSeen: {
    readonly sent: number;
    /** Refusals are answers. */
    readonly answered: number;
    /** Not sent, since too many were under way. */
    readonly skipped: number;
    /** Why the key of who set the load was not let in, as the last that wasn't was told; null: it was. */
    readonly refused: string | null;
  } | null;
  /** … and at most. */
  readonly loadMax: number;
}

/** Something worth telling that happened to the cluster. */
export type Moment =
  /**
   * `afterMs`: how long nobody could be heard to lead, since the last sign of the one before; null
   * for the first. `still-leads`: the same reign was found again, so the leader did not change.
   */
  | {
      readonly kind: "leads" | "still-leads";
      readonly at: number;
      readonly role: string;
      readonly epoch: number;
      readonly afterMs: number | null;
    }
  | { readonly kind: "no-leader"; readonly at: number; readonly role: string }
  | { readonly kind: "down" | "silent" | "back"; readonly at: number; readonly role: string };

export interface CachePart {
  readonly kind: "memory" | "redis" | "none";
  /** Null where the store can't tell. */
  readonly size: number | null;
  readonly sizeMax: number | null;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number | null;
  readonly invalidations: number;
  /** The most recently used first, at most CACHE_NAMES_MAX; null where the store can't tell. */
  readonly names: readonly string[] | null;
  /** What went lately, newest first. */
  readonly gone: readonly GoneCopy[];
}

export interface GoneCopy {
  readonly name: string;
  readonly why: "evicted" | "invalidated" | "expired";
  readonly at: number;
}

/** The data of `event: state`. */
export interface StateMessage {
  readonly at: number;
  /** Null until they are known. */
  readonly stocks: StocksPart | null;
  readonly trails: Trails;
  /** Null until they are known: an empty bazaar has no rows and 0 as `last`. */
  readonly orders: OrdersPart | null;
  readonly rates: readonly RatePoint[];
  readonly cluster: ClusterPart;
  readonly moments: readonly Moment[];
  readonly cache: CachePart;
  /** Under which the reader was let in; null in a bazaar that asks for none. */
  readonly key: KeyPart | null;
}

export interface KeyPart {
  readonly name: string;
  /** What it may: `read`, `trade`, `manage`, `metrics`. */
  readonly may: readonly string[];
}

/** The data of `event: change`; every part may be missing. */
export type ChangeMessage = { readonly at: number } & {
  readonly [Part in Exclude<keyof StateMessage, "at" | "trails" | "key">]?: NonNullable<
    StateMessage[Part]
  >;
};
