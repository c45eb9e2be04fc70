// What every log has in common, whatever it keeps its entries in and wherever it
// runs: a core that steps, whose effects are carried out, and rounds that what
// comes in one turn shares. With real time and connections it is io/log/driven-log.ts.
//
//   1. Effects are carried out in order, from one queue: a listener may call back in.
//   2. What is appended or asked in one turn of the event loop shares one round.
//   3. After a failure nothing is told any more: memory may be ahead of the disk.
//      `failed` is called once, and the role must stop.

import { invariant } from "../invariant.ts";
import type { ReplicaEvent, StepTime } from "./events.ts";
import { HEARTBEAT_MS } from "./limits.ts";
import type { LogStatus, ReplicatedLog } from "./log.ts";
import type { CommittedEntry } from "./types.ts";

/** What each core hears from its role and its connections. */
export type DriverEvent = Extract<
  ReplicaEvent,
  { kind: "tick" | "lead" | "append" | "round" | "connected" | "disconnected" }
>;

export abstract class LogDriver<Event, Effect> implements ReplicatedLog {
  readonly #effects: Effect[] = [];
  #draining = false;
  #roundScheduled = false;
  readonly #confirmations = new Map<number, (leads: boolean) => void>();
  #roundConfirmations: ((leads: boolean) => void)[] = [];
  #nextToken = 1;
  #stopped = false;

  protected abstract time(): StepTime;
  /** Calls back at the end of this turn of the event loop. */
  protected abstract atTurnsEnd(run: () => void): void;
  protected abstract stepCore(time: StepTime, event: Event | DriverEvent): readonly Effect[];
  protected abstract carryOut(effect: Effect): void;
  /** The log is closed already. */
  protected abstract failed(error: unknown): void;
  /** How often the core looks at the clock. */
  protected get tickMs(): number {
    return HEARTBEAT_MS / 2;
  }

  /** A round was begun: what it brought about can go on at once. */
  protected roundBegun(): void {}

  abstract status(): LogStatus & { readonly voter: boolean };
  abstract read(position: number, bytesMax: number): readonly CommittedEntry[];

  lead(): void {
    this.step({ kind: "lead" });
  }

  append(commands: readonly Uint8Array[]): number {
    invariant(!this.#stopped, "a stopped log takes nothing");
    this.step({ kind: "append", commands });
    this.#scheduleRound();
    return this.status().lastPosition;
  }

  confirm(settled: (leads: boolean) => void): void {
    if (this.#stopped) {
      settled(false);
      return;
    }
    this.#roundConfirmations.push(settled);
    this.#scheduleRound();
  }

  close(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    const waiting = [...this.#confirmations.values(), ...this.#roundConfirmations];
    this.#confirmations.clear();
    this.#roundConfirmations = [];
    for (const settled of waiting) settled(false);
  }

  protected get stopped(): boolean {
    return this.#stopped;
  }

  protected step(event: Event | DriverEvent): void {
    if (this.#stopped) return;
    try {
      this.#effects.push(...this.stepCore(this.time(), event));
      this.#drain();
    } catch (error) {
      this.fail(error);
    }
  }

  protected fail(error: unknown): void {
    if (this.#stopped) return;
    this.close(); // 3
    this.failed(error);
  }

  /** What the core says of the round of this token. */
  protected confirmed(token: number, leads: boolean): void {
    const settled = this.#confirmations.get(token);
    this.#confirmations.delete(token);
    settled?.(leads);
  }

  /** 2 */
  #scheduleRound(): void {
    if (this.#roundScheduled) return;
    this.#roundScheduled = true;
    this.atTurnsEnd(() => {
      this.#roundScheduled = false;
      if (this.#stopped) return;
      const waiting = this.#roundConfirmations;
      this.#roundConfirmations = [];
      let confirm: number | null = null;
      if (waiting.length > 0) {
        confirm = this.#nextToken;
        this.#nextToken += 1;
        this.#confirmations.set(confirm, (leads) => {
          for (const settled of waiting) settled(leads);
        });
      }
      this.step({ kind: "round", confirm });
      this.roundBegun();
    });
  }

  /** 1 */
  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    try {
      for (let effect = this.#effects.shift(); effect; effect = this.#effects.shift()) {
        this.carryOut(effect);
        if (this.#stopped) return; // 3
      }
    } finally {
      this.#draining = false;
    }
  }
}
