// The grantor's side of leases: whom must a batch wait for?
//
//   G1. Whoever may still be answering has held a batch before it is exposed. A
//       lease counts from when it was granted, and a margin longer than the
//       holder counts.
//   G2. Nobody's lease is renewed beyond one lease after the time since when the
//       oldest batch that it doesn't hold has waited for it, sent or not: so a
//       deaf view delays trades once.
//   G3. Whoever was late rests: it is granted nothing for a multiple of what was
//       waited for it, so that a slow view doesn't hold up trade after trade. Only
//       waiting in which this grantor was awake counts: one that is held up itself,
//       by a slow disk say, would blame those whose answers it hasn't read yet.

import {
  LATE_MS,
  LEASE_MARGIN_MS,
  LEASE_MS,
  REST_PER_WAIT,
  WAITED_PER_TICK_MS_MAX,
} from "./limits.ts";

interface Owed {
  readonly through: number;
  /** Since when that waits for it. */
  readonly sinceMs: number;
  /** The same by the time in which the grantor was awake. */
  readonly sinceAwakeMs: number;
}

interface Holder {
  leasedUntilMs: number;
  /** It has everything up to here, and shows nothing older of what changed. */
  held: number;
  /** Ascending. */
  owed: Owed[];
  /** What it owes up to here has reached it, or isn't to be waited for with a watch. */
  reached: number;
  /** Until then it is granted nothing. G3 */
  restsUntilMs: number;
}

export class LeaseGrantor {
  readonly #restPerWait: number;
  readonly #holders = new Map<string, Holder>();
  #tickedMs: number | null = null;
  #awakeMs = 0;

  /** `restPerWait`: for how many times what was waited for it a late holder rests; 0: it doesn't. */
  constructor(restPerWait: number = REST_PER_WAIT) {
    this.#restPerWait = restPerWait;
  }

  #holder(name: string): Holder {
    let holder = this.#holders.get(name);
    if (!holder) {
      holder = {
        leasedUntilMs: Number.NEGATIVE_INFINITY,
        held: 0,
        owed: [],
        reached: 0,
        restsUntilMs: Number.NEGATIVE_INFINITY,
      };
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
    if (nowMs < holder.restsUntilMs) return null; // G3
    const renews = nowMs < holder.leasedUntilMs;
    const oldest = renews ? holder.owed[0] : undefined;
    const leftMs = oldest ? oldest.sinceMs + LEASE_MS - nowMs : LEASE_MS; // G2
    const ms = Math.min(LEASE_MS, atMostMs, leftMs);
    if (ms <= 0) return null;
    if (!renews) {
      // It answers nothing before this lease counts, and by then it holds all of that.
      holder.held = Math.max(holder.held, sent);
      holder.owed = [];
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

  /** From now on everything up to `through` waits until it holds that, or has no lease. */
  owes(name: string, through: number, nowMs: number): void {
    const holder = this.#holder(name);
    if (nowMs >= holder.leasedUntilMs) return;
    this.tick(nowMs); // the last one may be long ago, when nobody waited
    const newest = holder.owed.at(-1)?.through ?? holder.held;
    if (through > newest)
      holder.owed.push({ through, sinceMs: nowMs, sinceAwakeMs: this.#awakeMs });
  }

  /** Every few tens of milliseconds. */
  tick(nowMs: number): void {
    const passedMs = nowMs - (this.#tickedMs ?? nowMs);
    this.#tickedMs = nowMs;
    this.#awakeMs += Math.min(passedMs, WAITED_PER_TICK_MS_MAX);
  }

  /**
   * Everything that it owes up to `through` has reached it. Returns for how long it rests if that
   * was late, milliseconds; null if it wasn't. G3
   */
  reached(name: string, through: number, nowMs: number): number | null {
    const holder = this.#holder(name);
    const oldest = holder.owed.find((owed) => owed.through > holder.reached);
    holder.reached = Math.max(holder.reached, through);
    if (!oldest || oldest.through > through) return null;
    const waitedMs = Math.min(this.#awakeMs - oldest.sinceAwakeMs, LEASE_MS + LEASE_MARGIN_MS);
    if (waitedMs < LATE_MS || this.#restPerWait === 0) return null;
    const restMs = this.#restPerWait * waitedMs;
    holder.restsUntilMs = nowMs + restMs;
    return restMs;
  }

  /** Its connection is gone, and with it what was sent: that this comes late now says nothing of it. */
  excuse(name: string): void {
    const holder = this.#holders.get(name);
    if (holder) holder.reached = Math.max(holder.reached, this.owesThrough(name));
  }

  /** It holds everything up to `through`. */
  held(name: string, through: number): void {
    const holder = this.#holder(name);
    if (through <= holder.held) return;
    holder.held = through;
    holder.owed = holder.owed.filter((batch) => batch.through > through);
  }

  heldBy(name: string): number {
    return this.#holders.get(name)?.held ?? 0;
  }

  /** Since when it owes something; null if it owes nothing. */
  owesSinceMs(name: string): number | null {
    return this.#holders.get(name)?.owed[0]?.sinceMs ?? null;
  }

  /** Up to where it owes what it should have held while it was leased; 0 if it owes nothing. */
  owesThrough(name: string): number {
    return this.#holders.get(name)?.owed.at(-1)?.through ?? 0;
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
      const isOver = nowMs >= Math.max(holder.leasedUntilMs, holder.restsUntilMs);
      if (isOver && !isKnown(name)) this.#holders.delete(name);
    }
  }
}
