// The leader and its catalogs: what each is sent, and up to where clients may see.
//
//   R1. exposed <= commit, and exposed never goes back.
//   W1. A batch is exposed once every catalog that may be answering holds it.
//   W2. Leases are granted only once the reign is exposed, and end within a lease
//       of the start of the newest round that a quorum acknowledged: when a next
//       leader begins, a quorum has promised it, and acknowledges this one no
//       more.
//   W3. A new leader counts every configured catalog as leased for a lease and a
//       margin from its win: its predecessor may have granted that much.
//   W4. A catalog that has a history to read gets no lease before all of it is on
//       its way: whatever is committed meanwhile would wait for its reading. Nor
//       does one that let a lease end owing an answer, before it has received
//       that: a deaf one that goes on asking would hold up trade after trade.
//
// One object for each reign. Pure: time comes in with every call; what is to be
// sent goes out as effects. A catalog that left its window full gets no more
// until it answers, and what isn't answered is sent again from where it stands.

import { invariant } from "../invariant.ts";
import type { CommittedEntry } from "../replication/types.ts";
import { LeaseGrantor } from "./lease-grantor.ts";
import type { Grant } from "./lease-holder.ts";
import {
  CATCH_UP_WINDOW_MESSAGES_MAX,
  HOLD_AGAIN_MS,
  HOLD_WINDOW_MESSAGES_MAX,
  LEASE_MARGIN_MS,
  LEASE_MS,
} from "./limits.ts";

/** What a catalog says to every replica when it follows, every LEASE_ASK_MS. */
export interface Follow {
  /** Everything up to here has arrived. */
  readonly received: number;
  /** Everything up to here is held, by it and all its front ends: an answer that said so may be lost. */
  readonly held: number;
  /** The newest epoch that it knows; the question counts only for that one's leader. */
  readonly epoch: number;
  /** The number of its question for a lease; null: it wants none. */
  readonly ask: number | null;
  /** The epoch of the leader that heard it until it learned of `epoch`; 0: none, or not lately. E2 in hearing.ts */
  readonly heardBefore: number;
}

/** What a replica answers. */
export interface Following {
  /** It leads; and hears this catalog, if that asked in this epoch. */
  readonly leads: boolean;
  readonly epoch: number;
  /** Null: not now, or it doesn't lead. */
  readonly grant: Grant | null;
}

/** From the leader: the entries that follow `after`, to be held, and up to where all are exposed. */
export interface Feed {
  readonly leader: number;
  readonly epoch: number;
  readonly exposed: number;
  readonly after: number;
  readonly entries: readonly CommittedEntry[];
}

/** What a catalog answers: what has arrived, and what it and its front ends hold. */
export interface Held {
  readonly epoch: number;
  readonly received: number;
  readonly held: number;
}

export type LeaderEffect =
  /** Send this catalog some entries after `after`, with the exposed position; then report `sent`. */
  | { readonly kind: "send"; readonly catalog: string; readonly after: number }
  /** Tell this catalog the exposed position. */
  | { readonly kind: "expose"; readonly catalog: string }
  /** Clients may see everything up to here. */
  | { readonly kind: "exposed"; readonly position: number }
  /** What was sent to this catalog reached it late: for so long it gets no lease. */
  | { readonly kind: "late"; readonly catalog: string; readonly restMs: number };

interface Progress {
  /** Everything up to here was sent. */
  sent: number;
  /** Everything up to here has arrived. */
  received: number;
  /** Ascending: the positions that messages without an answer reach. */
  unanswered: number[];
  /** The newest message didn't reach the commit position: there is a history to read. */
  isCatchingUp: boolean;
  /** When something was sent, or answered, last. */
  progressMs: number;
  toldExposed: number;
}

export class LeaderViews {
  readonly #epoch: number;
  readonly #reignPosition: number;
  readonly #grantor: LeaseGrantor;
  readonly #following = new Map<string, Progress>();
  #commit = 0;
  #exposed = 0;

  /** `reignPosition` is committed and delivered; the reign was won at `wonMs`, or a little before. */
  constructor(options: {
    readonly epoch: number;
    readonly reignPosition: number;
    readonly catalogs: readonly string[];
    readonly wonMs: number;
    /** As in LeaseGrantor. */
    readonly restPerWait?: number;
  }) {
    this.#grantor = new LeaseGrantor(options.restPerWait);
    this.#epoch = options.epoch;
    this.#reignPosition = options.reignPosition;
    for (const catalog of options.catalogs) {
      this.#grantor.presume(catalog, options.wonMs + LEASE_MS + LEASE_MARGIN_MS); // W3
    }
  }

  /** Up to here clients may see. */
  get exposed(): number {
    return this.#exposed;
  }

  get commit(): number {
    return this.#commit;
  }

