// Every time-out of the connections between processes that the simulation shares,
// with its reason. Milliseconds of each process's own monotonic clock.

/**
 * How often each end of a connection looks at it: says something if it has sent
 * nothing since, and counts whether something came. An idle connection costs two
 * small frames a second each way.
 */
export const LINK_TICK_MS = 500;

/**
 * Looks in a row that found nothing new: the connection is given up for lost. An
 * idle end is silent for less than two ticks, so it takes more than a lost packet.
 */
export const SILENT_TICKS_MAX = 3;

/** Two looks further apart than this: this process was paused, and what came meanwhile may be unread. */
export const LINK_TICK_LATE_MS = 2 * LINK_TICK_MS;
