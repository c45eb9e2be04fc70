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
import {
  BACK_OFF_FIRST_MS,
  BACK_OFF_FLOOR,
  BACK_OFF_MAX_MS,
  ENTRIES_BEHIND_MAX,
  LEADER_SILENCE_MS,
  NOMINATE_MS,
  NOTICE_MS,
  RELAY_AFTER_MS,
  REPLICA_SILENCE_MS,
  REPORT_MS,
  START_WAIT_MS,
  TICK_MS,
} from "./limits.ts";
import { ReplicaView } from "./replica-view.ts";
import {
  deposedLine,
  disputedLine,
  downLine,
  foundLines,
  notifyLines,
  searchingLine,
} from "./transcript.ts";
import type { Nomination, ReplicaHealth, SelectionEffect, SelectionEvent } from "./types.ts";

export interface SelectionOptions {
  /** Ids of all configured replicas; at least one, all different. */
  readonly replicas: readonly number[];
  /** Numbers from 0 to below 1, for the back-off: a front end's own, so that two of them part. */
  readonly random: () => number;
  /** How long all replicas may take to answer before the first nomination; default START_WAIT_MS. */
  readonly startWaitMs?: number;
}

/** Where a search stands. */
type Stage =
  /** A round: all connected replicas were asked for their health. */
  | { readonly kind: "asking" }
  /** `rest`: who comes next if the nominee can't win. */
  | {
      readonly kind: "nominating";
      readonly nominee: number;
      readonly untilMs: number;
      readonly rest: readonly ReplicaView[];
    }
  /** Followers still hear the leader that was lost; given a moment to notice. */
  | { readonly kind: "noticing"; readonly untilMs: number }
  /** Back-off before the next round. */
  | { readonly kind: "resting"; readonly untilMs: number };

type Phase =
  | {
      readonly kind: "searching";
      readonly sinceMs: number;
      rounds: number;
      reportAtMs: number;
      stage: Stage;
    }
  /** `relayed`: it is heard by its followers only, not by this front end. */
  | {
      readonly kind: "following";
      readonly leader: number;
      readonly epoch: number;
      relayed: boolean;
    };

