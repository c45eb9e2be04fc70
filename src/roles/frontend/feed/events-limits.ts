// Every limit and time-out of GET /events, in one place.

/** Between two looks at what changed, milliseconds: at most four messages a second, whatever is traded. */
export const TICK_MS = 250;
/** A reader that comes back within this time finds what it missed, milliseconds. */
export const RING_MS = 60_000;
/** Messages kept for those who come back. */
export const RING_MESSAGES_MAX = RING_MS / TICK_MS;
/** … and their bytes: with thousands of stocks messages are large. */
export const RING_BYTES_MAX = 8 * 1_048_576;
/** With this many readers, a further one takes the place of the oldest, or is told to come later. */
export const READERS_MAX = 64;
/**
 * A place is kept for this long, milliseconds. What a reader leaves unread lies in the system's
 * buffers, megabytes of it, before this process notices: so nobody keeps a place that others wait for.
 */
export const READER_PLACE_MS = 5_000;
/** A reader with more than this unread is dropped: it comes back and resumes. Several whole pictures fit. */
export const READER_UNREAD_BYTES_MAX = 1_048_576;
/** … and so is one that has had something unread for this long, milliseconds. */
export const READER_UNREAD_MS = 3_000;
/** When nothing changes, something is said all the same, so that a dead connection is noticed, milliseconds. */
export const SILENCE_MAX_MS = 2_000;
/** A browser connects again this long after the connection was lost, milliseconds. */
export const RECONNECT_MS = 1_000;

/** Stocks that are told of, the first by name. */
export const STOCKS_SHOWN_MAX = 500;
/** Between two lists of all stocks while orders are committed, and while none are, milliseconds. */
export const STOCKS_BUSY_MS = 500;
export const STOCKS_IDLE_MS = 2_000;
/** A stock's trail: a number each so many milliseconds, and how many. */
export const TRAIL_STEP_MS = 2_000;
export const TRAIL_STEPS_MAX = 60;

/** Orders in one change; the rest is summed. */
export const TAPE_ROWS_MAX = 12;
/** Orders in a whole picture. */
export const TAPE_KEPT_MAX = 40;
/** Pages of 1,000 orders read in one tick at most: 32,000 orders a second. */
export const TAPE_PAGES_PER_TICK_MAX = 8;
/** Who begins to watch has this many orders summed at most; older ones are left out. */
export const TAPE_BACKLOG_MAX = 50_000;

/** Seconds that the rates go back. */
export const RATES_KEPT_S = 120;
/** Moments that are kept. */
export const MOMENTS_MAX = 30;
/** A replica beats every 50 ms: one that hasn't for this long is silent, milliseconds. */
export const BEAT_SILENT_MS = 600;
/** Between two questions to catalogs and other front ends, and how long one may take, milliseconds. */
export const PROBE_INTERVAL_MS = 1_000;
export const PROBE_LIMIT_MS = 700;

/** Names of copies that are told. */
export const CACHE_NAMES_MAX = 48;
/** Copies that went lately, kept and told. */
export const CACHE_GONE_MAX = 12;

/** Steps are gathered from all processes this often at most, however many ask, milliseconds. */
export const STEPS_GATHER_MS = 200;
/** … and kept for who asks seldom. */
export const STEPS_GATHERED_MAX = 12_000;
/** How long a process may take to tell its steps, milliseconds. */
export const STEPS_LIMIT_MS = 400;
