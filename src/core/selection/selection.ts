// How a front end finds the leader of the order replicas, as a pure step function.
//
// step(now, event) takes a beat, an answer, an opened or closed connection or a
// tick, and returns effects: replicas to ask, to nominate, to notify. It never
// waits, reads no clock and throws no dice of its own, so that the same code runs
// in a front end and in a simulation of many of them.
//
//   S1. At most one leader is adopted at a time, and the epochs adopted never go
//       back: of two that claim to lead, the one with the higher epoch is right.
//   S2. A working leader stays, whoever comes back: no search begins while it is
//       heard, and a search that hears of one nominates nobody else.
//   S3. Whatever is waited for has a time-out: an answer that never comes costs
//       HEALTH_MS or NOMINATE_MS, then the next replica has its turn.
//   S4. The state grows with the replicas only, and so do the effects of a step.
//
// Nothing here keeps orders safe; replication does, even when two front ends
// nominate two replicas at once. It only has to agree in the end, and soon.

import { invariant } from "../invariant.ts";
import { AwakeClock } from "./awake-clock.ts";
import { FOLLOWING_TICK_MS, LEADER_SILENCE_MS, START_WAIT_MS } from "./limits.ts";
import { isFollowed, ReplicaView } from "./replica-view.ts";
import { Search } from "./search.ts";
import { deposedLine, disputedLine, downLine, foundLines, notifyLines } from "./transcript.ts";
import type { Nomination, ReplicaHealth, SelectionEffect, SelectionEvent } from "./types.ts";

export interface SelectionOptions {
  /** Ids of all configured replicas; at least one, all different. */
  readonly replicas: readonly number[];
  /** Numbers from 0 to below 1, for the back-off: a front end's own, so that two of them part. */
  readonly random: () => number;
  /** How long all replicas may take to answer before the first nomination, milliseconds; default START_WAIT_MS. */
  readonly startWaitMs?: number;
}

type Phase =
  | { readonly kind: "searching"; readonly search: Search }
  /** `relayed`: it is heard by its followers only, not by this front end. */
  | {
      readonly kind: "following";
      readonly leader: ReplicaView;
      readonly epoch: number;
      relayed: boolean;
      /** Since when the leader has said in an older epoch that it doesn't lead; null if it doesn't say so. */
      deniesSinceMs: number | null;
    };

export class Selection {
  readonly #clock = new AwakeClock();
  /** From the highest id down. */
  readonly #views: readonly ReplicaView[];
  readonly #random: () => number;
  #phase: Phase;
  /** The leader adopted last, and its epoch, which only grows (S1). */
  #adopted: { readonly leader: number | null; readonly epoch: number } = { leader: null, epoch: 0 };
  #disputedEpoch = 0;
  #effects: SelectionEffect[] = [];

  constructor({ replicas, random, startWaitMs = START_WAIT_MS }: SelectionOptions) {
    invariant(replicas.length > 0, "there are replicas to choose from");
    invariant(new Set(replicas).size === replicas.length, "ids are unique", { replicas });
    invariant(startWaitMs >= 0, "the wait at start is no negative time", { startWaitMs });
    this.#views = replicas.toSorted((a, b) => b - a).map((id) => new ReplicaView(id));
    this.#random = random;
    this.#phase = { kind: "searching", search: this.#search(startWaitMs) };
  }

  /** The leader, or null while there is none. */
  get leader(): number | null {
    return this.#phase.kind === "following" ? this.#phase.leader.id : null;
  }

