// One reign of a replica: from the moment it may decide until it is deposed.
//
// All questions that arrive in one turn of the event loop are decided together
// (turn.ts), their commands appended as one entry, their answers kept until they
// may be told (waiting-answers.ts). What is committed in a turn goes out to the
// catalogs; what they answer says up to where clients may see
// (coherence/leader-views.ts). A reign owns all of that; when it ends nothing of
// it is left: the next one starts from what the journal then says.
//
//   D1. No answer leaves before what it rests on is exposed.
//   D2. Deciding blocks the thread, for an fsync: answers that were given in
//       this turn leave first.
//   D3. What a process says that isn't the one of its name that is heard
//       (coherence/hearing.ts) counts for nothing: it says nothing of the lease that
//       the other may have.

import { Hearing } from "../coherence/hearing.ts";
import type { Feed, Follow, Following, Held } from "../coherence/leader-views.ts";
import { type LeaderEffect, LeaderViews } from "../coherence/leader-views.ts";
import { LEASE_ASK_MS } from "../coherence/limits.ts";
import { invariant } from "../invariant.ts";
import type { MarketState } from "../market/state.ts";
import type { ReplicatedLog } from "../replication/log.ts";
import type { CommittedEntry } from "../replication/types.ts";
import { type DecidedAsk, decideTurn, type OrderTables, type TurnObserver } from "./turn.ts";
import type { AskResult, Question } from "./types.ts";
import { type Settle, WaitingAnswers } from "./waiting-answers.ts";

/** What a reign reads of the durable tables. */
export interface DeskTables extends OrderTables {
  /** The tables durably hold the effects of the entries up to here. */
  readonly appliedPosition: number;
}

/** How much a leader takes on: `DESK_LIMITS` in limits.ts. */
export interface DeskLimits {
  readonly questionsInHandMax: number;
  readonly turnsInHandMax: number;
  readonly feedBytesMax: number;
  readonly restPerWait: number;
}

/** The connection to a catalog, or another process. */
export interface DeskPeer {
  /** Of the process at the other end; the same over all connections that it makes one after the other. */
  readonly link: string;
  readonly identity: { readonly role: string; readonly name: string };
}

/** Told what a leader does, for logs, metrics and checks. Nothing depends on it. */
export interface LeaderObserver extends Partial<TurnObserver> {
  /** A turn is over: `entries` were appended, and all its answers are true at `position`. */
  turn?(position: number, entries: number, asks: readonly DecidedAsk[]): void;
  /** A quorum holds everything up to `position`. */
  quorumHolds?(position: number): void;
  /** Clients may see everything up to `position`; `leaseEnded`: since a view that doesn't hold it may show nothing any more. */
  exposed?(position: number, leaseEnded: boolean): void;
  /** A catalog was late, and gets no lease for so long, milliseconds. */
  late?(catalog: string, restMs: number): void;
  /** Another process of this catalog's name is heard, and connected: said once a connection. */
  unheard?(catalog: string): void;
}

export interface LeaderDeskOptions<P extends DeskPeer> {
  readonly replica: number;
  readonly epoch: number;
  readonly log: Omit<ReplicatedLog, "lead">;
  /** The market at `position`, the newest committed one. */
  readonly market: MarketState;
  readonly position: number;
  readonly tables: DeskTables;
  /** Names of all configured catalogs. */
  readonly catalogs: readonly string[];
  readonly limits: DeskLimits;
  /** Milliseconds of a clock that never goes back, and that the log's reign is measured by. */
  readonly nowMs: () => number;
  /**
   * Calls back at the end of the event-loop turn, in the order of the calls; what one of them
   * answers leaves before the next one is called.
   */
  readonly atTurnsEnd: (run: () => void) => void;
  /** Sends entries to a catalog, or up to where they are exposed. */
  readonly feed: (catalog: P, feed: Feed) => void;
  readonly observer: LeaderObserver;
}

interface ArrivedAsk {
  readonly questions: readonly Question[];
  readonly settle: Settle;
}

/** `P` is whatever stands for one open connection. */
export class LeaderDesk<P extends DeskPeer> {
  readonly #options: LeaderDeskOptions<P>;
  readonly #views: LeaderViews;
  readonly #hearing: Hearing;
  /** Those that are fed, by name: a catalog's lease outlives its connection. */
  readonly #catalogs = new Map<string, P>();
  /** Those of whom it was said that another is heard. */
  readonly #unheard = new WeakSet<P>();
  readonly #waiting = new WaitingAnswers();
  #arrived: ArrivedAsk[] = [];
  #arrivedQuestions = 0;
  /** Position of the newest state decided on. */
  #statePosition: number;
  /** Position of the newest committed entry. */
  #committed: number;
  #sendingScheduled = false;
  #decidingScheduled = false;
  /** A confirmation is on its way that only leases need. */
  #isConfirming = false;
  #over = false;

