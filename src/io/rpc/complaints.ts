// Log lines about what other processes do wrong, rate-limited: a peer that
// sends nonsense a thousand times a second must not fill the disk with it.

import type { Logger } from "pino";

/** Kinds of complaint within one interval; all further ones count as one kind, or ever new ones would each have a line. */
const KINDS_MAX = 256;
/** The kind of all further ones. */
const FURTHER = "";

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

  /** Logs at `warn`, unless something was said about `kind` within the interval. */
  warn(kind: string, fields: Readonly<Record<string, unknown>>, message: string): void {
    const nowMs = this.#nowMs();
    const key = this.#said.has(kind) || this.#hasRoom(nowMs) ? kind : FURTHER;
    const said = this.#said.get(key);
    if (said !== undefined && nowMs - said.atMs < this.#intervalMs) {
      said.suppressed += 1;
      return;
    }
    const suppressed = said?.suppressed ?? 0;
    this.#said.delete(key); // so that the map is in the order of their last lines
    this.#said.set(key, { atMs: nowMs, suppressed: 0 });
    this.#log.warn(suppressed === 0 ? fields : { ...fields, suppressed }, message);
  }

  /** Forgets the oldest kind if its interval is over and its place is needed. */
  #hasRoom(nowMs: number): boolean {
    if (this.#said.size <= KINDS_MAX) return true;
    for (const [oldest, { atMs }] of this.#said) {
      if (oldest === FURTHER) continue; // it counts what had no place
      if (nowMs - atMs < this.#intervalMs) return false;
      this.#said.delete(oldest);
      return true;
    }
    return true;
  }
}
