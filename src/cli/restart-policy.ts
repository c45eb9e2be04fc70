// Whether a role that crashed is started again, and when.
//
// A crash now and then is what the bazaar is made to survive: such a role is
// back at once, but for a replica, which leaves the processor to the election of
// the next leader first. One crash after another is a fault that starting again won't
// mend, and would only hide.

/** Wait before a replica is started again for the first time within the window, milliseconds. */
export const ELECTION_MS = 100;
/** Wait before a role is started again that has crashed before within the window, milliseconds. */
export const RESTART_AFTER_MS = 1_000;
/** This many crashes within the window, and the role stays down. */
export const CRASHES_MAX = 5;
/** The window, milliseconds. */
export const CRASH_WINDOW_MS = 60_000;

/** The crashes of one role. */
export class RestartPolicy {
  readonly #firstAfterMs: number;
  #crashes: number[] = [];

  /** The first crash within the window is answered after this many milliseconds. */
  constructor(firstAfterMs: number) {
    this.#firstAfterMs = firstAfterMs;
  }

  /**
   * Records a crash at `nowMs` of any monotonic clock. Returns after how many
   * milliseconds the role should be started again; null when it stays down.
   */
  crashed(nowMs: number): number | null {
    this.#crashes = this.#crashes.filter((at) => nowMs - at < CRASH_WINDOW_MS);
    this.#crashes.push(nowMs);
    if (this.#crashes.length >= CRASHES_MAX) return null;
    return this.#crashes.length === 1 ? this.#firstAfterMs : RESTART_AFTER_MS;
  }
}
