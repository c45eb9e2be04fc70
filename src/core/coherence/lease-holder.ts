// One view's side of its lease: when may it answer from what it has?
//
//   V1. A lease runs from before it was asked for, by the holder's clock, so it
//       ends no later than its grantor counts.
//   V2. A grant counts only once the view has applied what was exposed when it
//       was given, and holds everything sent by then.
//   V3. A grant that doesn't continue an unexpired lease of the same grantor and
//       epoch begins a new session: what was missed in between is unknown, so
//       all copies from before are void.
//
// Leases are compared with the clock when something is about to be answered;
// no timer ends them, since a timer of a paused process is late (Gray and
// Cheriton, SOSP 1989).

import { LEASE_ASKS_MAX } from "./limits.ts";

/** What a grantor gives. */
export interface Grant {
  /** The leader's epoch that it stands for. */
  readonly epoch: number;
  /** The question that it answers. */
  readonly ask: number;
  /** How long, from when it was asked for. */
  readonly ms: number;
  /** The exposed position when it was given. */
  readonly exposed: number;
  /** The newest position sent to be held when it was given; at least `exposed`. */
  readonly sent: number;
}

/** How far the view itself is. */
export interface ViewProgress {
  readonly applied: number;
  readonly held: number;
}

/** `G` stands for a grantor. */
interface CountingLease<G> {
  readonly grantor: G;
  readonly epoch: number;
  /** How long it was given for. */
  readonly ms: number;
  readonly untilMs: number;
}

interface Offer<G> extends CountingLease<G> {
  readonly exposed: number;
  readonly sent: number;
}

export class LeaseHolder<G = string> {
  /** Whether beginning a session leaves the view without any copy, so that it holds everything by that. */
  readonly #beginsEmpty: boolean;
  readonly #asks = new Map<number, { readonly grantor: G; readonly atMs: number }>();
  #nextAsk: number;
  #lease: CountingLease<G> | null = null;
  /** The newest grant that doesn't count yet (V2). */
  #offer: Offer<G> | null = null;

  /**
   * `firstAsk`, 1 unless told, numbers the first question. Where an answer can outlive the process
   * that asked, each life of it needs numbers of its own: a late one would be counted from a new ask.
   */
  constructor(options: { readonly beginsEmpty: boolean; readonly firstAsk?: number }) {
    this.#beginsEmpty = options.beginsEmpty;
    this.#nextAsk = options.firstAsk ?? 1;
  }

  /** Whose lease runs, and for how long it was given; null if none does. */
  lease(nowMs: number): { readonly grantor: G; readonly ms: number } | null {
    return this.isValid(nowMs) ? this.#lease : null;
  }

  isValid(nowMs: number): boolean {
    return this.#lease !== null && nowMs < this.#lease.untilMs;
  }

  /** Milliseconds that the lease still runs; 0 if none does. */
  remainingMs(nowMs: number): number {
    return this.#lease ? Math.max(0, this.#lease.untilMs - nowMs) : 0;
  }

  /** About to ask `grantor`; the number goes with the question. */
  ask(grantor: G, nowMs: number): number {
    const ask = this.#nextAsk;
    this.#nextAsk += 1;
    this.#asks.set(ask, { grantor, atMs: nowMs }); // V1
    if (this.#asks.size > LEASE_ASKS_MAX) this.#asks.delete(ask - LEASE_ASKS_MAX);
    return ask;
  }

  /** A grant came in. Returns true if a new session began: the caller drops every copy. */
  granted(grant: Grant, view: ViewProgress, nowMs: number): boolean {
    const asked = this.#asks.get(grant.ask);
    if (!asked) return false;
    this.#asks.delete(grant.ask);
    const untilMs = asked.atMs + grant.ms;
    if (this.#lease && grant.epoch < this.#lease.epoch) return false;
    if (this.#offer && this.#offer.grantor === asked.grantor && this.#offer.untilMs > untilMs)
      return false;
    const { epoch, ms, exposed, sent } = grant;
    this.#offer = { grantor: asked.grantor, epoch, ms, untilMs, exposed, sent };
    return this.progressed(view, nowMs);
  }

  /** The view got on: a waiting grant may count now. Returns true if a new session began. */
  progressed(view: ViewProgress, nowMs: number): boolean {
    const offer = this.#offer;
    if (!offer || nowMs >= offer.untilMs) return false;
    const lease = this.#lease;
    const continues =
      lease !== null &&
      nowMs < lease.untilMs &&
      lease.grantor === offer.grantor &&
      lease.epoch === offer.epoch;
    const level = view.applied >= offer.exposed && view.held >= offer.sent;
    if (!level && (continues || !this.#beginsEmpty)) return false; // V2
    this.#offer = null;
    if (continues) {
      this.#lease = { ...offer, untilMs: Math.max(lease.untilMs, offer.untilMs) };
      return false;
    }
    this.#lease = offer;
    return true; // V3
  }

  /**
   * This grantor is gone, and what it sent may be missed: its lease is over, and none that was
   * asked of it counts. Returns true if there was a lease of its, run out or not.
   */
  lost(grantor: G): boolean {
    for (const [ask, asked] of this.#asks) {
      if (asked.grantor === grantor) this.#asks.delete(ask);
    }
    if (this.#offer?.grantor === grantor) this.#offer = null;
    if (this.#lease?.grantor !== grantor) return false;
    this.#lease = null;
    return true; // V3
  }
}
