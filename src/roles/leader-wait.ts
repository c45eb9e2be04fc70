// Says that a replica or a catalog runs, and what it waits for: "ready" alone
// would leave who reads the log of a lone process to guess.

import type { Logger } from "pino";

/** A start of everything together, and a fail-over, pass without a word, milliseconds. */
export const SILENT_MS = 2_000;
/** Between two lines, milliseconds: as often as a front end says the same. */
export const AGAIN_MS = 5_000;

export interface LeaderWaitOptions {
  readonly log: Logger;
  /** Monotonic, milliseconds. */
  readonly nowMs: () => number;
  /** Ids of the replicas that could lead it. */
  readonly replicas: readonly number[];
  /** Whether a connection to this one is open. */
  readonly isUp: (replica: number) => boolean;
}

export class LeaderWait {
  readonly #options: LeaderWaitOptions;
  /** When the next line is due; null while there is a leader. */
  #dueMs: number | null = null;

  constructor(options: LeaderWaitOptions) {
    this.#options = options;
  }

  /** Now and then, several times a second: whether there is a leader. */
  tick(isLed: boolean): void {
    if (isLed) {
      this.#dueMs = null;
      return;
    }
    const { log, nowMs, replicas, isUp } = this.#options;
    const now = nowMs();
    this.#dueMs ??= now + SILENT_MS;
    if (now < this.#dueMs) return;
    this.#dueMs = now + AGAIN_MS;
    const states = replicas.map((id) => `${id} ${isUp(id) ? "up" : "down"}`);
    log.info(`Waiting for an order leader - ${states.join(", ")}`);
  }
}
