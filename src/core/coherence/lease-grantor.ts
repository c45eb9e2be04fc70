// The grantor's side of leases: whom must a batch wait for?
//
//   G1. Whoever may still be answering has held a batch before it is exposed. A
//       lease counts from when it was granted, and a margin longer than the
//       holder counts.
//   G2. Nobody's lease is renewed beyond one lease after the oldest hold that it
//       hasn't answered was first sent: so a deaf view delays trades once.

import { LEASE_MARGIN_MS, LEASE_MS } from "./limits.ts";

interface UnansweredHold {
  readonly through: number;
  readonly firstSentMs: number;
}

interface Holder {
  leasedUntilMs: number;
  /** It has everything up to here, and shows nothing older of what changed. */
  held: number;
  /** Ascending. */
  unanswered: UnansweredHold[];
}

export class LeaseGrantor {
  readonly #holders = new Map<string, Holder>();

  #holder(name: string): Holder {
    let holder = this.#holders.get(name);
    if (!holder) {
      holder = { leasedUntilMs: Number.NEGATIVE_INFINITY, held: 0, unanswered: [] };
      this.#holders.set(name, holder);
    }
    return holder;
  }

  /** Somebody may hold a lease that this grantor didn't give, or has forgotten. */
  presume(name: string, untilMs: number): void {
    const holder = this.#holder(name);
    holder.leasedUntilMs = Math.max(holder.leasedUntilMs, untilMs);
  }

  /**
   * Grants at most `atMostMs`, to count once the holder has everything up to
   * `sent`; returns how long, or null.
   */
  grant(name: string, atMostMs: number, sent: number, nowMs: number): number | null {
    const holder = this.#holder(name);
    const renews = nowMs < holder.leasedUntilMs;
    const oldest = renews ? holder.unanswered[0] : undefined;
    const leftMs = oldest ? oldest.firstSentMs + LEASE_MS - nowMs : LEASE_MS; // G2
    const ms = Math.min(LEASE_MS, atMostMs, leftMs);
    if (ms <= 0) return null;
    if (!renews) {
      // It answers nothing before this lease counts, and by then it holds all of that.
      holder.held = Math.max(holder.held, sent);
      holder.unanswered = [];
    }
    holder.leasedUntilMs = Math.max(holder.leasedUntilMs, nowMs + ms + LEASE_MARGIN_MS); // G1
    return ms;
  }

  isLeased(name: string, nowMs: number): boolean {
    const holder = this.#holders.get(name);
    return holder !== undefined && nowMs < holder.leasedUntilMs;
  }

  /** Who may be answering now. */
  leased(nowMs: number): string[] {
    return [...this.#holders.keys()].filter((name) => this.isLeased(name, nowMs));
  }

  /** Everything up to `through` was sent to it, to be held. */
  sent(name: string, through: number, nowMs: number): void {
    const holder = this.#holder(name);
    if (nowMs >= holder.leasedUntilMs) return;
    const newest = holder.unanswered.at(-1)?.through ?? holder.held;
    if (through > newest) holder.unanswered.push({ through, firstSentMs: nowMs });
  }

  /** It holds everything up to `through`. */
  held(name: string, through: number): void {
    const holder = this.#holder(name);
    if (through <= holder.held) return;
    holder.held = through;
    holder.unanswered = holder.unanswered.filter((hold) => hold.through > through);
  }

  heldBy(name: string): number {
    return this.#holders.get(name)?.held ?? 0;
  }

  /** Since when it owes an answer; null if it owes none. */
  owesSinceMs(name: string): number | null {
    return this.#holders.get(name)?.unanswered[0]?.firstSentMs ?? null;
  }

  /** Up to where it owes answers that were asked for while it was leased; 0 if it owes none. */
  owesThrough(name: string): number {
    return this.#holders.get(name)?.unanswered.at(-1)?.through ?? 0;
  }

  /** What everybody who may be answering holds; Infinity if nobody may be. */
  heldByAll(nowMs: number): number {
    let held = Number.POSITIVE_INFINITY;
    for (const holder of this.#holders.values()) {
      if (nowMs < holder.leasedUntilMs) held = Math.min(held, holder.held); // G1
    }
    return held;
  }

  /** Forgets whom nothing is known of any more and who can't be answering. */
  forgetEnded(nowMs: number, isKnown: (name: string) => boolean): void {
    for (const [name, holder] of this.#holders) {
      if (nowMs >= holder.leasedUntilMs && !isKnown(name)) this.#holders.delete(name);
    }
  }
}
