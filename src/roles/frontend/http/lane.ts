// A lane for work that is large: so much of it goes on at once, the rest waits in
// order. Pages of orders and stocks go through one, so that whoever asks for
// thousands of them has other requests wait for a few at most.

import { START_LIMIT_MS } from "../../../core/service/limits.ts";

export interface LaneOptions {
  /** How much goes on at once, and how much waits. */
  readonly atOnceMax: number;
  readonly waitingMax: number;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

export class Lane {
  readonly #options: LaneOptions;
  #atOnce = 0;
  readonly #waiting: { readonly sinceMs: number; readonly go: (mayBegin: boolean) => void }[] = [];

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Does `work` when there is room; without it, or later than START_LIMIT_MS, says so and doesn't. */
  async run<T>(work: () => Promise<T>): Promise<T | { readonly kind: "overloaded" }> {
    if (!(await this.#enter())) return { kind: "overloaded" };
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #enter(): boolean | Promise<boolean> {
    const { atOnceMax, waitingMax, nowMs } = this.#options;
    if (this.#atOnce < atOnceMax) {
      this.#atOnce += 1;
      return true;
    }
    if (this.#waiting.length >= waitingMax) return false;
    return new Promise((go) => this.#waiting.push({ sinceMs: nowMs(), go }));
  }

  /** Hands its place on. Work ends by its own deadline, so nobody waits for longer than that. */
  #leave(): void {
    const nowMs = this.#options.nowMs();
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      const mayBegin = nowMs - next.sinceMs < START_LIMIT_MS;
      next.go(mayBegin);
      if (mayBegin) return;
    }
    this.#atOnce -= 1;
  }
}