  /** `followers`: catalogs that followed this replica before it led, and what they had received. */
  constructor(options: LeaderDeskOptions<P>, followers: Iterable<readonly [P, number]>) {
    const { epoch, log, nowMs, position, catalogs, limits } = options;
    const { restPerWait } = limits;
    this.#options = options;
    this.#statePosition = position;
    this.#committed = position;
    const wonMs = log.status().reign?.wonAt ?? nowMs();
    this.#views = new LeaderViews({ epoch, reignPosition: position, catalogs, wonMs, restPerWait });
    const [before] = position > 1 ? log.read(position - 2, 1) : [];
    this.#hearing = new Hearing({ epochBefore: before?.epoch ?? 0, wonMs });
    for (const [peer, received] of followers) this.#follows(peer, received); // so they learn of this reign
    this.#send();
  }

  /** Up to here clients may see. */
  get exposed(): number {
    return this.#views.exposed;
  }

  /** Decides the questions at the end of this turn; settles once, when the answers may be told. */
  ask(questions: readonly Question[], settle: Settle): void {
    if (this.#over) {
      settle({ kind: "unknown" });
      return;
    }
    const inHand = this.#arrivedQuestions + this.#waiting.questions;
    if (inHand + questions.length > this.#options.limits.questionsInHandMax) {
      settle({ kind: "answers", answers: questions.map(() => ({ kind: "busy" })) });
      return;
    }
    this.#arrived.push({ questions, settle });
    this.#arrivedQuestions += questions.length;
    this.#decideLater();
  }