  committed(position: number, nowMs: number): readonly LeaderEffect[] {
    invariant(position >= this.#commit, "the commit position never goes back", {
      commit: this.#commit,
      position,
    });
    this.#commit = position;
    // Also what a full window keeps from being sent: trades wait for it all the same.
    for (const catalog of this.#grantor.leased(nowMs)) this.#grantor.owes(catalog, position, nowMs);
    const effects: LeaderEffect[] = [];
    for (const [catalog, following] of this.#following) {
      // Nobody waits for the others: the next beat is soon enough, and takes more along.
      if (this.#grantor.isLeased(catalog, nowMs)) this.#pump(catalog, following, effects);
    }
    this.#expose(effects, nowMs);
    return effects;
  }

  /** A catalog wants a lease: it is sent what it lacks. */
  wants(catalog: string): readonly LeaderEffect[] {
    const effects: LeaderEffect[] = [];
    const following = this.#following.get(catalog);
    if (following) this.#pump(catalog, following, effects);
    return effects;
  }

  /**
   * A catalog says what it has received. The first time, or when that is less
   * than it had (it restarted), it is sent everything from there on.
   */
  follows(catalog: string, received: number, nowMs: number): readonly LeaderEffect[] {
    const known = this.#following.get(catalog);
    if (known && received >= known.received) return [];
    const following = {
      sent: received,
      received,
      unanswered: [],
      isCatchingUp: false,
      progressMs: nowMs,
      toldExposed: 0,
    };
    this.#following.set(catalog, following);
    this.#grantor.excuse(catalog);
    const effects: LeaderEffect[] = [];
    this.#pump(catalog, following, effects);
    this.#tell(effects);
    return effects;
  }

  /** Its connection is gone. Its lease, if it has one, runs on. */
  left(catalog: string): void {
    this.#following.delete(catalog);
    this.#grantor.excuse(catalog);
  }

  /** The `send` effect was carried out, with entries up to `through`. */
  sent(catalog: string, through: number, nowMs: number): readonly LeaderEffect[] {
    const following = this.#following.get(catalog);
    if (!following) return [];
    if (following.unanswered.length === 0) following.progressMs = nowMs;
    following.sent = through;
    following.unanswered.push(through);
    following.isCatchingUp = through < this.#commit;
    following.toldExposed = this.#exposed;
    const effects: LeaderEffect[] = [];
    this.#pump(catalog, following, effects);
    return effects;
  }

  /** A catalog of this reign has received everything up to `received`, and its front ends hold up to `held`. */
  held(catalog: string, received: number, held: number, nowMs: number): readonly LeaderEffect[] {
    const effects: LeaderEffect[] = [];
    // That its front ends are late is for itself to say: it is told of them by its own grantor.
    const restMs = this.#grantor.reached(catalog, received, nowMs);
    if (restMs !== null) effects.push({ kind: "late", catalog, restMs });
    this.#grantor.held(catalog, held);
    const following = this.#following.get(catalog);
    if (following && received > following.received) {
      following.received = received;
      following.progressMs = nowMs;
      following.unanswered = following.unanswered.filter((through) => through > received);
      following.sent = Math.max(following.sent, received);
      if (following.isCatchingUp || this.#grantor.isLeased(catalog, nowMs)) {
        this.#pump(catalog, following, effects);
      }
    }
    this.#expose(effects, nowMs);
    return effects;
  }

  /** A catalog asks for a lease; `confirmedMs` is when the newest confirmed round began. Null: not now. */
  grant(catalog: string, ask: number, confirmedMs: number, nowMs: number): Grant | null {
    const following = this.#following.get(catalog);
    if (!following || this.#exposed < this.#reignPosition) return null; // W2
    // Nor below what it is counted to hold: an earlier grant may have said more, and what was
    // sent is begun again from where the catalog stands.
    const { sent } = following;
    if (sent < Math.max(this.#exposed, this.#grantor.heldBy(catalog))) return null; // W4
    const isLeased = this.#grantor.isLeased(catalog, nowMs);
    if (!isLeased && following.received < this.#grantor.owesThrough(catalog)) return null; // W4
    const ms = this.#grantor.grant(catalog, confirmedMs + LEASE_MS - nowMs, sent, nowMs); // W2
    if (ms === null) return null;
    this.#grantor.owes(catalog, this.#commit, nowMs);
    return { epoch: this.#epoch, ask, ms, exposed: this.#exposed, sent };
  }

  /** Every few tens of milliseconds: leases end, and what was lost is sent again. */
  tick(nowMs: number): readonly LeaderEffect[] {
    const effects: LeaderEffect[] = [];
    this.#grantor.tick(nowMs);
    for (const [catalog, following] of this.#following) {
      const isLost =
        following.unanswered.length > 0 && nowMs - following.progressMs >= HOLD_AGAIN_MS;
      if (isLost) {
        following.unanswered = [];
        following.sent = following.received;
        following.progressMs = nowMs;
      }
      this.#pump(catalog, following, effects);
    }
    for (const following of this.#following.values()) following.toldExposed = 0; // told again: the last may be lost
    this.#expose(effects, nowMs);
    this.#tell(effects);
    return effects;
  }

  /** Whether a commit now would wait for this catalog. */
  waitsFor(catalog: string, nowMs: number): boolean {
    return this.#grantor.isLeased(catalog, nowMs);
  }

  #pump(catalog: string, following: Progress, effects: LeaderEffect[]): void {
    if (following.sent >= this.#commit) return;
    const { isCatchingUp, unanswered } = following;
    const window = isCatchingUp ? CATCH_UP_WINDOW_MESSAGES_MAX : HOLD_WINDOW_MESSAGES_MAX;
    if (unanswered.length >= window) return;
    effects.push({ kind: "send", catalog, after: following.sent });
  }

  #expose(effects: LeaderEffect[], nowMs: number): void {
    const position = Math.min(this.#commit, this.#grantor.heldByAll(nowMs)); // W1
    if (position <= this.#exposed) return;
    this.#exposed = position;
    invariant(this.#exposed <= this.#commit, "R1: exposed <= commit", {
      exposed: this.#exposed,
      commit: this.#commit,
    });
    effects.push({ kind: "exposed", position });
    this.#tell(effects, (catalog) => this.#grantor.isLeased(catalog, nowMs));
  }

  /** Those without a lease show nothing, and hear of it at the next beat. */
  #tell(effects: LeaderEffect[], isUrgent: (catalog: string) => boolean = () => true): void {
    for (const [catalog, following] of this.#following) {
      if (following.toldExposed >= this.#exposed || !isUrgent(catalog)) continue;
      following.toldExposed = this.#exposed;
      effects.push({ kind: "expose", catalog });
    }
  }
}
