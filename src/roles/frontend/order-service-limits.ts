// Every limit and time-out of a front end's questions to the order replicas.

/** A health answer or a nomination that takes longer is given up by the selection; the call ends a little later. */
export const HEALTH_CALL_MS = 600;
export const NOMINATE_CALL_MS = 6_000;
export const NOTIFY_CALL_MS = 2_000;

/** At most one line about what a replica does wrong in this time. */
export const COMPLAINT_INTERVAL_MS = 10_000;
