// Answers an audit: what `bazaar verify` compares, at one position.
//
// The file is read in a thread of its own, since verifying a million orders
// mustn't stop the market; here it is only made to hold what was asked about.

import { setTimeout as pause } from "node:timers/promises";
import { BEAT_MS } from "../../core/service/limits.ts";
import type { OrderAudit } from "../contract.ts";
import { AUDIT_WAIT_MS, AUDITS_MAX } from "./limits.ts";

export interface AuditsOptions {
  /** Everything up to here is committed and was delivered. */
  readonly deliveredPosition: () => number;
  readonly tables: { flush(): void };
  /** Reads the file, as far as the tables are, at `position` and earlier ones. */
  readonly read: (position: number, stocksAt: readonly number[]) => Promise<OrderAudit>;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

export class Audits {
  readonly #options: AuditsOptions;
  #inHand = 0;

  constructor(options: AuditsOptions) {
    this.#options = options;
  }

  /**
   * What this replica holds at `position`, and the stocks at `stocksAt`, none
   * later. Waits until it is there; rejects after AUDIT_WAIT_MS, when too many
   * are under way, and when the file can't be read.
   */
  async at(position: number, stocksAt: readonly number[]): Promise<OrderAudit> {
    if (this.#inHand >= AUDITS_MAX) throw new Error("too many audits at once");
    this.#inHand++;
    try {
      await this.#reached(position);
      this.#options.tables.flush();
      return await this.#options.read(position, stocksAt);
    } finally {
      this.#inHand--;
    }
  }

  async #reached(position: number): Promise<void> {
    const { deliveredPosition, nowMs } = this.#options;
    const deadlineMs = nowMs() + AUDIT_WAIT_MS;
    while (deliveredPosition() < position) {
      if (nowMs() >= deadlineMs) {
        throw new Error(`still at position ${deliveredPosition()}, not yet at ${position}`);
      }
      await pause(BEAT_MS);
    }
  }
}
