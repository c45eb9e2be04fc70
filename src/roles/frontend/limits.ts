// Every limit and time-out of the front end, in one place.

/** A POST body may have this many bytes. */
export const BODY_BYTES_MAX = 64 * 1024;
/** Of a larger one, this many are read and thrown away before it is cut off. */
export const BODY_DISCARDED_BYTES_MAX = 16 * 1024 * 1024;
/** Request line and headers together, as much as most servers take. */
export const HEADER_BYTES_MAX = 16 * 1024;
/** A request must have arrived as a whole within this time; nobody holds a connection by sending slowly. */
export const REQUEST_RECEIVE_LIMIT_MS = 30_000;
/** How often the server looks for requests that are past it. */
export const REQUEST_CHECK_INTERVAL_MS = 1_000;

/** Requests of one connection that are begun and not answered; those behind them wait, and nothing more is read. */
export const REQUESTS_IN_HAND_MAX = 32;
/**
 * What a connection sends sooner than this after it was told that there is too much to do waits for as
 * long. Well below RETRY_AFTER_S: whoever comes again when told to never notices; a thousand clients that
 * don't are told 10,000 times a second, a third of a processor's work.
 */
export const HELD_MS = 100;
/** For so long one turn of the event loop begins requests; the answers of the leader wait meanwhile. */
export const TURN_MS = 10;
/** A client that takes nothing of an answer for this long is cut off; no working network is silent for longer. */
export const UNREAD_LIMIT_MS = 20_000;
/** How often it is looked for clients that leave answers unread. */
export const UNREAD_CHECK_INTERVAL_MS = 1_000;
/** Pages of orders and stocks asked for at once: some 10 ms of a replica's work; the rest waits here. */
export const PAGES_AT_ONCE_MAX = 8;
/** Pages that wait for their turn; beyond START_LIMIT_MS of work, or nearly, they would be turned away anyway. */
export const PAGES_WAITING_MAX = 1_024;

/** How long a front end that starts waits for a leader before it listens all the same. */
export const LEADER_WAIT_MS = 2_000;
/** What the client is told to wait before it asks again after a 503, seconds. */
export const RETRY_AFTER_S = 1;
/**
 * How long connections stay open once the port is closed, though they wait for a request: so that the
 * next one, or the first, has its answer, with word that it is the last.
 */
export const CLOSE_NOTICE_MS = 300;
/** How long a front end that is told to stop lets requests under way come to their answers. */
export const CLOSE_GRACE_MS = 2_000;
/** How long the 503s that then end the rest may take to leave. */
export const CLOSE_FLUSH_MS = 100;
/** Verifying reads whole journals: what was found is told for this long, milliseconds … */
export const VERDICT_KEPT_MS = 30_000;
/** … or for so many times as long as it took, if that is longer. */
export const VERDICT_KEPT_TIMES = 4;

/** What one address may ask for at once, of what it may in a second: an honest client's pages load in bursts. */
export const RATE_BURST_S = 2;
/** Addresses whose use is remembered, some 100 bytes each. */
export const RATE_ADDRESSES_MAX = 100_000;
/** The same complaint is logged this often at most. */
export const COMPLAINT_INTERVAL_MS = 10_000;
