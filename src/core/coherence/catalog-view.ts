// A catalog between the leader and the front ends: what it has, what it may
// show, and whom it waits for.
//
//   K1. It answers only under a lease of the leader, checked when it reads.
//   K2. A question about a stock waits until every batch that changed it, and
//       was held when the question came, is applied: what is held may already
//       be exposed elsewhere, what is applied surely is.
//   K3. It tells the leader "held" only when every front end that may be
//       answering from a copy has dropped these stocks, or its lease has ended:
//       connected or not. One that connects again is told at once what it owes.
//   K4. It grants front ends no longer than its own lease runs.
//   K5. It tells a next leader which one heard it before, if that was lately. One
//       that has just started says nothing, and isn't heard while front ends may
//       hold leases that it has forgotten: see hearing.ts.
//   K6. A front end that let a lease end owing an answer gets no other before it
//       answers: a deaf one that goes on asking would hold up trade after trade.
//   K7. Who isn't connected, and so can't be told what changes, gets no lease.
//
// Pure: time comes in with every call, what is to be done goes out as effects,
// in order. The stocks themselves are the caller's, who applies what it is told.

import { LeaseGrantor } from "./lease-grantor.ts";
import { type Grant, LeaseHolder } from "./lease-holder.ts";
import { HEARD_MS, HELD_BATCHES_MAX, HOLD_AGAIN_MS } from "./limits.ts";

/** Committed entries in one piece, and the stocks they change. */
export interface Batch {
  /** The position before its first entry. */
  readonly after: number;
  readonly through: number;
  readonly names: readonly string[];
}

export type CatalogEffect =
  /** Have this front end drop its copies of `names` and raise their floors. */
  | {
      readonly kind: "hold";
      readonly frontend: string;
      readonly after: number;
      readonly through: number;
      readonly names: readonly string[];
    }
  /** Tell the leader of this epoch. */
  | { readonly kind: "held"; readonly epoch: number; readonly through: number }
  /** Apply the entries up to here to the stocks. */
  | { readonly kind: "apply"; readonly through: number }
  /** These questions may be read and answered now; or, without a lease, must be asked elsewhere. */
  | { readonly kind: "release"; readonly tokens: readonly number[]; readonly leased: boolean };

interface WaitingQuestion {
  readonly token: number;
  /** The stocks must be applied up to here. */
  readonly until: number;
}

/** Whether a question can be answered. */
export type Readable =
  | { readonly kind: "now" }
  /** A `release` effect will name the token. */
  | { readonly kind: "later"; readonly token: number }
  /** Without a lease: ask the leader. */
  | { readonly kind: "elsewhere" };

/** Front ends are known as the caller likes, each process by another text: see connection/names.ts. */
export class CatalogView {
  readonly #lease: LeaseHolder;
  readonly #frontends: LeaseGrantor;
  readonly #connected = new Set<string>();
  readonly #lastSentMs = new Map<string, number>();
  #leader: string | null = null;
  #epoch = 0;
  /** The newest leader that heard it, and when it had asked that. */
  #heard = { epoch: 0, askedMs: Number.NEGATIVE_INFINITY };
  #heardBefore = 0;
  #applied: number;
  /** Ascending; what is received and not yet both applied and held by all front ends. */
  #batches: Batch[] = [];
  #received: number;
  #toldHeld = 0;
  #waiting: WaitingQuestion[] = [];
  #nextToken = 1;

  /** `applied` is what the stocks are at, from the catalog's own file; `firstAsk` as in LeaseHolder. */
  constructor(options: {
    readonly applied: number;
    readonly firstAsk?: number;
    /** As in LeaseGrantor. */
    readonly restPerWait?: number;
  }) {
    this.#frontends = new LeaseGrantor(options.restPerWait);
    const { firstAsk = 1 } = options;
    this.#lease = new LeaseHolder({ beginsEmpty: false, firstAsk });
    this.#applied = options.applied;
    this.#received = options.applied;
  }

  get applied(): number {
    return this.#applied;
  }

  get received(): number {
    return this.#received;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get leader(): string | null {
    return this.#leader;
  }

  /** As in Follow. K5 */
  get heardBefore(): number {
    return this.#heardBefore;
  }

  isLeased(nowMs: number): boolean {
    return this.#lease.isValid(nowMs);
  }

  /** The front ends that may be answering from copies now. */
  leasedFrontends(nowMs: number): string[] {
    return this.#frontends.leased(nowMs);
  }

