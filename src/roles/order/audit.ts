// Answers an audit: what `bazaar verify` compares, at one position.
//
// The reading is done in a worker, which has its own connection to the file:
// verifying a million orders mustn't stop the market.

import { setTimeout as pause } from "node:timers/promises";
import type { OrderAudit } from "../contract.ts";
import { AUDIT_WAIT_MS, BEAT_MS } from "./limits.ts";

export interface AuditOptions {
  /** Everything up to here is committed and was delivered. */
  readonly deliveredPosition: () => number;
  readonly tables: { flush(): void };
  /** Reads the file, as far as it is durable, at `position`. */
  readonly read: (position: number, stocksAt: readonly number[]) => Promise<OrderAudit>;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

/**
 * What this replica holds at `position`. Waits until it is there, AUDIT_WAIT_MS
 * at most; then rejects.
 */
export async function auditAt(
  { deliveredPosition, tables, read, nowMs }: AuditOptions,
  position: number,
  stocksAt: readonly number[],
): Promise<OrderAudit> {
  const deadlineMs = nowMs() + AUDIT_WAIT_MS;
  while (deliveredPosition() < position) {
    if (nowMs() >= deadlineMs) {
      throw new Error(`position ${position} isn't committed here yet: ${deliveredPosition()} is`);
    }
    await pause(BEAT_MS);
  }
  tables.flush();
  return read(position, stocksAt);
}
