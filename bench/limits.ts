// Every duration, limit and size of the benchmark, in one place.

/** Connections where the table says nothing else. */
export const CONNECTIONS = 64;
/** Connections of the plot. */
export const CONNECTIONS_SWEPT: readonly number[] = [1, 8, 64, 256];
/** Connections with which the engines are compared. */
export const CONNECTIONS_ON_ENGINES: readonly number[] = [64, 256];
/** Connections of an overload. */
export const CONNECTIONS_OVERLOAD = 2_000;
/** Connections that the load of twice what the bazaar can do is spread over. */
export const CONNECTIONS_OFFERED = 4_000;
/** How much more is offered than it can do. */
export const OFFERED_FACTOR = 2;

/** Rounds of a full run. */
export const ROUNDS_DEFAULT = 3;
/** How long one slot is measured, seconds. */
export const SLOT_S_DEFAULT = 4;
/** Load before a slot is measured, seconds; the first slot of a fresh process gets twice that. */
export const WARM_UP_S = 1;
/** … and one that has a single slot this many times that: about what the others did before the slot it is compared with. */
export const WARM_UPS_ALONE = 6;

/** Stocks that are traded, and as many rows that PostgreSQL updates. */
export const STOCKS = 10;
export const STOCKS_SOME = 1_000;
export const STOCKS_MANY = 10_000;
/** So many of each that no trade of a run is refused. */
export const STOCK_QUANTITY = 1_000_000_000;

/** Orders of a long history. */
export const ORDERS_MANY = 1_000_000;
/** Orders of a history in between. */
export const ORDERS_SOME = 100_000;

/** The lab's probability that a lookup is followed by a trade. */
export const TRADE_PROBABILITY = 0.2;
/** Different requests that a load goes through, again and again. */
export const REQUESTS_PREPARED = 5_000;

/** How long an idle bazaar is looked at, seconds: as long as it does more than later. */
export const IDLE_S = 10;
/** … and how long after a load: no lease runs any more, garbage is collected. */
export const IDLE_SETTLED_S = 15;

/** Calls of redis-benchmark for each second of a slot: it can't be told a time. */
export const REDIS_CALLS_PER_SECOND = 60_000;
/** fsyncs of the disk's probe. */
export const FSYNC_PROBES = 300;
export const FSYNC_BYTES = 4_096;

/** An answer that takes longer counts as none. */
export const ANSWER_LIMIT_S = 15;
/** For a server to be ready. */
export const START_LIMIT_MS = 60_000;
/** For a server to end after the signal; then it is killed. */
export const STOP_LIMIT_MS = 10_000;
/** For preparing files. */
export const PREPARE_LIMIT_MS = 180_000;
/** A lagging replica that isn't level by then is measured by how far it came. */
export const CATCH_UP_LIMIT_MS = 40_000;
/** Level: at most this many entries behind the leader, while trades go on. */
export const LEVEL_ENTRIES = 100;

/** Above this load average something else is running, and the numbers are not worth much. */
export const LOAD_AVERAGE_QUIET = 0.7;