  // ---- towards the leader

  /** Follows `leader` of `epoch`; false if it knows of a later one. */
  follow(leader: string, epoch: number, nowMs: number): boolean {
    if (epoch < this.#epoch) return false;
    if (epoch > this.#epoch) {
      this.#heardBefore = nowMs - this.#heard.askedMs < HEARD_MS ? this.#heard.epoch : 0; // K5
      this.#epoch = epoch;
      this.#toldHeld = 0;
    }
    this.#leader = leader;
    return true;
  }

  /** The leader of `epoch` heard what it was asked at `askedMs`. */
  heard(epoch: number, askedMs: number): void {
    if (epoch === this.#epoch) this.#heard = { epoch, askedMs };
  }

  /** About to ask the leader for a lease. */
  askLease(nowMs: number): number {
    return this.#lease.ask(`${this.#leader}@${this.#epoch}`, nowMs);
  }

  granted(grant: Grant, nowMs: number): void {
    if (grant.epoch !== this.#epoch) return;
    this.#lease.granted(grant, this.#progress, nowMs);
  }

  get #progress() {
    return { applied: this.#applied, held: this.#received };
  }

  /**
   * Committed entries of the leader of `epoch`, in one piece. What begins before the end of what
   * was received, as each piece that comes again, counts for what is new in it; after a gap
   * nothing is taken.
   */
  hold(epoch: number, batch: Batch, nowMs: number): readonly CatalogEffect[] {
    if (epoch !== this.#epoch) return [];
    const { after, through, names } = batch;
    const isNext = after <= this.#received && through > this.#received;
    const isTaken = isNext && this.#batches.length < HELD_BATCHES_MAX;
    const effects: CatalogEffect[] = [];
    if (isTaken) {
      this.#batches.push(batch);
      this.#received = through;
      // Without a lease a front end has no copies, and begins with all of this when it gets one.
      for (const frontend of this.#frontends.leased(nowMs)) {
        this.#frontends.owes(frontend, through, nowMs); // K3
        if (!this.#connected.has(frontend)) continue;
        effects.push({ kind: "hold", frontend, after, through, names });
        this.#lastSentMs.set(frontend, nowMs);
      }
      this.#lease.progressed(this.#progress, nowMs);
    }
    // What is new is told of once the front ends hold it, in one message; what came
    // again, at once: the leader didn't hear the last answer.
    this.#tellHeld(effects, nowMs, !isTaken);
    return effects;
  }

  /** The leader of `epoch` exposes everything up to `position`. */
  exposed(epoch: number, position: number, nowMs: number): readonly CatalogEffect[] {
    if (epoch !== this.#epoch) return [];
    const through = Math.min(position, this.#received);
    if (through <= this.#applied) return [];
    this.#applied = through;
    const effects: CatalogEffect[] = [{ kind: "apply", through }];
    this.#lease.progressed(this.#progress, nowMs);
    const ready = this.#waiting.filter((waiting) => waiting.until <= through);
    if (ready.length > 0) {
      this.#waiting = this.#waiting.filter((waiting) => waiting.until > through);
      const tokens = ready.map((waiting) => waiting.token);
      effects.push({ kind: "release", tokens, leased: this.#lease.isValid(nowMs) });
    }
    this.#forgetBatches(nowMs);
    return effects;
  }

  /** What this catalog and all its front ends hold: with each question for a lease the leader hears it again. */
  heldThrough(nowMs: number): number {
    return Math.min(this.#received, this.#frontends.heldByAll(nowMs)); // K3
  }

  #tellHeld(effects: CatalogEffect[], nowMs: number, again: boolean): void {
    const through = this.heldThrough(nowMs);
    if (through <= this.#toldHeld && !(again && through > 0)) return;
    this.#toldHeld = Math.max(this.#toldHeld, through);
    effects.push({ kind: "held", epoch: this.#epoch, through });
  }

  // ---- towards the front ends

  /** A connection to it is open, the first or another: what was sent on an earlier one may be lost. */
  connected(frontend: string, nowMs: number): readonly CatalogEffect[] {
    this.#connected.add(frontend);
    this.#frontends.excuse(frontend);
    const owes = this.#frontends.owesSinceMs(frontend) !== null;
    return owes ? [this.#holdAgain(frontend, nowMs)] : []; // K3
  }

  disconnected(frontend: string): void {
    this.#connected.delete(frontend);
    this.#lastSentMs.delete(frontend);
    this.#frontends.excuse(frontend);
  }

  /** A front end holds everything sent to it up to `through`. */
  frontendHeld(frontend: string, through: number, nowMs: number): readonly CatalogEffect[] {
    const held = Math.min(through, this.#received);
    this.#frontends.reached(frontend, held, nowMs);
    this.#frontends.held(frontend, held);
    const effects: CatalogEffect[] = [];
    this.#tellHeld(effects, nowMs, false);
    this.#forgetBatches(nowMs);
    return effects;
  }

  /** A front end asks for a lease, saying what it holds; null: not now. */
  grant(frontend: string, ask: number, nowMs: number): Grant | null {
    if (!this.#connected.has(frontend)) return null; // K7
    const owes = this.#frontends.owesSinceMs(frontend) !== null;
    if (owes && !this.#frontends.isLeased(frontend, nowMs)) return null; // K6
    const atMostMs = this.#lease.remainingMs(nowMs);
    const ms = this.#frontends.grant(frontend, atMostMs, this.#received, nowMs); // K4
    if (ms === null) return null;
    return { epoch: this.#epoch, ask, ms, exposed: this.#applied, sent: this.#received };
  }

  // ---- questions

  /** Whether a question about `names` (null: about all stocks) can be answered. */
  ask(names: readonly string[] | null, nowMs: number): Readable {
    if (!this.#lease.isValid(nowMs)) return { kind: "elsewhere" }; // K1
    const until = this.#mustApply(names);
    if (until <= this.#applied) return { kind: "now" };
    const token = this.#nextToken;
    this.#nextToken += 1;
    this.#waiting.push({ token, until });
    return { kind: "later", token };
  }

  /** K2: up to where the stocks must be applied before `names` can be read. */
  #mustApply(names: readonly string[] | null): number {
    const asked = names === null ? null : new Set(names);
    const newest = this.#batches.findLast(
      (batch) =>
        batch.through > this.#applied &&
        batch.names.some((name) => asked === null || asked.has(name)),
    );
    return newest ? newest.through : 0;
  }

  /** Whether something waits for a front end, a lease's end, or for being exposed: only then is a tick urgent. */
  get isWaiting(): boolean {
    return this.#batches.length > 0 || this.#waiting.length > 0;
  }

  /** Every few tens of milliseconds: ended leases release what waited for them. */
  tick(nowMs: number): readonly CatalogEffect[] {
    const effects: CatalogEffect[] = [];
    this.#frontends.tick(nowMs);
    for (const frontend of this.#connected) {
      const owes = this.#frontends.owesSinceMs(frontend);
      const sentMs = this.#lastSentMs.get(frontend) ?? Number.NEGATIVE_INFINITY;
      if (owes === null || nowMs - sentMs < HOLD_AGAIN_MS) continue;
      effects.push(this.#holdAgain(frontend, nowMs));
    }
    this.#tellHeld(effects, nowMs, false);
    if (!this.#lease.isValid(nowMs) && this.#waiting.length > 0) {
      effects.push({
        kind: "release",
        tokens: this.#waiting.map(({ token }) => token),
        leased: false,
      });
      this.#waiting = [];
    }
    this.#forgetBatches(nowMs);
    this.#frontends.forgetEnded(nowMs, (frontend) => this.#connected.has(frontend));
    return effects;
  }

  /** What it misses; once its lease has ended, and it begins anew with the next, only whether it hears. */
  #holdAgain(frontend: string, nowMs: number): CatalogEffect {
    const through = this.#received;
    this.#lastSentMs.set(frontend, nowMs);
    if (!this.#frontends.isLeased(frontend, nowMs))
      return { kind: "hold", frontend, after: through, through, names: [] };
    const after = this.#frontends.heldBy(frontend);
    const missing = this.#batches.filter((batch) => batch.through > after);
    const names = [...new Set(missing.flatMap((batch) => batch.names))];
    return { kind: "hold", frontend, after, through, names };
  }

  #forgetBatches(nowMs: number): void {
    const needed = Math.min(this.#applied, this.#frontends.heldByAll(nowMs));
    const keep = this.#batches.findIndex((batch) => batch.through > needed);
    this.#batches = keep === -1 ? [] : keep > 0 ? this.#batches.slice(keep) : this.#batches;
  }
}
