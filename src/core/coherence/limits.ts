// Every limit and time-out of the views, with its reason. Milliseconds of each
// process's own monotonic clock.

/** How long a view may answer after its last renewal. A dead view delays trades by this much, once. */
export const LEASE_MS = 500;

/**
 * What a grantor waits beyond a lease it gave. Clocks may run at rates up to 2 %
 * apart: over the chain of leader, catalog and front end that is 3 × 2 % of a
 * lease, 30 ms, and over the time for which a name is kept 2 % of 2 s, 40 ms; the
 * rest is reserve.
 */
export const LEASE_MARGIN_MS = 50;

/** A lease is asked for this often: four times before it ends. */
export const LEASE_ASK_MS = 100;

/** … or seen this often whether it is to be asked for: the first reader asks by itself, and the next question is in time. */
export const LEASE_IDLE_ASK_MS = 200;

/** A view that wasn't read for this long asks for no lease any more: a user's pauses shouldn't end it, a quiet hour should. */
export const DEMAND_MS = 10_000;

/** How long the first reader of a view without a lease waits for one. It takes two round trips; without it the leader answers. */
export const LEASE_WAIT_MS = 100;

/**
 * For how long after it was heard by a leader a catalog says so to the next one. Longer than an
 * idle catalog's question and a silent leader's replacement take; a restarted catalog waits for it.
 */
export const HEARD_MS = 1_500;

/** An unanswered hold is sent again after this long. */
export const HOLD_AGAIN_MS = 100;

/** Copies in a store elsewhere that one command drops; where more are to go, all do: no command grows without limit. */
export const STORED_NAMES_DROPPED_MAX = 1_024;

/** A view that something waited for as long as this is late. A busy one takes a tenth of it; nobody waits longer than a lease. */
export const LATE_MS = LEASE_MS / 2;

/** Who is late gets no lease for so many times what was waited for it: a slow view holds trades up for a tenth of the time at most. */
export const REST_PER_WAIT = 10;

/** Of the time between two ticks of a grantor this much counts as waited: in the rest of it the grantor itself was held up. */
export const WAITED_PER_TICK_MS_MAX = 100;

/** Lease questions without an answer that a holder remembers; later answers to older ones are ignored. */
export const LEASE_ASKS_MAX = 16;

/** Batches that a catalog holds and hasn't been told exposed; the leader sends no more until some are. */
export const HELD_BATCHES_MAX = 4_096;

/** Messages with entries on their way to one catalog, unanswered; the next waits. */
export const HOLD_WINDOW_MESSAGES_MAX = 64;

/** … and while each is as large as may be, since the catalog has a history to read: reading all the others at once would keep the leader from its heartbeats. */
export const CATCH_UP_WINDOW_MESSAGES_MAX = 2;
