// One search for a leader: rounds of asking all replicas for their health, then
// nominating the best, the next, and so on, until one leads.
//
// A search ends from outside, when a leader is adopted. Until then it goes on,
// ever more slowly: without a quorum there is nothing to win, and the replicas
// that wait for one have better things to do than to answer.

import type { AwakeClock } from "./awake-clock.ts";
import {
  BACK_OFF_FIRST_MS,
  BACK_OFF_FLOOR,
  BACK_OFF_MAX_MS,
  ENTRIES_BEHIND_MAX,
  LEADER_SILENCE_MS,
  NOMINATE_MS,
  NOTICE_ASK_MS,
  NOTICE_MS,
  RELAY_AFTER_MS,
  REPLICA_SILENCE_MS,
  REPORT_MS,
  TICK_MS,
} from "./limits.ts";
import { isFollowed, type ReplicaView } from "./replica-view.ts";
import { searchingLine } from "./transcript.ts";
import type { Nomination, SelectionEffect } from "./types.ts";

export interface SearchOptions {
  /** All replicas, from the highest id down. */
  readonly views: readonly ReplicaView[];
  readonly clock: AwakeClock;
  readonly random: () => number;
  readonly emit: (effect: SelectionEffect) => void;
  /** Until then, by the clock, all replicas may answer before the first nomination. */
  readonly startUntilMs: number;
}

/** Where a search stands. */
type Stage =
  /** A round: all connected replicas were asked for their health. */
  | { readonly kind: "asking" }
  /** `rest`: who comes next if the nominee can't win. */
  | {
      readonly kind: "nominating";
      readonly nominee: ReplicaView;
      readonly untilMs: number;
      readonly rest: readonly ReplicaView[];
    }
  /** Followers still hear the leader that was lost; given a moment to notice before they are asked again. */
  | { readonly kind: "noticing"; readonly untilMs: number }
  /** Back-off before the next round. */
  | { readonly kind: "resting"; readonly untilMs: number };

/** A leader that can't be reached, though a replica that can be follows it. */
export interface RelayedLeader {
  readonly leader: number;
  readonly epoch: number;
}

export class Search {
  readonly #views: readonly ReplicaView[];
  readonly #clock: AwakeClock;
  readonly #random: () => number;
  readonly #emit: (effect: SelectionEffect) => void;
  readonly #startUntilMs: number;
  readonly #sinceMs: number;
  #rounds = 0;
  #reportAtMs: number;
  #stage: Stage = { kind: "asking" };

  constructor(options: SearchOptions) {
    this.#views = options.views;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#emit = options.emit;
    this.#startUntilMs = options.startUntilMs;
    this.#sinceMs = options.clock.awakeMs;
    this.#reportAtMs = this.#sinceMs + REPORT_MS;
  }

