// What an order replica answers, leading or following.
//
// It hands on what the log commits, and answers: with a reign of its own
// (leader-desk.ts) while this replica leads, else by passing the question on to
// the leader, else by saying who to ask. Catalogs follow every replica all the
// time, so that a new leader knows at once whom to wait for. Front ends are told
// how it stands with every beat, at each change, and as soon as they connect.
//
//   H1. One hop: what was relayed isn't relayed again, so that replicas with
//       different ideas of who leads can't send a question in circles.
//   H2. What was lost on the way to the leader has an unknown fate. Only a call
//       that was never sent counts as not begun.
//   H3. A next leader presumes leases of the configured catalogs only: nobody
//       else may have one.

import type { Feed, Follow, Following, Held } from "../coherence/leader-views.ts";
import { invariant } from "../invariant.ts";
import type { MarketState } from "../market/state.ts";
import type { LeadResult } from "../replication/events.ts";
import type { LogListener, ReplicatedLog } from "../replication/log.ts";
import type { CommittedEntry } from "../replication/types.ts";
import type { ReplicaHealth } from "../selection/types.ts";
import {
  type DeskLimits,
  type DeskPeer,
  type DeskTables,
  LeaderDesk,
  type LeaderObserver,
} from "./leader-desk.ts";
import { BEAT_MS, REPLICA_TICK_MS } from "./limits.ts";
import type { CallFailure, CallResult } from "./questions.ts";
import type { AskResult, Question } from "./types.ts";
import type { Settle } from "./waiting-answers.ts";

/** Told what a replica does, for logs, metrics and checks. Nothing depends on it. */
export interface DeskObserver extends LeaderObserver {
  /** A call came. */
  asked?(questions: readonly Question[]): void;
  leading?(epoch: number, position: number): void;
  /** It leads no more; `leader` and `epoch` are what it knows of the next. */
  deposed?(epoch: number, leader: number | null): void;
}

export interface ReplicaDeskOptions<P extends DeskPeer> {
  readonly replica: number;
  /** Names of all configured catalogs. */
  readonly catalogs: readonly string[];
  readonly log: ReplicatedLog;
  readonly tables: DeskTables;
  /** The market at the journal's end, as long as that isn't cut short. */
  readonly market: () => MarketState;
  /** Keeps a committed entry for the tables. */
  readonly deliver: (entry: CommittedEntry) => void;
  readonly limits: DeskLimits;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  /** As in LeaderDeskOptions. */
  readonly atTurnsEnd: (run: () => void) => void;
  /** The open connection to another replica; null while there is none. */
  readonly peerOf: (replica: number) => P | null;
  /** Asks another replica, and calls back once with what became of it. */
  readonly relay: (
    to: P,
    questions: readonly Question[],
    settled: (result: CallResult) => void,
  ) => void;
  /** Sends entries to a catalog, or up to where they are exposed. */
  readonly feed: (catalog: P, feed: Feed) => void;
  /** Tells a front end how this replica stands. */
  readonly beat: (frontend: P, health: ReplicaHealth) => void;
  readonly observer: DeskObserver;
}

/** A tick this soon after a beat is an early one, or one for catalogs. */
const BEAT_MIN_MS = (BEAT_MS * 3) / 4;
const STOPPED: LeadResult = { kind: "lost", reason: "stopped" };
const NOT_SENT: CallFailure = "busy";

/** `P` is whatever stands for one open connection. */
export class ReplicaDesk<P extends DeskPeer> implements LogListener {
  readonly #options: ReplicaDeskOptions<P>;
  readonly #frontends = new Set<P>();
  /** Catalogs, and what each had received when it said so last. */
  readonly #followers = new Map<P, number>();
  /** Who waits for an attempt to lead. */
  #nominations: ((result: LeadResult) => void)[] = [];
  /** Null while it doesn't lead. */
  #leading: LeaderDesk<P> | null = null;
  #deliveredPosition: number;
  #beatAtMs = Number.NEGATIVE_INFINITY;
  #over = false;

  constructor(options: ReplicaDeskOptions<P>) {
    this.#options = options;
    this.#deliveredPosition = options.tables.appliedPosition;
  }

  /** Everything up to here is committed and was delivered. */
  get deliveredPosition(): number {
    return this.#deliveredPosition;
  }

  /** Up to where clients may see; undefined while it doesn't lead. */
  get exposed(): number | undefined {
    return this.#leading?.exposed;
  }

  health(): ReplicaHealth {
    const { replica, log } = this.#options;
    const { leads, leader, epoch, lastPosition, commitPosition } = log.status();
    return {
      replica,
      leads: this.#leading !== null,
      leader: leader === replica && !leads ? null : leader,
      epoch,
      lastPosition,
      commitPosition,
    };
  }

