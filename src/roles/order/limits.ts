// Every limit and time-out of the order role, with its unit and its reason.

/** Questions asked and not yet answered; beyond it they are answered "busy" before anything is done. */
export const QUESTIONS_IN_HAND_MAX = 16_384;

/** Turns decided and not yet exposed. What comes meanwhile is decided together in a later one, so this bounds the pipeline, not the throughput. */
export const TURNS_IN_HAND_MAX = 64;

/** Entries in one message to a catalog, about. */
export const FEED_BYTES_MAX = 256 * 1024;

/** A front end misses a leader after ten of these. Also the beat of everything the role does by the clock. */
export const BEAT_MS = 50;

/** How long a starting replica looks for a leader to sync with before it says that there is none. */
export const STARTUP_LEADER_WAIT_MS = 2_000;

/** How long an audit waits for the position it was asked about. */
export const AUDIT_WAIT_MS = 10_000;

/** Audits under way at once; each reads the whole file. */
export const AUDITS_MAX = 2;

/** Committed effects reach the tables after this time at the latest, where no append took them along. */
export const FLUSH_DELAY_MS = 200;

/** A replica without a commit, or a leader, for a moment isn't idle yet. */
export const IDLE_AFTER_MS = 500;

/** One slice of the scrub, tables against journal: about three milliseconds of work. */
export const SCRUB_BYTES = 16 * 1024;

/** Pause between two slices while there is other work; else there is one each beat. */
export const SCRUB_EVERY_MS = 1_000;
