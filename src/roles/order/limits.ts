// Every limit and time-out of the order role, with its unit and its reason.

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