export class Selection {
  readonly #clock = new AwakeClock();
  /** From the highest id down. */
  readonly #views: readonly ReplicaView[];
  readonly #random: () => number;
  /** Until then all replicas are waited for; over at the first leader. */
  #startUntilMs: number;
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
    this.#startUntilMs = startWaitMs;
    this.#phase = {
      kind: "searching",
      sinceMs: 0,
      rounds: 0,
      reportAtMs: REPORT_MS,
      stage: { kind: "asking" },
    };
  }

  /** The leader, or null while there is none. */
  get leader(): number | null {
    return this.#phase.kind === "following" ? this.#phase.leader : null;
  }

  /** Milliseconds until the next tick is of use; at most TICK_MS. */
  get wakeInMs(): number {
    if (this.#phase.kind !== "searching") return TICK_MS;
    const { stage } = this.#phase;
    if (stage.kind === "asking") return TICK_MS;
    return Math.min(TICK_MS, Math.max(0, stage.untilMs - this.#now));
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
    view.connect(this.#now);
    if (this.#phase.kind !== "searching") return;
    const { stage } = this.#phase;
    if (stage.kind === "asking") this.#ask(view);
    else if (stage.kind === "resting") this.#beginRound();
  }

  #disconnected(replica: number): void {
    const view = this.#view(replica);
    if (!view?.connected) return;
    view.disconnect();
    if (this.#phase.kind === "following") {
      const { leader, epoch, relayed } = this.#phase;
      if (relayed) this.#checkRelay(leader, epoch);
      else if (replica === leader) this.#lose(downLine(leader));
      return;
    }
    const { stage } = this.#phase;
    if (stage.kind === "asking") this.#endRound();
    else if (stage.kind === "noticing") this.#lookWhetherNoticed();
    else if (stage.kind === "nominating" && stage.nominee === replica) this.#passOver(stage.rest);
  }

  #healthAnswered(replica: number, health: ReplicaHealth | null): void {
    const view = this.#view(replica);
    // A question given up already, or one of a connection that closed, is answered too late to count.
    if (!view?.connected) return;
    const own = health?.replica === replica ? health : null;
    if (view.asked.kind === "waiting") view.asked = { kind: own ? "answered" : "failed" };
    if (own) this.#hear(own);
    if (this.#phase.kind === "searching" && this.#phase.stage.kind === "asking") this.#endRound();
  }

  #hear(health: ReplicaHealth): void {
    const view = this.#view(health.replica);
    if (!view?.connected) return;
    view.hear(health, this.#now);
    if (health.leads) this.#claim(health.replica, health.epoch, false);
    if (this.#phase.kind === "following") {
      const { leader, epoch, relayed } = this.#phase;
      if (health.replica === leader) {
        // What it said before it led is old news.
        if (!health.leads && health.epoch >= epoch) this.#lose(deposedLine(leader));
      } else if (relayed) {
        this.#checkRelay(leader, epoch);
      }
    } else if (this.#phase.stage.kind === "noticing") {
      this.#lookWhetherNoticed();
    }
  }

  #nominateAnswered(replica: number, result: Nomination | null): void {
    if (result?.kind === "leading" && this.#view(replica)?.connected) {
      this.#claim(replica, result.epoch, false);
    }
    if (this.#phase.kind !== "searching") return;
    const { stage, sinceMs } = this.#phase;
    if (stage.kind !== "nominating" || stage.nominee !== replica) return;
    if (result?.kind !== "follows") {
      this.#passOver(stage.rest);
      return;
    }
    // Someone hears a leader, so no other nominee would win either (S2). If it can
    // be reached it says so itself in the next round; else its followers relay.
    const { leader, epoch } = result;
    const silenceMs = this.#view(leader)?.silenceMs(this.#now) ?? 0;
    if (
      silenceMs >= LEADER_SILENCE_MS &&
      this.#now >= sinceMs + RELAY_AFTER_MS &&
      this.#isRelayed(leader, epoch)
    ) {
      this.#claim(leader, epoch, true);
    }
    if (this.#phase.kind === "searching") this.#rest();
  }

  #tick(): void {
    if (this.#phase.kind === "following") {
      const { leader, epoch, relayed } = this.#phase;
      const silenceMs = this.#view(leader)?.silenceMs(this.#now) ?? 0;
      if (relayed) this.#checkRelay(leader, epoch);
      else if (silenceMs >= LEADER_SILENCE_MS) this.#lose(downLine(leader));
      return;
    }
    if (this.#now >= this.#phase.reportAtMs) {
      this.#phase.reportAtMs = this.#now + REPORT_MS;
      this.#log("warn", searchingLine(this.#views, this.#now));
    }
    for (const view of this.#views) view.expire(this.#now);
    const { stage } = this.#phase;
    if (stage.kind === "asking") {
      this.#endRound();
    } else if (stage.kind === "nominating") {
      const silenceMs = this.#view(stage.nominee)?.silenceMs(this.#now) ?? 0;
      if (this.#now >= stage.untilMs || silenceMs >= LEADER_SILENCE_MS) this.#passOver(stage.rest);
    } else if (this.#now >= stage.untilMs) {
      if (stage.kind === "noticing") this.#choose();
      else this.#beginRound();
    }
  }

  // One round of a search.

  #beginRound(): void {
    this.#stage({ kind: "asking" });
    for (const view of this.#views) {
      if (view.connected) this.#ask(view);
      else view.asked = { kind: "failed" };
    }
    this.#endRound();
  }

  #ask(view: ReplicaView): void {
    view.ask(this.#now);
    this.#effects.push({ kind: "ask-health", replica: view.id });
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

  #lookWhetherNoticed(): void {
    if (!this.#views.some((view) => view.answer !== null && view.hearsLeader)) this.#choose();
  }

  #choose(): void {
    if (this.#phase.kind !== "searching") return;
    const answers = this.#views.flatMap((view) => view.answer ?? []);
    const noticedAtMs = this.#phase.sinceMs + NOTICE_MS;
    const isHeard = this.#views.some((view) => view.answer !== null && view.hearsLeader);
    if (isHeard && this.#now < noticedAtMs) {
      this.#stage({ kind: "noticing", untilMs: noticedAtMs });
      return;
    }
    const best = Math.max(0, ...answers.map((health) => health.lastPosition));
    this.#nominate(
      this.#views.filter(
        (view) => view.answer !== null && view.answer.lastPosition >= best - ENTRIES_BEHIND_MAX,
      ),
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
    const untilMs = this.#now + NOMINATE_MS; // S3
    this.#stage({ kind: "nominating", nominee: nominee.id, untilMs, rest });
    this.#effects.push({ kind: "nominate", replica: nominee.id });
  }

  /** The nominee can't win: the next has its turn, but while the cluster starts the highest is tried again. */
  #passOver(rest: readonly ReplicaView[]): void {
    if (this.#now < this.#startUntilMs) this.#rest();
    else this.#nominate(rest);
  }

  #rest(): void {
    if (this.#phase.kind !== "searching") return;
    const mostMs = Math.min(BACK_OFF_MAX_MS, BACK_OFF_FIRST_MS * 2 ** this.#phase.rounds);
    this.#phase.rounds += 1;
    let untilMs = this.#now + mostMs * (BACK_OFF_FLOOR + (1 - BACK_OFF_FLOOR) * this.#random());
    if (this.#now < this.#startUntilMs) untilMs = Math.min(untilMs, this.#startUntilMs);
    this.#stage({ kind: "resting", untilMs });
  }

  #stage(stage: Stage): void {
    invariant(this.#phase.kind === "searching", "only a search has stages");
    this.#phase.stage = stage;
  }

  // Leaders found and lost.

  /** A replica is said to lead: adopts it, unless a later leader is known (S1). */
  #claim(leader: number, epoch: number, relayed: boolean): void {
    const known = this.#adopted;
    if (epoch < known.epoch) return;
    if (epoch === known.epoch && known.leader !== null && leader !== known.leader) {
      if (this.#disputedEpoch < epoch) {
        this.#disputedEpoch = epoch;
        this.#log("error", disputedLine(epoch, known.leader, leader));
      }
      return;
    }
    if (this.#phase.kind === "following" && epoch === known.epoch) {
      this.#phase.relayed &&= relayed;
      return;
    }
    this.#adopt(leader, epoch, relayed);
  }

  #adopt(leader: number, epoch: number, relayed: boolean): void {
    invariant(epoch >= this.#adopted.epoch, "adopted epochs never go back", {
      epoch,
      adopted: this.#adopted.epoch,
    }); // S1
    const searched = this.#phase.kind === "searching";
    this.#adopted = { leader, epoch };
    this.#startUntilMs = Math.min(this.#startUntilMs, this.#now);
    this.#phase = { kind: "following", leader, epoch, relayed };
    for (const line of foundLines(this.#views, leader, this.#now)) this.#log("info", line);
    // Replaced without a search, it was another front end's choice, which has told them.
    if (searched) {
      for (const view of this.#views.toReversed()) {
        for (const line of notifyLines(view)) this.#log("info", line);
        if (view.connected) {
          this.#effects.push({ kind: "notify", replica: view.id, leader });
        }
      }
    }
    this.#effects.push({ kind: "leader-changed", leader, epoch });
  }

  #lose(line: string): void {
    this.#log("info", line);
    this.#effects.push({
      kind: "leader-changed",
      leader: null,
      epoch: this.#adopted.epoch,
    });
    this.#phase = {
      kind: "searching",
      sinceMs: this.#now,
      rounds: 0,
      reportAtMs: this.#now + REPORT_MS,
      stage: { kind: "asking" },
    };
    this.#beginRound();
  }

  /** Whether a replica that can be reached follows this leader in this epoch. */
  #isRelayed(leader: number, epoch: number): boolean {
    return this.#views.some(
      (view) =>
        view.id !== leader &&
        view.health?.leader === leader &&
        view.health.epoch === epoch &&
        view.silenceMs(this.#now) < LEADER_SILENCE_MS,
    );
  }

  #checkRelay(leader: number, epoch: number): void {
    if (!this.#isRelayed(leader, epoch)) this.#lose(downLine(leader));
  }

  #log(level: "info" | "warn" | "error", message: string): void {
    this.#effects.push({ kind: "log", level, message });
  }
}