  /** Entries of this reign were committed. */
  committed(entries: readonly CommittedEntry[]): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    this.#committed = last.position;
    this.#options.observer.quorumHolds?.(last.position);
    if (this.#sendingScheduled) return;
    this.#sendingScheduled = true;
    this.#atTurnsEnd(() => {
      this.#sendingScheduled = false;
      this.#send();
    });
  }

  /** Whether something committed waits for catalogs: only then is a tick urgent. */
  get isWaiting(): boolean {
    return this.#views.exposed < this.#committed;
  }

  /** Every BEAT_MS, or sooner: leases end, and what catalogs don't answer is sent again. */
  tick(): void {
    this.#carryOut(this.#views.tick(this.#options.nowMs()), true);
  }

  /** The reign is over: all that was asked and not answered has an unknown fate, and nothing more is sent. */
  close(): void {
    this.#over = true;
    this.#catalogs.clear();
    this.#waiting.close();
    settleUnknown(this.#arrived);
    this.#arrived = [];
    this.#arrivedQuestions = 0;
  }

  // Catalogs.

  /** A catalog says what it has received, and may ask for a lease. */
  follow(peer: P, { received, held, epoch: known, ask, heardBefore }: Follow): Following {
    const { nowMs, log, epoch } = this.#options;
    const { name } = peer.identity;
    const heard: Following = { leads: true, epoch, grant: null };
    if (known !== epoch) return heard; // it asks again, knowing of this reign
    if (!this.#hearing.hears(name, peer.link, heardBefore, nowMs())) {
      this.#sayUnheard(peer);
      return { ...heard, leads: false };
    }
    this.#follows(peer, received);
    this.held(peer, { epoch, received, held }); // what said so may be lost
    if (ask === null) return heard;
    this.#carryOut(this.#views.wants(name));
    const confirmedMs = log.status().reign?.confirmedAt ?? Number.NEGATIVE_INFINITY;
    if (nowMs() - confirmedMs >= LEASE_ASK_MS) this.#confirm();
    return { ...heard, grant: this.#views.grant(name, ask, confirmedMs, nowMs()) };
  }

  #sayUnheard(peer: P): void {
    const { name } = peer.identity;
    const other = this.#catalogs.get(name);
    if (!other || !this.#hearing.isHeard(name, other.link) || this.#unheard.has(peer)) return;
    this.#unheard.add(peer);
    this.#options.observer.unheard?.(name);
  }

  /** A log may rest where nobody asks: what it confirms now is there for the next question for a lease. */
  #confirm(): void {
    if (this.#isConfirming) return;
    this.#isConfirming = true;
    this.#options.log.confirm(() => {
      this.#isConfirming = false;
    });
  }

  /** A catalog says what it has received, and what its front ends hold. */
  held(peer: P, { epoch, received, held }: Held): void {
    const { name } = peer.identity;
    if (epoch !== this.#options.epoch || !this.#hearing.isHeard(name, peer.link)) return; // D3
    this.#carryOut(this.#views.held(name, received, held, this.#options.nowMs()));
  }

  /** A connection closed. The catalog's lease runs on. */
  left(peer: P): void {
    const { name } = peer.identity;
    if (this.#catalogs.get(name) !== peer) return;
    this.#catalogs.delete(name);
    this.#views.left(name);
  }

  #follows(peer: P, received: number): void {
    const { name } = peer.identity;
    const known = this.#catalogs.get(name);
    if (known !== peer) {
      // What was on its way over the old connection may be lost.
      if (known !== undefined) this.#views.left(name);
      this.#catalogs.set(name, peer);
    }
    this.#carryOut(this.#views.follows(name, received, this.#options.nowMs()));
  }

  #carryOut(effects: readonly LeaderEffect[], leasesEnd = false): void {
    let exposed = false;
    for (const effect of effects) {
      if (this.#over) return;
      if (effect.kind === "exposed") exposed = true;
      else if (effect.kind === "late") this.#options.observer.late?.(effect.catalog, effect.restMs);
      else if (effect.kind === "expose") this.#feed(effect.catalog, this.#views.exposed, []);
      else this.#feedAfter(effect.catalog, effect.after);
    }
    if (exposed) this.#tell(leasesEnd);
  }

  #feedAfter(catalog: string, after: number): void {
    const { log, nowMs, limits } = this.#options;
    const { commit } = this.#views;
    const entries = log
      .read(after, limits.feedBytesMax)
      .filter(({ position }) => position <= commit);
    const through = entries.at(-1)?.position;
    if (through === undefined) return; // committed, and not delivered to us yet
    this.#feed(catalog, after, entries);
    this.#carryOut(this.#views.sent(catalog, through, nowMs()));
  }

  #feed(catalog: string, after: number, entries: readonly CommittedEntry[]): void {
    const { replica: leader, epoch, feed } = this.#options;
    const peer = this.#catalogs.get(catalog);
    if (peer) feed(peer, { leader, epoch, exposed: this.#views.exposed, after, entries });
  }

  // Turns.

  #atTurnsEnd(work: () => void): void {
    this.#options.atTurnsEnd(() => {
      if (!this.#over) work();
    });
  }

  /** Sends out what was committed. */
  #send(): void {
    this.#carryOut(this.#views.committed(this.#committed, this.#options.nowMs()));
    this.#tell();
  }

  /** Decides, once a turn, what arrived in it. */
  #decideLater(): void {
    if (this.#decidingScheduled) return;
    this.#decidingScheduled = true;
    this.#atTurnsEnd(() => this.#send());
    // Behind that: what it told has left by then. D2
    this.#atTurnsEnd(() => {
      this.#decidingScheduled = false;
      if (this.#mayDecide) this.#decide();
    });
  }

  get #mayDecide(): boolean {
    return this.#arrived.length > 0 && this.#waiting.turns < this.#options.limits.turnsInHandMax;
  }

  #decide(): void {
    const { market, tables, log, observer } = this.#options;
    const arrived = this.#arrived;
    this.#arrived = [];
    this.#arrivedQuestions = 0;
    market.releaseThrough(tables.appliedPosition);

    const nextPosition = log.status().lastPosition + 1;
    const { asks, entries } = decideTurn({
      market,
      tables,
      statePosition: this.#statePosition,
      nextPosition,
      asks: arrived.map(({ questions }) => questions),
      observer,
    });
    if (entries.length > 0) {
      const last = log.append(entries);
      if (this.#over) {
        settleUnknown(arrived); // the disk failed
        return;
      }
      invariant(last === nextPosition + entries.length - 1, "entries get the next positions", {
        nextPosition,
        entries: entries.length,
        last,
      });
      this.#statePosition = last;
    }
    observer.turn?.(this.#statePosition, entries.length, asks);
    const waiting = asks.map((ask, index) => ({ ask, settle: settleOf(arrived[index]) }));
    this.#waiting.add(this.#statePosition, waiting, (settled) => log.confirm(settled));
    this.#tell(); // what only read may rest on a state that is exposed already
  }

  /** Answers what is exposed now. D1 */
  #tell(leaseEnded = false): void {
    if (this.#over) return;
    const { exposed } = this.#views;
    this.#waiting.exposed(exposed);
    this.#options.observer.exposed?.(exposed, leaseEnded);
    if (this.#mayDecide) this.#decideLater();
  }
}

function settleUnknown(asks: readonly ArrivedAsk[]): void {
  const unknown: AskResult = { kind: "unknown" };
  for (const { settle } of asks) settle(unknown);
}

function settleOf(ask: ArrivedAsk | undefined): Settle {
  invariant(ask !== undefined, "each ask is decided once");
  return ask.settle;
}
