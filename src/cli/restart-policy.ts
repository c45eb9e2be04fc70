// Whether a role that crashed is started again.
//
// A crash now and then is what the bazaar is made to survive; one crash after
// another is a fault that starting again won't mend, and would only hide.

/** Wait before a crashed role is started again, milliseconds. */
export const RESTART_AFTER_MS = 1_000;
/** This many crashes within the window, and the role stays down. */
export const CRASHES_MAX = 5;
/** The window, milliseconds. */
export const CRASH_WINDOW_MS = 60_000;

/** The crashes of one role. */
export class RestartPolicy {
  #crashes: number[] = [];

  /** Records a crash at `nowMs` of any monotonic clock; true when the role should be started again. */
  crashed(nowMs: number): boolean {
    this.#crashes = this.#crashes.filter((at) => nowMs - at < CRASH_WINDOW_MS);
    this.#crashes.push(nowMs);
    return this.#crashes.length < CRASHES_MAX;
  }
}