  /** Milliseconds until the next tick is of use; at most TICK_MS. */
  get wakeInMs(): number {
    if (this.#stage.kind === "asking") return TICK_MS;
    return Math.min(TICK_MS, Math.max(0, this.#stage.untilMs - this.#now));
  }

  beginRound(): void {
    this.#stage = { kind: "asking" };
    for (const view of this.#views) {
      if (view.connected) this.#ask(view);
      else view.asked = { kind: "failed" };
    }
    this.#endRound();
  }

  connected(view: ReplicaView): void {
    if (this.#stage.kind === "asking") this.#ask(view);
    else if (this.#stage.kind === "resting") this.beginRound();
  }

  disconnected(view: ReplicaView): void {
    const stage = this.#stage;
    if (stage.kind === "asking") this.#endRound();
    else if (stage.kind === "noticing") this.heard();
    else if (stage.kind === "nominating" && stage.nominee === view) this.#passOver(stage.rest);
  }

  /** A replica said something. */
  heard(): void {
    if (this.#stage.kind === "noticing" && !this.#hearsLeader()) this.#choose();
  }

  /** A question was answered, or failed. */
  answered(): void {
    if (this.#stage.kind === "asking") this.#endRound();
  }

  /** A nomination ended otherwise than in a leader to adopt; returns the one to adopt through its followers. */
  nominated(replica: number, result: Nomination | null): RelayedLeader | null {
    const stage = this.#stage;
    if (stage.kind !== "nominating" || stage.nominee.id !== replica) return null;
    if (result?.kind !== "follows") {
      this.#passOver(stage.rest);
      return null;
    }
    // Someone hears a leader, so no other nominee would win either (S2). If it can
    // be reached it says so itself in the next round; else its followers relay.
    this.#rest();
    const { leader, epoch } = result;
    const isReachable = this.#views.some(
      (view) => view.id === leader && view.silenceMs(this.#now) < LEADER_SILENCE_MS,
    );
    if (isReachable || this.#now < this.#sinceMs + RELAY_AFTER_MS) return null;
    return isFollowed(this.#views, leader, epoch, this.#now) ? { leader, epoch } : null;
  }

  tick(): void {
    if (this.#now >= this.#reportAtMs) {
      this.#reportAtMs = this.#now + REPORT_MS;
      this.#emit({ kind: "log", level: "warn", message: searchingLine(this.#views, this.#now) });
    }
    for (const view of this.#views) view.expire(this.#now);
    const stage = this.#stage;
    if (stage.kind === "asking") {
      this.#endRound();
    } else if (stage.kind === "nominating") {
      const silenceMs = stage.nominee.silenceMs(this.#now);
      if (this.#now >= stage.untilMs || silenceMs >= LEADER_SILENCE_MS) this.#passOver(stage.rest);
    } else if (this.#now >= stage.untilMs) {
      this.beginRound();
    }
  }

  get #now(): number {
    return this.#clock.awakeMs;
  }

  #ask(view: ReplicaView): void {
    view.ask(this.#now);
    this.#emit({ kind: "ask-health", replica: view.id });
  }

  /** Goes on once everyone who may be waited for has answered. */
  #endRound(): void {
    const isWaitedFor = (view: ReplicaView) =>
      view.asked.kind === "waiting" && view.silenceMs(this.#now) < REPLICA_SILENCE_MS;
    if (this.#views.some(isWaitedFor)) return;
    const all = this.#views.every((view) => view.answer !== null);
    if (all || this.#now >= this.#startUntilMs) this.#choose();
    else this.#rest();
  }

  #hearsLeader(): boolean {
    return this.#views.some((view) => view.answer !== null && view.hearsLeader);
  }

  #choose(): void {
    if (this.#hearsLeader() && this.#now < this.#sinceMs + NOTICE_MS) {
      this.#stage = { kind: "noticing", untilMs: this.#now + NOTICE_ASK_MS };
      return;
    }
    const positions = this.#views.map((view) => view.answer?.lastPosition ?? 0);
    const leastPosition = Math.max(...positions) - ENTRIES_BEHIND_MAX;
    this.#nominate(
      this.#views.filter(({ answer }) => answer !== null && answer.lastPosition >= leastPosition),
    );
  }

  /** Nominates the first of these that can still hear it. */
  #nominate(candidates: readonly ReplicaView[]): void {
    const reachable = candidates.filter((view) => view.silenceMs(this.#now) < LEADER_SILENCE_MS);
    const [nominee, ...rest] = reachable;
    if (!nominee) {
      this.#rest();
      return;
    }
    this.#stage = { kind: "nominating", nominee, untilMs: this.#now + NOMINATE_MS, rest }; // S3
    this.#emit({ kind: "nominate", replica: nominee.id });
  }

  /** The nominee can't win: the next has its turn, but while the cluster starts the highest is tried again. */
  #passOver(rest: readonly ReplicaView[]): void {
    if (this.#now < this.#startUntilMs) this.#rest();
    else this.#nominate(rest);
  }

  #rest(): void {
    const mostMs = Math.min(BACK_OFF_MAX_MS, BACK_OFF_FIRST_MS * 2 ** this.#rounds);
    this.#rounds += 1;
    let untilMs = this.#now + mostMs * (BACK_OFF_FLOOR + (1 - BACK_OFF_FLOOR) * this.#random());
    if (this.#now < this.#startUntilMs) untilMs = Math.min(untilMs, this.#startUntilMs);
    this.#stage = { kind: "resting", untilMs };
  }
}
