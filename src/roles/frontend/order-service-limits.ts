// Every limit and time-out of a front end's questions to the order replicas.

/** How long a client's question may take in all, changes of leader included. */
export const QUESTION_DEADLINE_MS = 10_000;

/** A question that can't be sent within this time, though there is a leader, is turned away: the leader has too much to do. */
export const START_LIMIT_MS = 1_000;

/** Questions waiting to be sent. At the start limit and 16,000 a second they would be turned away anyway. */
export const QUESTIONS_WAITING_MAX = 16_384;

/** Calls to the leader at once. Few, so that what comes meanwhile grows into a batch of its own; enough to keep the leader at work. */
export const CALLS_IN_FLIGHT_MAX = 4;

/** Letters of all questions in one call: keeps its frame far below what a connection takes. */
export const LETTERS_PER_CALL_MAX = 1_048_576;

/** A call without an answer for this long is made again another way. Beyond a view that holds an answer up, and a slow fsync. */
export const ANSWER_WAIT_MS = 1_000;

/** A replica that let a call wait that long, or couldn't relay, is asked only if there is no other, for this long. */
export const AVOID_SILENT_MS = 2_000;
export const AVOID_LOST_MS = 250;

/** A connection to the leader counts only while something came over it lately: ten beats. */
export const LEADER_HEARD_MS = 500;

/** Two sweeps further apart than this: the process was paused, and answers may lie unread. */
export const SWEEP_GAP_MS = 150;

/** A health answer or a nomination that takes longer is given up by the selection; the call ends a little later. */
export const HEALTH_CALL_MS = 600;
export const NOMINATE_CALL_MS = 6_000;
export const NOTIFY_CALL_MS = 2_000;

/** At most one line about what a replica does wrong in this time. */
export const COMPLAINT_INTERVAL_MS = 10_000;