  // From the log.

  committed(entries: readonly CommittedEntry[]): void {
    const { deliver } = this.#options;
    for (const entry of entries) {
      const { position } = entry;
      invariant(position === this.#deliveredPosition + 1, "entries come one after another", {
        delivered: this.#deliveredPosition,
        position,
      });
      deliver(entry);
      this.#deliveredPosition = position;
    }
    this.#leading?.committed(entries);
  }

  leading(epoch: number): void {
    invariant(this.#leading === null, "one reign at a time", { epoch });
    const position = this.#deliveredPosition;
    const { market, observer } = this.#options;
    this.#leading = new LeaderDesk(
      { ...this.#options, epoch, market: market(), position },
      this.#followers,
    );
    observer.leading?.(epoch, position);
    this.changed();
  }

  deposed(): void {
    const { log, observer } = this.#options;
    this.#leading?.close();
    this.#leading = null;
    const { epoch, leader } = log.status();
    observer.deposed?.(epoch, leader);
    this.changed();
  }

  leadEnded(result: LeadResult): void {
    const waiting = this.#nominations;
    this.#nominations = [];
    for (const settled of waiting) settled(result);
  }

  /** Tells every front end how this replica stands. */
  changed(): void {
    this.#beatAtMs = this.#options.nowMs();
    if (this.#frontends.size === 0) return;
    const health = this.health();
    for (const frontend of this.#frontends) this.#options.beat(frontend, health);
  }

  // From outside.

  /** A connection opened. */
  opened(peer: P): void {
    if (peer.identity.role !== "frontend") return;
    this.#frontends.add(peer);
    this.#options.beat(peer, this.health());
  }

  /** A connection closed. */
  closed(peer: P): void {
    this.#frontends.delete(peer);
    if (this.#followers.delete(peer)) this.#leading?.left(peer);
  }

  /** How often tick() is to be called now, milliseconds. */
  get tickMs(): number {
    return this.#leading?.isWaiting ? REPLICA_TICK_MS : BEAT_MS;
  }

  /** Every tickMs. */
  tick(): void {
    this.#leading?.tick();
    if (this.#options.nowMs() - this.#beatAtMs >= BEAT_MIN_MS) this.changed();
  }

  /** Answers questions, or says who could; settles once. */
  ask(relayed: boolean, questions: readonly Question[], settle: Settle): void {
    const { observer, log, replica, peerOf, relay } = this.#options;
    observer.asked?.(questions);
    if (this.#leading !== null) {
      this.#leading.ask(questions, settle);
      return;
    }
    // Between winning and the first commit of its reign it is its own leader, and can't answer yet.
    const { leader } = log.status();
    const other = leader === replica ? null : leader;
    const peer = other === null || relayed ? null : peerOf(other); // H1
    if (peer === null) settle({ kind: "not-leader", leader: other });
    else relay(peer, questions, (result) => settle(relayedAnswer(result, questions.length)));
  }

  /** Tries to win an epoch, or joins an attempt under way; settles once it has ended. */
  nominate(settled: (result: LeadResult) => void): void {
    if (this.#over) {
      settled(STOPPED);
      return;
    }
    this.#nominations.push(settled);
    this.#options.log.lead();
  }

  /** A catalog says what it has received; while this replica leads, it sends it the rest, and may grant it a lease. */
  follow(peer: P, question: Follow): Following {
    const { log, catalogs } = this.#options;
    const { epoch } = log.status();
    const { role, name } = peer.identity;
    const elsewhere: Following = { leads: false, epoch, grant: null };
    if (role !== "catalog" || !catalogs.includes(name)) return elsewhere; // H3
    this.#followers.set(peer, question.received);
    return this.#leading?.follow(peer, question) ?? elsewhere;
  }

  /** A catalog tells of its progress. */
  held(peer: P, answer: Held): void {
    if (!this.#followers.has(peer)) return;
    this.#followers.set(peer, answer.received);
    this.#leading?.held(peer, answer);
  }

  /** Stops: whoever waits for an answer is told that its fate is unknown. */
  close(): void {
    this.#over = true;
    this.#leading?.close();
    this.#leading = null;
    this.leadEnded(STOPPED);
  }
}

/** What to answer once a call to the leader, with so many questions, is over. H2 */
function relayedAnswer(result: CallResult, questions: number): AskResult {
  if (result.kind !== "failed") return result;
  if (result.failure !== NOT_SENT) return { kind: "unknown" };
  return { kind: "answers", answers: Array.from({ length: questions }, () => ({ kind: "busy" })) };
}
