// Every limit and time-out of the catalog, with its unit and its reason.

/** How often leases are looked at, and lost holds sent again. */
export const TICK_MS = 25;

/** Questions that wait for an entry to be exposed; further ones are sent on to the leader. */
export const QUESTIONS_WAITING_MAX = 16_384;

/** The view's file may be this much behind the view: after a restart it reads on from there. */
export const STORE_DELAY_MS = 100;

/** How long the leader is asked, over changes of it: the deadline that a client's request has. */
export const LEADER_DEADLINE_MS = 10_000;

/** How long a call to a replica waits for its answer; another replica is asked after that. */
export const REPLICA_CALL_MS = 2_000;

/** Pause between two attempts to ask while there is no leader. */
export const LEADER_PAUSE_MS = 25;

/** Questions to the leader under way; further callers are told 503. */
export const LEADER_QUESTIONS_IN_HAND_MAX = 1_024;

/** How long an audit waits for the position it was asked about. */
export const AUDIT_WAIT_MS = 10_000;

/** A leader that hasn't said so for this long is none: every replica is asked ten times in it. */
export const LEADER_HEARD_MS = 1_000;
