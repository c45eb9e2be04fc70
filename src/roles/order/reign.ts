// One reign of this replica: from the moment it may decide until it is deposed.
//
// All questions that arrive in one turn of the event loop are decided together
// (core/service/turn.ts), their commands appended as one entry, their answers kept until
// they may be told (core/service/waiting-answers.ts), while what is committed goes out to
// the catalogs (catalog-feeds.ts). A reign owns all of that; when it ends
// nothing of it is left: the next one starts from what the journal then says.
//
//   R1. exposed <= commit.
//   R2. No answer leaves before what it rests on is durable and exposed.

import type { Logger } from "pino";
import { LeaderViews } from "../../core/coherence/leader-views.ts";
import type { Grant } from "../../core/coherence/lease-holder.ts";
import { invariant } from "../../core/invariant.ts";
import type { MarketState } from "../../core/market/state.ts";
import type { CommittedEntry } from "../../core/replication/types.ts";
import { decideTurn, type OrderTables } from "../../core/service/turn.ts";
import { type Settle, WaitingAnswers } from "../../core/service/waiting-answers.ts";
import type { ReplicatedLog } from "../../io/log/log.ts";
import type { Peer } from "../../io/rpc/types.ts";
import type { Answer, AskResult, Question } from "../contract.ts";
import { CatalogFeeds, type FollowQuestion, type HeldAnswer } from "./catalog-feeds.ts";
import { QUESTIONS_IN_HAND_MAX, TURNS_IN_HAND_MAX } from "./limits.ts";
import type { ReignTimes } from "./reign-times.ts";
import type { TradeTrace } from "./trade-trace.ts";

/** What a reign reads of the durable tables. */
export interface ReignTables extends OrderTables {
  /** The tables durably hold the effects of the entries up to here. */
  readonly appliedPosition: number;
}

export interface ReignOptions {
  readonly replica: number;
  readonly epoch: number;
  readonly source: Pick<ReplicatedLog, "status" | "append" | "confirm" | "read">;
  /** The market at `position`, the newest committed one. */
  readonly market: MarketState;
  readonly position: number;
  readonly tables: ReignTables;
  /** Names of all configured catalogs. */
  readonly catalogs: readonly string[];
  /** Catalogs that followed this replica before it led, and what they had received. */
  readonly followers: Iterable<readonly [Peer, number]>;
  readonly log: Logger;
  readonly trace: TradeTrace | null;
  readonly times: ReignTimes | null;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  /** Something broke that must stop the process. */
  readonly onBroken: (reason: unknown) => void;
}

interface ArrivedAsk {
  readonly questions: readonly Question[];
  readonly settle: Settle;
}

export class Reign {
  readonly #options: ReignOptions;
  readonly #views: LeaderViews;
  readonly #feeds: CatalogFeeds;
  readonly #waiting = new WaitingAnswers();
  #arrived: ArrivedAsk[] = [];
  #arrivedQuestions = 0;
  /** Position of the newest state decided on. */
  #statePosition: number;
  /** Position of the newest committed entry. */
  #committed: number;
  #sendingScheduled = false;
  #decidingScheduled = false;
  /** Answers were given that may not have left this process yet. */
  #told = false;
  /** Whatever is exposed now is since a lease ended. */
  #leasesEnd = false;
  #over = false;

