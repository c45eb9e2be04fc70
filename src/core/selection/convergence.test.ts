// Several front ends over three replicas, all simulated: messages take their
// time, leaders crash and come back, and whoever nominates must agree in the end.
//
// The replicas here are as simple as can be: a nominee wins at once if no leader
// is alive, in an epoch of its own. What real ones do is tested with them.

import { expect, test } from "vitest";
import { Selection } from "./selection.ts";
import type { Nomination, ReplicaHealth, SelectionEvent } from "./types.ts";

const REPLICAS = [9090, 9092, 9094];

interface FrontEnd {
  readonly selection: Selection;
  readonly adopted: (readonly [leader: number, epoch: number])[];
  tickAtMs: number;
}

/** A small generator of numbers from 0 to below 1, the same for the same seed (a linear congruence). */
function randomFrom(seed: number): () => number {
  let state = seed + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

class World {
  nowMs = 0;
  readonly random: () => number;
  readonly frontEnds: FrontEnd[];
  readonly alive = new Set(REPLICAS);
  leader: number | null = null;
  epoch = 0;
  nominations = 0;
  #mail: { readonly atMs: number; readonly deliver: () => void }[] = [];

  constructor(seed: number, frontEnds: number) {
    this.random = randomFrom(seed);
    this.frontEnds = Array.from({ length: frontEnds }, () => ({
      selection: new Selection({ replicas: REPLICAS, random: this.random }),
      adopted: [],
      tickAtMs: this.random() * 25,
    }));
    for (const frontEnd of this.frontEnds) {
      for (const replica of REPLICAS) this.#connect(frontEnd, replica);
    }
  }

  kill(replica: number): void {
    this.alive.delete(replica);
    if (this.leader === replica) this.leader = null;
    for (const frontEnd of this.frontEnds) {
      this.#later(() => this.#step(frontEnd, { kind: "disconnected", replica }));
    }
  }

  restart(replica: number): void {
    this.alive.add(replica);
    for (const frontEnd of this.frontEnds) this.#connect(frontEnd, replica);
  }

  run(ms: number): void {
    const endMs = this.nowMs + ms;
    let beatAtMs = this.nowMs;
    for (; this.nowMs < endMs; this.nowMs += 1) {
      if (this.nowMs >= beatAtMs) {
        beatAtMs += 50;
        this.#beat();
      }
      const due = this.#mail.filter((mail) => mail.atMs <= this.nowMs);
      this.#mail = this.#mail.filter((mail) => mail.atMs > this.nowMs);
      for (const mail of due) mail.deliver();
      for (const frontEnd of this.frontEnds) {
        if (this.nowMs < frontEnd.tickAtMs) continue;
        this.#step(frontEnd, { kind: "tick" });
        frontEnd.tickAtMs = this.nowMs + Math.max(1, frontEnd.selection.wakeInMs);
      }
    }
  }

  #connect(frontEnd: FrontEnd, replica: number): void {
    this.#later(() => this.#step(frontEnd, { kind: "connected", replica }));
  }

  #later(deliver: () => void): void {
    this.#mail.push({ atMs: this.nowMs + this.random() * 8, deliver });
  }

  #beat(): void {
    for (const replica of this.alive) {
      const health = this.#health(replica);
      for (const frontEnd of this.frontEnds) {
        this.#later(() => this.#step(frontEnd, { kind: "beat", health }));
      }
    }
  }

  #health(replica: number): ReplicaHealth {
    const leads = this.leader === replica;
    const { leader, epoch } = this;
    return { replica, leads, leader, epoch, lastPosition: 0, commitPosition: 0 };
  }

  #nominate(replica: number): Nomination | null {
    if (!this.alive.has(replica)) return null;
    if (this.leader !== null && this.leader !== replica) {
      return { kind: "follows", leader: this.leader, epoch: this.epoch };
    }
    if (this.leader === null) {
      // A race that nobody wins, now and then.
      if (this.random() < 0.3) return { kind: "lost", reason: "no quorum" };
      this.leader = replica;
      this.epoch += 1;
    }
    return { kind: "leading", epoch: this.epoch };
  }

  #step(frontEnd: FrontEnd, event: SelectionEvent): void {
    for (const effect of frontEnd.selection.step(this.nowMs, event)) {
      if (effect.kind === "leader-changed" && effect.leader !== null) {
        frontEnd.adopted.push([effect.leader, effect.epoch]);
      } else if (effect.kind === "ask-health") {
        const { replica } = effect;
        this.#later(() => {
          const health = this.alive.has(replica) ? this.#health(replica) : null;
          this.#later(() => this.#step(frontEnd, { kind: "health-answer", replica, health }));
        });
      } else if (effect.kind === "nominate") {
        const { replica } = effect;
        this.nominations += 1;
        this.#later(() => {
          const result = this.#nominate(replica);
          this.#later(() => this.#step(frontEnd, { kind: "nominate-answer", replica, result }));
        });
      }
    }
  }
}

test("front ends that nominate at once follow the same leader in the end", () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const world = new World(seed, 1 + (seed % 4));
    world.run(2_500);
    for (let crash = 0; crash < 3; crash += 1) {
      const leader = world.leader;
      expect(leader, `seed ${seed}: a leader before crash ${crash}`).not.toBeNull();
      if (leader === null) continue;
      world.kill(leader);
      world.run(1_500);
      world.restart(leader);
      world.run(1_000);
      const leaders = world.frontEnds.map((frontEnd) => frontEnd.selection.leader);
      expect(new Set(leaders), `seed ${seed}`).toEqual(new Set([world.leader]));
    }
    for (const { adopted } of world.frontEnds) {
      const epochs = adopted.map(([, epoch]) => epoch);
      expect(epochs, `seed ${seed}`).toEqual(epochs.toSorted((a, b) => a - b));
    }
    // A settled bazaar is left alone.
    const { nominations } = world;
    world.run(2_000);
    expect(world.nominations, `seed ${seed}`).toBe(nominations);
  }
});

test("the highest replica leads a fresh bazaar", () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const world = new World(seed, 2);
    world.run(2_500);
    expect(world.leader, `seed ${seed}`).toBe(9094);
  }
});
