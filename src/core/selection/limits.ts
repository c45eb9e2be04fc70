// Every limit and time-out of the leader selection, with its reason. Times are
// milliseconds during which the front end was awake (see awake-clock.ts).

/** How often the driver ticks at least during a search: a fraction of its shortest time-outs. */
export const TICK_MS = 25;

/** … and while a leader is followed: as often as it beats. It ticks besides when the leader's silence is long enough. */
export const FOLLOWING_TICK_MS = 200;

/** Two ticks further apart than this: the process was paused, and beats may lie unread in its sockets. */
export const TICK_GAP_MS = 300;

/** The most that one step adds to the time awake: a tick, a little late. */
export const AWAKE_STEP_MAX_MS = 225;

/** A leader is taken for gone after two missed beats: longer than a slow fsync, shorter than a client's patience. */
export const LEADER_SILENCE_MS = 500;

/** A round waits for an answer only from replicas that beat lately: two missed beats, and it may be paused. */
export const REPLICA_SILENCE_MS = 450;

/** A health answer takes one round trip; what takes longer counts as failed. */
export const HEALTH_MS = 500;

/** A nominee gives up by itself within a few seconds; then it is passed over. */
export const NOMINATE_MS = 5_000;

/**
 * At start all replicas may answer first, so that the highest leads even when it
 * comes up a little later. Leaves time for an election within the two seconds
 * after which a front end opens without a leader.
 */
export const START_WAIT_MS = 1_500;

/** Right after a leader is lost its followers may not have noticed yet, and would refuse any nominee. */
export const NOTICE_MS = 30;

/** How often they are asked meanwhile whether they have noticed: an election is worth five milliseconds, not thirty. */
export const NOTICE_ASK_MS = 5;

/** A leader that only this front end can't reach is adopted through its followers after this long: by then they would have noticed its death. */
export const RELAY_AFTER_MS = 250;

/** The pause before the next round: at random up to this, doubled with each round … */
export const BACK_OFF_FIRST_MS = 25;
/** … up to this; never below a fifth of it. */
export const BACK_OFF_MAX_MS = 500;
export const BACK_OFF_FLOOR = 0.2;

/** A nominee this many entries behind the best journal would have to fetch too much before it can lead. */
export const ENTRIES_BEHIND_MAX = 10_000;

/** While no leader is found, that is said this often. */
export const REPORT_MS = 5_000;
