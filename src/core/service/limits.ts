// Every limit and time-out of questions and answers, on both sides, with its
// unit and its reason.

import { REST_PER_WAIT } from "../coherence/limits.ts";

// The leader's side.

/**
 * How often a replica tells front ends how it stands, who miss their leader without two of these.
 * Also the beat of everything that a replica does by the clock.
 */
export const BEAT_MS = 200;

/** … but this often it looks at leases, and at what catalogs haven't answered, while trades wait for them. */
export const REPLICA_TICK_MS = 50;

/** How much a leader takes on; the simulation has it take on less. */
export const DESK_LIMITS = {
  /** Questions asked and not yet answered; beyond it they are answered "busy" before anything is done. */
  questionsInHandMax: 16_384,
  /** Turns decided and not yet exposed. What comes meanwhile is decided together in a later one, so this bounds the pipeline, not the throughput. */
  turnsInHandMax: 64,
  /** Entries in one message to a catalog, about. */
  feedBytesMax: 256 * 1024,
  /** For how many times what was waited for it a late catalog gets no lease. */
  restPerWait: REST_PER_WAIT,
} as const;

/** Rows of orders and stocks read for pages and lists in one turn, about 10 ms of work; further ones of that turn are "busy". */
export const ROWS_READ_PER_TURN_MAX = 20_000;

/** … and letters of the names in all answers of a turn: no answer is too large to be sent. */
export const LETTERS_READ_PER_TURN_MAX = 4 * 1_048_576;

/** Stocks in one piece of a list: some 2 ms for whoever reads, sends or takes it. */
export const STOCKS_PER_PIECE_MAX = 4_000;

/** A turn's commands are split into entries of about this size, so that no message grows without limit. */
export const ENTRY_BYTES_MAX = 256 * 1024;

// The front end's side.

/** Questions in one call; a replica refuses more. */
export const QUESTIONS_PER_CALL_MAX = 1_024;

/**
 * Questions that a front end puts into one call. What was sent counts as begun, and waits out of
 * its sight: with CALLS_IN_FLIGHT_MAX that is 1,024 at most, a fraction of a second's work, so that
 * START_LIMIT_MS sees an overload. Larger batches would save next to nothing.
 */
export const QUESTIONS_PER_BATCH_MAX = 256;

/** Stocks looked up in one call to a catalog; it refuses more. */
export const NAMES_PER_LOOKUP_MAX = 4_096;

/**
 * A catalog that hasn't answered a lookup by then is left aside, and the leader asked. Longer than
 * one may have to wait for a view that died: a lease, its margin, and the ticks that notice.
 */
export const CATALOG_ANSWER_LIMIT_MS = 700;

/** A catalog left aside is asked again whether it answers, this often. */
export const CATALOG_PROBE_INTERVAL_MS = 250;

/**
 * A catalog without a lease for this long goes behind the others. Longer than a healthy one is
 * while a new leader waits for the leases of the last: a lease, its margin, and the next question.
 */
export const CATALOG_UNLEASED_LIMIT_MS = 700;

/** How long a client's question may take in all, changes of leader included. */
export const QUESTION_DEADLINE_MS = 10_000;

/** A question that can't be sent within this time, though there is a leader, is turned away: the leader has too much to do. */
export const START_LIMIT_MS = 1_000;

/**
 * As many questions may wait as were lately answered in this time: who comes later is turned away
 * at once, and not after START_LIMIT_MS, which then all would wait in vain. Some batches long, so
 * that what came together is taken together.
 */
export const QUEUE_WAIT_MS = 300;

/** … and always so many: a front end that had nothing to do knows no rate, and all calls in flight take as many. */
export const QUESTIONS_WAITING_MIN = 1_024;

/** What was answered longer ago hardly counts for the rate. */
export const RATE_WINDOW_MS = 1_000;

/** While questions keep coming, those that wait are looked through this often at least. */
export const SHED_EVERY_MS = 50;

/** A list that is asked for while another is under way waits for its end, but no longer than this: that one may be waiting for a leader. */
export const LIST_BEGIN_MS = 1_000;

/** Questions waiting to be sent. At the start limit and 16,000 a second they would be turned away anyway. */
export const QUESTIONS_WAITING_MAX = 16_384;

/** Calls to the leader at once. Few, so that what comes meanwhile grows into a batch of its own; enough to keep the leader at work. */
export const CALLS_IN_FLIGHT_MAX = 4;

/** The selection is never ticked sooner than after this: a time to wake at that is nearly reached would have it ticked in a circle. */
export const WAKE_MIN_MS = 1;

/** A health answer or a nomination that takes longer is given up by the selection; the call ends a little later. */
export const HEALTH_CALL_MS = 600;
export const NOMINATE_CALL_MS = 6_000;

/** A call without an answer for this long is made again another way. Beyond a view that holds an answer up, and a slow fsync. */
export const ANSWER_WAIT_MS = 1_000;

/** A replica that let a call wait that long, or couldn't relay, is asked only if there is no other, for this long. */
export const AVOID_SILENT_MS = 2_000;
export const AVOID_LOST_MS = 250;

/** A connection to the leader counts only while something came over it lately: two beats, and a half. */
export const LEADER_HEARD_MS = 500;

/** How often questions under way are looked through: some time-outs are tens of milliseconds long. */
export const QUESTIONS_TICK_MS = 25;

/** Two sweeps further apart than this: the process was paused, and answers may lie unread. */
export const SWEEP_GAP_MS = 300;

/** How often a front end asks the leader which API keys there are: several answers may be late or lost before its copy is too old. */
export const KEYS_ASK_MS = 250;

/** For how long an answer to that is relied on: a key is revoked everywhere within a second, by clocks that run at different rates. */
export const KEYS_TRUSTED_MS = 900;

/** A request that can't be judged, since no leader says which keys there are, waits for this long: as any question. */
export const KEYS_WAIT_MS = QUESTION_DEADLINE_MS;

/** … and so many of them. */
export const KEYS_WAITING_MAX = 16_384;

// The catalog's side.

/** How often a catalog looks at leases, and sends lost holds again, while something waits for that. */
export const CATALOG_TICK_MS = 25;

/** … and while nothing does: no lease ends sooner than this after something began to wait, or hardly. */
export const CATALOG_IDLE_TICK_MS = 200;

/** How often a catalog that wants no lease, as nobody reads it, tells every replica where it stands. */
export const CATALOG_IDLE_FOLLOW_MS = 500;

/** How often a catalog's file follows its view: after a restart it reads on from there. */
export const STORE_DELAY_MS = 200;

/** Questions at a catalog that wait for a lease, or for an entry to be exposed; further ones are sent on to the leader. */
export const CATALOG_QUESTIONS_WAITING_MAX = 16_384;

/** A leader that hasn't told a catalog that it leads for this long is none: every replica is asked three times in it at least. */
export const LEADER_TOLD_MS = 1_500;

/** How long a catalog's call to a replica waits for its answer; another replica is asked after that. */
export const REPLICA_CALL_MS = 2_000;

// Whoever asks the leader and is no front end.

/** Pause between two attempts to ask the leader, while there is none or it is busy. */
export const LEADER_PAUSE_MS = 25;

/** Questions to the leader under way; further callers are told that it was one too many. */
export const LEADER_QUESTIONS_IN_HAND_MAX = 1_024;
