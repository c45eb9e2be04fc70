// A front end's copy of the API keys: which there are, as the leader said lately.
//
//   A1. A key is relied on for KEYS_TRUSTED_MS from before the leader was asked,
//       by a clock that is read when the key is used. The leader's answer is true at
//       some moment after it was asked, so whoever revoked a key, and was told so,
//       waits that long at most until nobody serves under it, whatever is paused,
//       cut off or late. Who can't ask serves nobody.
//   A2. Of two answers the one that was asked for later counts; an answer that
//       says "as you know" counts for the version that it names alone.
//
// The leader is asked all the time, and not when a request comes: no request has
// to wait for it. Ahead of all questions of clients, since under an overload these
// wait for as long as a key is relied on.
//
// Holding keys like stocks, with leases and holds, would have them revoked
// everywhere before that is answered; but each trade would then wait for the lease
// of every front end, also of those that nobody reads through.

import type { ApiKey } from "../market/types.ts";
import { KEYS_TRUSTED_MS, KEYS_WAIT_MS, KEYS_WAITING_MAX } from "./limits.ts";
import type { Answer, Question } from "./types.ts";

/** The keys that there were at one moment. */
export interface KnownKeys {
  /** 0 before any was made. */
  readonly version: number;
  readonly keys: readonly ApiKey[];
}

export interface KeyCopyOptions {
  /** Asks the leader once; calls back once, with null when it brought no answer. */
  readonly ask: (question: Question, settled: (answer: Answer | null) => void) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

interface Waiting {
  readonly untilMs: number;
  readonly settled: (isCurrent: boolean) => void;
}

export class KeyCopy {
  readonly #options: KeyCopyOptions;
  #known: KnownKeys | null = null;
  /** When the answer that #known rests on was asked for. */
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #waiting: Waiting[] = [];

  constructor(options: KeyCopyOptions) {
    this.#options = options;
  }

  /** The newest that was heard, however long ago; null before. */
  get last(): KnownKeys | null {
    return this.#known;
  }

  /** What may be relied on at this moment; null while nothing may. A1 */
  get current(): KnownKeys | null {
    return this.#options.nowMs() - this.#askedAtMs < KEYS_TRUSTED_MS ? this.#known : null;
  }

  /** Every KEYS_ASK_MS: asks, and tells who has waited for too long. */
  tick(): void {
    this.ask();
    const nowMs = this.#options.nowMs();
    const [first] = this.#waiting;
    if (first === undefined || nowMs < first.untilMs) return;
    const late = this.#waiting.filter(({ untilMs }) => nowMs >= untilMs);
    this.#waiting = this.#waiting.filter(({ untilMs }) => nowMs < untilMs);
    for (const { settled } of late) settled(false);
  }

  /** Asks, also between ticks: there is another leader. */
  ask(): void {
    const { ask, nowMs } = this.#options;
    const askedAtMs = nowMs(); // A1
    ask({ kind: "keys", known: this.#known?.version ?? null }, (answer) => {
      if (answer?.kind === "keys") this.#heard(askedAtMs, answer);
    });
  }

  /** Calls back once there is something to rely on, or with false when that takes too long; at once when there is. */
  whenCurrent(settled: (isCurrent: boolean) => void): void {
    if (this.current !== null) settled(true);
    else if (this.#waiting.length >= KEYS_WAITING_MAX) settled(false);
    else this.#waiting.push({ untilMs: this.#options.nowMs() + KEYS_WAIT_MS, settled });
  }

  /** Whoever waits is told no. */
  close(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { settled } of waiting) settled(false);
  }

  #heard(askedAtMs: number, { version, keys }: Extract<Answer, { kind: "keys" }>): void {
    if (askedAtMs <= this.#askedAtMs) return; // A2
    if (keys === null && version !== this.#known?.version) return; // A2
    if (keys !== null) this.#known = { version, keys };
    this.#askedAtMs = askedAtMs;
    if (this.current === null) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { settled } of waiting) settled(true);
  }
}
