// Log lines about what other processes do wrong, rate-limited: a peer that
// sends nonsense a thousand times a second must not fill the disk with it.

import type { Logger } from "pino";

/** Kinds of complaint remembered at once; beyond it the oldest is forgotten, and may be said again sooner. */
const KEYS_MAX = 1_024;

interface Said {
  readonly atMs: number;
  suppressed: number;
}

/**
 * Says the first complaint of a kind at once, then at most one in `intervalMs`;
 * that one tells how many were `suppressed` in between.
 */
export class Complaints {
  readonly #log: Logger;
  readonly #intervalMs: number;
  readonly #nowMs: () => number;
  readonly #said = new Map<string, Said>();

  constructor(log: Logger, intervalMs: number, nowMs: () => number = () => performance.now()) {
    this.#log = log;
    this.#intervalMs = intervalMs;
    this.#nowMs = nowMs;
  }

  /** Logs at `warn`, unless something was said about `key` within the interval. */
  warn(key: string, fields: Readonly<Record<string, unknown>>, message: string): void {
    const nowMs = this.#nowMs();
    const said = this.#said.get(key);
    if (said !== undefined && nowMs - said.atMs < this.#intervalMs) {
      said.suppressed += 1;
      return;
    }
    const suppressed = said?.suppressed ?? 0;
    this.#said.delete(key);
    this.#said.set(key, { atMs: nowMs, suppressed: 0 });
    if (this.#said.size > KEYS_MAX) {
      for (const oldest of this.#said.keys()) {
        this.#said.delete(oldest);
        break;
      }
    }
    this.#log.warn(suppressed === 0 ? fields : { ...fields, suppressed }, message);
  }
}
