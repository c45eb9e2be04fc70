// What a front end knows of one order replica.

import { HEALTH_MS, LEADER_SILENCE_MS } from "./limits.ts";
import type { ReplicaHealth } from "./types.ts";

/** Where the question of the present round to a replica stands. */
type Asked =
  | { readonly kind: "no" }
  | { readonly kind: "waiting"; readonly untilMs: number }
  | { readonly kind: "answered" }
  | { readonly kind: "failed" };

export class ReplicaView {
  readonly id: number;
  connected = false;
  /** Whether it was ever connected since this front end started. */
  reached = false;
  /** What it said last on the open connection; null before, and once that closed. */
  health: ReplicaHealth | null = null;
  asked: Asked = { kind: "no" };

  #heardAtMs = 0;

  constructor(id: number) {
    this.id = id;
  }

  connect(awakeMs: number): void {
    this.connected = true;
    this.reached = true;
    this.health = null;
    this.asked = { kind: "no" };
    this.#heardAtMs = awakeMs;
  }

  disconnect(): void {
    this.connected = false;
    this.health = null;
    this.asked = { kind: "failed" };
  }

  hear(health: ReplicaHealth, awakeMs: number): void {
    this.health = health;
    this.#heardAtMs = awakeMs;
  }

  ask(awakeMs: number): void {
    this.asked = { kind: "waiting", untilMs: awakeMs + HEALTH_MS };
  }

  expire(awakeMs: number): void {
    if (this.asked.kind === "waiting" && awakeMs >= this.asked.untilMs) {
      this.asked = { kind: "failed" };
    }
  }

  /** Milliseconds since it last said something, or connected; Infinity without a connection. */
  silenceMs(awakeMs: number): number {
    return this.connected ? awakeMs - this.#heardAtMs : Number.POSITIVE_INFINITY;
  }

  /** Its answer in the present round, as told since by its beats. */
  get answer(): ReplicaHealth | null {
    return this.asked.kind === "answered" ? this.health : null;
  }

  /** Whether it says that another replica leads. */
  get hearsLeader(): boolean {
    const leader = this.health?.leader ?? null;
    return leader !== null && leader !== this.id;
  }
}

/** Whether a replica that can be reached follows this leader in this epoch, and so could relay to it. */
export function isFollowed(
  views: readonly ReplicaView[],
  leader: number,
  epoch: number,
  awakeMs: number,
): boolean {
  return views.some(
    (view) =>
      view.id !== leader &&
      view.health?.leader === leader &&
      view.health.epoch === epoch &&
      view.silenceMs(awakeMs) < LEADER_SILENCE_MS,
  );
}
