// Every limit and time-out of the catalog, with its unit and its reason.

/** How often leases are looked at, and lost holds sent again. */
export const TICK_MS = 25;

/** Questions that wait for an entry to be exposed; further ones are sent on to the leader. */
export const QUESTIONS_WAITING_MAX = 16_384;

/** The view's file may be this much behind the view: after a restart it reads on from there. */
export const STORE_DELAY_MS = 100;

/** How long an update is tried, over changes of the leader: the deadline that a client's request has. */
export const UPDATE_DEADLINE_MS = 10_000;

/** How long a call to a replica waits for its answer; an update asks another replica after that. */
export const REPLICA_CALL_MS = 2_000;

/** Pause between two attempts of an update while there is no leader. */
export const UPDATE_PAUSE_MS = 25;

/** Updates under way; beyond it they are refused with 503. */
export const UPDATES_IN_HAND_MAX = 1_024;

/** How long an audit waits for the position it was asked about. */
export const AUDIT_WAIT_MS = 10_000;
