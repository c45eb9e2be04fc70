// Drives a Selection in tests by a clock of its own, and keeps what came out.

import { Selection, type SelectionOptions } from "./selection.ts";
import type { Nomination, ReplicaHealth, SelectionEffect, SelectionEvent } from "./types.ts";

/** Health of a replica that leads nothing and hears nobody, but for what is given. */
export function healthOf(replica: number, but: Partial<ReplicaHealth> = {}): ReplicaHealth {
  return {
    replica,
    leads: false,
    leader: null,
    epoch: 0,
    lastPosition: 10,
    commitPosition: 10,
    ...but,
  };
}

export const leads = (replica: number, epoch: number) =>
  healthOf(replica, { leads: true, leader: replica, epoch });
export const follows = (replica: number, leader: number, epoch: number) =>
  healthOf(replica, { leader, epoch });

/** 9094 leads epoch 1, the others follow, all connected. */
export function settled(): SelectionDriver {
  const driver = new SelectionDriver();
  driver.connect(9090, 9092, 9094);
  driver.answer(...settledBeats());
  if (driver.selection.leader !== 9094) throw new Error("9094 leads");
  driver.effects.length = 0;
  return driver;
}

/** What the replicas of a settled bazaar beat. */
export const settledBeats = () => [leads(9094, 1), follows(9092, 9094, 1), follows(9090, 9094, 1)];

export class SelectionDriver {
  readonly selection: Selection;
  readonly effects: SelectionEffect[] = [];
  nowMs = 0;

  constructor(options: Partial<SelectionOptions> = {}) {
    this.selection = new Selection({
      replicas: [9090, 9092, 9094],
      random: () => 0.5,
      ...options,
    });
  }

  step(event: SelectionEvent): readonly SelectionEffect[] {
    const effects = this.selection.step(this.nowMs, event);
    this.effects.push(...effects);
    return effects;
  }

  /** Lets time pass, with ticks as a driver would give them; `beats` says who beats meanwhile, and how. */
  pass(ms: number, beats: () => readonly ReplicaHealth[] = () => []): void {
    const endMs = this.nowMs + ms;
    let beatAtMs = this.nowMs;
    while (this.nowMs < endMs) {
      this.nowMs = Math.min(endMs, this.nowMs + Math.max(1, this.selection.wakeInMs));
      if (this.nowMs >= beatAtMs) {
        beatAtMs = this.nowMs + 50;
        for (const health of beats()) this.step({ kind: "beat", health });
      }
      this.step({ kind: "tick" });
    }
  }

  connect(...replicas: number[]): void {
    for (const replica of replicas) this.step({ kind: "connected", replica });
  }

  disconnect(replica: number): void {
    this.step({ kind: "disconnected", replica });
  }

  beat(health: ReplicaHealth): void {
    this.step({ kind: "beat", health });
  }

  answer(...healths: ReplicaHealth[]): void {
    for (const health of healths) {
      this.step({ kind: "health-answer", replica: health.replica, health });
    }
  }

  nominated(replica: number, result: Nomination | null): void {
    this.step({ kind: "nominate-answer", replica, result });
  }

  /** The log so far, without its levels. */
  get log(): string[] {
    return this.effects.flatMap((effect) => (effect.kind === "log" ? effect.message : []));
  }

  /** Removes the effects of a kind from those kept, and returns them. */
  take<K extends SelectionEffect["kind"]>(kind: K): Extract<SelectionEffect, { kind: K }>[] {
    const isTaken = (effect: SelectionEffect): effect is Extract<SelectionEffect, { kind: K }> =>
      effect.kind === kind;
    const taken = this.effects.filter(isTaken);
    this.effects.splice(0, Infinity, ...this.effects.filter((effect) => !isTaken(effect)));
    return taken;
  }

  get nominees(): number[] {
    return this.effects.flatMap((effect) => (effect.kind === "nominate" ? effect.replica : []));
  }
}