  /** Milliseconds until the next tick is of use; at most FOLLOWING_TICK_MS. */
  get wakeInMs(): number {
    if (this.#phase.kind === "searching") return this.#phase.search.wakeInMs;
    const { leader, relayed } = this.#phase;
    const untilMissedMs = LEADER_SILENCE_MS - leader.silenceMs(this.#now);
    return relayed ? FOLLOWING_TICK_MS : Math.min(FOLLOWING_TICK_MS, Math.max(0, untilMissedMs));
  }

  /** Takes what happened, at `nowMs` of a monotonic clock, and returns what to do, in this order. */
  step(nowMs: number, event: SelectionEvent): readonly SelectionEffect[] {
    this.#clock.advance(nowMs);
    switch (event.kind) {
      case "connected":
        this.#connected(event.replica);
        break;
      case "disconnected":
        this.#disconnected(event.replica);
        break;
      case "beat":
        this.#hear(event.health);
        break;
      case "health-answer":
        this.#healthAnswered(event.replica, event.health);
        break;
      case "nominate-answer":
        this.#nominateAnswered(event.replica, event.result);
        break;
      case "tick":
        if (this.#clock.tick(nowMs)) this.#tick();
        break;
    }
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  get #now(): number {
    return this.#clock.awakeMs;
  }

  #view(replica: number): ReplicaView | undefined {
    return this.#views.find((view) => view.id === replica);
  }

  // What happened.

  #connected(replica: number): void {
    const view = this.#view(replica);
    if (!view) return;
    // A new connection tells that the old one is gone, though nobody said so: who
    // answers on it may have lost its reign, or its disk.
    if (view.connected) this.#disconnected(replica);
    view.connect(this.#now);
    if (this.#phase.kind === "searching") this.#phase.search.connected(view);
  }

  #disconnected(replica: number): void {
    const view = this.#view(replica);
    if (!view?.connected) return;
    view.disconnect();
    if (this.#phase.kind === "searching") this.#phase.search.disconnected(view);
    else if (this.#phase.relayed) this.#checkFollowers();
    else if (view === this.#phase.leader) this.#lose(downLine(replica));
  }

  #healthAnswered(replica: number, health: ReplicaHealth | null): void {
    const view = this.#view(replica);
    // A question given up already, or one of a connection that closed, is answered too late to count.
    if (!view?.connected) return;
    const own = health?.replica === replica ? health : null;
    if (view.asked.kind === "waiting") view.asked = { kind: own ? "answered" : "failed" };
    if (own) this.#hear(own);
    if (this.#phase.kind === "searching") this.#phase.search.answered();
  }

  #hear(health: ReplicaHealth): void {
    const view = this.#view(health.replica);
    if (!view?.connected) return;
    view.hear(health, this.#now);
    if (health.leads) this.#claim(view, health.epoch, false);
    if (this.#phase.kind === "searching") {
      this.#phase.search.heard();
    } else if (view === this.#phase.leader) {
      if (this.#isDenied(this.#phase, health)) this.#lose(deposedLine(view.id));
    } else if (this.#phase.relayed) {
      this.#checkFollowers();
    }
  }

  /**
   * Whether the followed leader, in its own words, leads no more. What it said
   * before it led is old news; but one that goes on saying so has lost its disk,
   * and what made it the leader was the old news.
   */
  #isDenied(phase: Extract<Phase, { kind: "following" }>, health: ReplicaHealth): boolean {
    if (health.leads) {
      phase.deniesSinceMs = null;
      return false;
    }
    if (health.epoch >= phase.epoch) return true;
    phase.deniesSinceMs ??= this.#now;
    return this.#now - phase.deniesSinceMs >= LEADER_SILENCE_MS;
  }

  #nominateAnswered(replica: number, result: Nomination | null): void {
    const nominee = this.#view(replica);
    if (result?.kind === "leading" && nominee?.connected) {
      this.#claim(nominee, result.epoch, false);
    }
    if (this.#phase.kind !== "searching") return;
    const relayed = this.#phase.search.nominated(replica, result);
    const leader = relayed ? this.#view(relayed.leader) : undefined;
    if (relayed && leader) this.#claim(leader, relayed.epoch, true);
  }

  #tick(): void {
    if (this.#phase.kind === "searching") {
      this.#phase.search.tick();
    } else if (this.#phase.relayed) {
      this.#checkFollowers();
    } else if (this.#phase.leader.silenceMs(this.#now) >= LEADER_SILENCE_MS) {
      this.#lose(downLine(this.#phase.leader.id));
    }
  }

  // Leaders found and lost.

  /** A replica is said to lead: adopts it, unless a later leader is known (S1). */
  #claim(view: ReplicaView, epoch: number, relayed: boolean): void {
    const known = this.#adopted;
    if (epoch < known.epoch) return;
    if (epoch === known.epoch && known.leader !== null && view.id !== known.leader) {
      if (this.#disputedEpoch < epoch) {
        this.#disputedEpoch = epoch;
        this.#log("error", disputedLine(epoch, known.leader, view.id));
      }
    } else if (epoch === known.epoch && this.#phase.kind === "following") {
      this.#phase.relayed &&= relayed;
    } else {
      this.#adopt(view, epoch, relayed);
    }
  }

  #adopt(view: ReplicaView, epoch: number, relayed: boolean): void {
    const leader = view.id;
    invariant(epoch >= this.#adopted.epoch, "adopted epochs never go back", {
      epoch,
      adopted: this.#adopted.epoch,
    }); // S1
    const searched = this.#phase.kind === "searching";
    this.#adopted = { leader, epoch };
    this.#phase = { kind: "following", leader: view, epoch, relayed, deniesSinceMs: null };
    for (const line of foundLines(this.#views, leader, this.#now)) this.#log("info", line);
    // Replaced without a search, it was another front end's choice, which has told them.
    if (searched) {
      for (const replica of this.#views.toReversed()) this.#notify(replica, leader);
    }
    this.#effects.push({ kind: "leader-changed", leader, epoch });
  }

  #notify(replica: ReplicaView, leader: number): void {
    for (const line of notifyLines(replica)) this.#log("info", line);
    if (replica.connected) this.#effects.push({ kind: "notify", replica: replica.id, leader });
  }

  /** A leader that this front end can't reach is gone when no follower hears it. */
  #checkFollowers(): void {
    if (this.#phase.kind !== "following") return;
    const { leader, epoch } = this.#phase;
    if (!isFollowed(this.#views, leader.id, epoch, this.#now)) this.#lose(downLine(leader.id));
  }

  #lose(line: string): void {
    const { epoch } = this.#adopted;
    this.#log("info", line);
    this.#effects.push({ kind: "leader-changed", leader: null, epoch });
    const search = this.#search(this.#now); // the start is over
    this.#phase = { kind: "searching", search };
    search.beginRound();
  }

  #search(startUntilMs: number): Search {
    return new Search({
      views: this.#views,
      clock: this.#clock,
      random: this.#random,
      emit: (effect) => this.#effects.push(effect),
      startUntilMs,
    });
  }

  #log(level: "info" | "warn" | "error", message: string): void {
    this.#effects.push({ kind: "log", level, message });
  }
}
