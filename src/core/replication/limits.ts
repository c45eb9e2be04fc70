// Every limit and time-out of the replication protocol, with its reason.
// Times are milliseconds of the monotonic clock that step() is given.

/** Replicas of a cluster: further ones would only make every trade wait for more disks. */
export const MEMBERS_MAX = 9;

/**
 * A leader begins a round at least this often. Two of them are less than any silence that counts;
 * more of them would only wake processes that have nothing to do. Who trades hears it much more often.
 */
export const HEARTBEAT_MS = 200;

/** A tick of the leader this soon after a heartbeat is an early one, and not the next. */
export const HEARTBEAT_MIN_MS = (HEARTBEAT_MS * 3) / 4;

/** How often a nominee looks at the clock: a fraction of its shortest time-out. */
export const CANDIDACY_TICK_MS = 25;

/** A follower takes its leader for gone after this long without an append: two heartbeats. Shorter than what front ends wait for, or the nominee would be refused at first. While there are trades, rounds come far more often, so that a slow fsync of the leader is no election. */
export const LEADER_SILENCE_MS = 400;

/** After a promise, a replica is unwilling towards other nominees so long: time for the first to win. */
export const PROMISE_REST_MS = 150;

/** A leader steps down once this many heartbeat rounds in a row went unconfirmed by a quorum. Counted in rounds, not in time: a leader whose own loop stalled has begun none. */
export const UNCONFIRMED_HEARTBEATS_MAX = 3;

/** Answers to a canvass take one round trip; what hasn't answered by then isn't counted on. */
export const CANVASS_MS = 150;

/** A promise takes a round trip and an fsync on either side; a slow disk gets this long. */
export const PREPARE_MS = 1_000;

/** A fetch must bring something at least this often, or the nominee gives up. */
export const FETCH_PROGRESS_MS = 1_000;

/** From winning the promises to the reign being committed. */
export const REIGN_MS = 1_000;

/** Entries in one append or fetch: bounds the message and the turn it costs. At least one entry always travels. */
export const MESSAGE_BYTES_MAX = 1 << 20;

/** Entries sent to one follower and not yet acknowledged; beyond, it gets heartbeats only. */
export const IN_FLIGHT_BYTES_MAX = 4 << 20;

/** A leader that decides a turn at least this often is at work, and a follower that only catches up leaves it room. */
export const CATCH_UP_TURN_MS = 20;

/** It rests for so many times what a piece took: its share of the machine is a fifth at most. */
export const CATCH_UP_REST_FACTOR = 4;

/** … but no longer than this, since a piece may have waited for something else. */
export const CATCH_UP_REST_MS_MAX = 1_000;

/** A probe with entries is repeated after this long without an answer; empty ones go out with every heartbeat. */
export const PROBE_AGAIN_MS = 500;

/** Newest entries kept in memory, so that a follower slightly behind costs no read. */
export const RECENT_ENTRIES_MAX = 1_024;
export const RECENT_BYTES_MAX = 4 << 20;

/** What an entry counts for at least: its numbers, and what carries it. */
export const ENTRY_BYTES_MIN = 48;

/** Entries in one message: no more fit into it. */
export const MESSAGE_ENTRIES_MAX = Math.ceil(MESSAGE_BYTES_MAX / ENTRY_BYTES_MIN);

/**
 * Entries a leader may have uncommitted; asserted, since only a mistake of the role goes beyond: it
 * has fewer questions in hand, answers further ones "busy", and a question makes one entry at most.
 */
export const UNCOMMITTED_ENTRIES_MAX = 20_000;

/** Letters of a line that the layer above says of its state; reasons name a stock and a request id at most. */
export const WORDS_MAX = 1_024;

/** How far one answer sends a leader or nominee back at most; tails that differ are seldom longer, and it takes another answer then. */
export const GO_BACK_ENTRIES_MAX = 8_192;