  constructor(options: ReignOptions) {
    const { replica, epoch, source, log, nowMs, position } = options;
    this.#options = options;
    this.#statePosition = position;
    this.#committed = position;
    this.#views = new LeaderViews({
      epoch,
      reignPosition: position,
      catalogs: options.catalogs,
      wonMs: source.status().reign?.wonAt ?? nowMs(),
    });
    this.#feeds = new CatalogFeeds({
      replica,
      epoch,
      views: this.#views,
      source,
      log,
      nowMs,
      onExposed: () => this.#tell(),
    });
    for (const [peer, received] of options.followers) this.#feeds.inherit(peer, received);
    this.#feeds.committed(position);
  }

  get exposed(): number {
    return this.#views.exposed;
  }

  /** Decides the questions at the end of this turn; settles when the answers may be told. Never rejects. */
  ask(questions: readonly Question[]): Promise<AskResult> {
    if (this.#over) return Promise.resolve({ kind: "unknown" });
    if (this.#questionsInHand + questions.length > QUESTIONS_IN_HAND_MAX) {
      const answers = questions.map((): Answer => ({ kind: "busy" }));
      return Promise.resolve({ kind: "answers", answers });
    }
    return new Promise((settle) => {
      this.#arrived.push({ questions, settle });
      this.#arrivedQuestions += questions.length;
      this.#scheduleDeciding();
    });
  }

  /** A catalog says what it has received, and asks for a lease. */
  follow(peer: Peer, question: FollowQuestion): Grant | null {
    return this.#feeds.follow(peer, question);
  }

  /** A catalog's connection closed. */
  unfollow(peer: Peer): void {
    this.#feeds.left(peer);
  }

  /** A catalog says what it has received, and what its front ends hold. */
  held(peer: Peer, answer: HeldAnswer): void {
    this.#feeds.held(peer, answer);
  }

  /** Entries of this reign were committed. */
  committed(entries: readonly CommittedEntry[]): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    this.#committed = last.position;
    this.#options.times?.committed(last.position);
    this.#scheduleSending();
  }

  /** Another replica has everything up to `position` on its disk. */
  written(replica: number, position: number): void {
    this.#options.trace?.written(replica, position);
  }

  /** Every beat. */
  tick(): void {
    this.#options.trace?.tick();
    this.#leasesEnd = true;
    this.#feeds.tick();
    this.#leasesEnd = false;
  }

  /** The reign is over: all that was asked and not answered has an unknown fate. */
  close(): void {
    this.#over = true;
    this.#feeds.close();
    this.#waiting.close();
    this.#options.trace?.close();
    settleUnknown(this.#arrived);
    this.#arrived = [];
    this.#arrivedQuestions = 0;
  }

  get #questionsInHand(): number {
    return this.#arrivedQuestions + this.#waiting.questions;
  }

  /** Sends out, once a turn, what was committed in it. */
  #scheduleSending(): void {
    if (this.#sendingScheduled) return;
    this.#sendingScheduled = true;
    this.#atTurnsEnd(() => {
      this.#sendingScheduled = false;
      this.#send();
    });
  }

  #send(): void {
    this.#feeds.committed(this.#committed);
    this.#tell();
  }

  /** Decides, once a turn, what arrived in it. */
  #scheduleDeciding(): void {
    if (this.#decidingScheduled) return;
    this.#decidingScheduled = true;
    const decide = (): void => {
      this.#decidingScheduled = false;
      this.#told = false;
      if (this.#mayDecide) this.#decide();
    };
    this.#atTurnsEnd(() => {
      this.#send();
      // Appending blocks this thread for an fsync. Answers given in this turn go
      // first: they are queued behind its end, and sent at the end of the next.
      if (this.#told) this.#atTurnsEnd(() => this.#atTurnsEnd(decide));
      else decide();
    });
  }

  #atTurnsEnd(work: () => void): void {
    setImmediate(() => {
      if (this.#over) return;
      try {
        work();
      } catch (reason) {
        this.#options.onBroken(reason);
      }
    });
  }

  get #mayDecide(): boolean {
    return this.#arrived.length > 0 && this.#waiting.turns < TURNS_IN_HAND_MAX;
  }

  #decide(): void {
    const { market, tables, source, trace, times } = this.#options;
    const arrived = this.#arrived;
    this.#arrived = [];
    this.#arrivedQuestions = 0;
    market.releaseThrough(tables.appliedPosition);

    const nextPosition = source.status().lastPosition + 1;
    const questions = arrived.map((each) => each.questions);
    const { asks, entries } = decideTurn({
      market,
      tables,
      statePosition: this.#statePosition,
      nextPosition,
      asks: questions,
      trace,
    });
    if (entries.length > 0) {
      const last = source.append(entries);
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
      trace?.appended(last);
      times?.appended(last);
    }
    const waiting = asks.map((ask, index) => ({ ask, settle: settleOf(arrived[index]) }));
    this.#waiting.add(this.#statePosition, waiting, (settled) => {
      source.confirm().then(settled, () => settled(false));
    });
    this.#tell(); // what only read may rest on a state that is exposed already
  }

  /** Answers what is exposed now. */
  #tell(): void {
    if (this.#over) return;
    const { exposed } = this.#views;
    if (this.#waiting.exposed(exposed) > 0) this.#told = true;
    this.#options.trace?.exposed(exposed);
    this.#options.times?.exposed(exposed, this.#leasesEnd);
    if (this.#mayDecide) this.#scheduleDeciding();
  }
}

function settleUnknown(asks: readonly ArrivedAsk[]): void {
  for (const { settle } of asks) settle({ kind: "unknown" });
}

function settleOf(ask: ArrivedAsk | undefined): Settle {
  invariant(ask !== undefined, "each ask is decided once");
  return ask.settle;
}
