// What both logs have in common: a core that steps, driven by real time and by the
// replicas' own connections.
//
//   1. Effects are carried out in order, from one queue: a listener may call back in.
//   2. What is appended or asked in one turn of the event loop shares one round.
//   3. After a failure nothing is told any more: memory may be ahead of the disk.
//      `failed` is called once, and the role must stop.

import type { Logger } from "pino";
import { invariant } from "../../core/invariant.ts";
import type { ReplicaEvent, StepTime } from "../../core/replication/events.ts";
import { HEARTBEAT_MS } from "../../core/replication/limits.ts";
import type { LogListener, LogStatus } from "../../core/replication/log.ts";
import type { CommittedEntry, ReplicaId } from "../../core/replication/types.ts";
import { recurring } from "../recurring.ts";
import type { Identity, Peer } from "../rpc/types.ts";
import { type LogObserver, ReplicaLinks, type ReplicaLog, type Replicas } from "./links.ts";

export interface DrivenLogOptions {
  readonly replicas: Replicas;
  readonly identity: Identity;
  readonly secret: string;
  readonly log: Logger;
  /** The disk failed, an invariant broke, or what is followed can't be: stop. Called at most once. */
  readonly failed: (reason: Error) => void;
}

/** What each core hears from its role and its connections. */
type DriverEvent = Extract<
  ReplicaEvent,
  { kind: "tick" | "lead" | "append" | "round" | "connected" | "disconnected" }
>;

export abstract class DrivenLog<Event, Effect> implements ReplicaLog {
  abstract readonly handlers: ReplicaLog["handlers"];
  /** Null before start(). */
  protected listener: LogListener | null = null;
  protected observer: LogObserver = {};
  protected links: ReplicaLinks | null = null;
  readonly #driven: DrivenLogOptions;
  readonly #id: ReplicaId;
  #stopTicks: () => void = () => {};
  readonly #effects: Effect[] = [];
  #draining = false;
  #roundScheduled = false;
  readonly #confirmations = new Map<number, (leads: boolean) => void>();
  #roundConfirmations: ((leads: boolean) => void)[] = [];
  #nextToken = 1;
  #stopped = false;

  /** Does nothing before start(). `id` is this replica's. */
  constructor(options: DrivenLogOptions, id: ReplicaId) {
    this.#driven = options;
    this.#id = id;
  }

  protected abstract stepCore(time: StepTime, event: Event | DriverEvent): readonly Effect[];
  protected abstract carryOut(effect: Effect): void;
  /** A round was begun: what it brought about can go on at once. */
  protected roundBegun(): void {}

  /** How often the core looks at the clock. */
  protected get tickMs(): number {
    return HEARTBEAT_MS / 2;
  }

  abstract status(): LogStatus & { readonly voter: boolean };
  abstract read(position: number, bytesMax: number): readonly CommittedEntry[];

  start(listener: LogListener, observer: LogObserver = {}): void {
    this.listener = listener;
    this.observer = observer;
    this.links = new ReplicaLinks({
      ...this.#driven,
      id: this.#id,
      changed: (peer, isOpen) => {
        this.step({ kind: isOpen ? "connected" : "disconnected", peer });
        if (!isOpen) listener.changed();
      },
    });
    this.#stopTicks = recurring(
      () => this.tickMs,
      () => this.step({ kind: "tick" }),
    );
  }

  peer(id: ReplicaId): Peer | null {
    return this.links?.peer(id) ?? null;
  }

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
    this.#stopTicks();
    this.links?.close();
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
      const time = { now: performance.now(), wallMs: Date.now() };
      this.#effects.push(...this.stepCore(time, event));
      this.#drain();
    } catch (error) {
      this.fail(error);
    }
  }

  protected fail(error: unknown): void {
    if (this.#stopped) return;
    this.close(); // 3
    this.#driven.failed(error instanceof Error ? error : new Error(String(error)));
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
    queueMicrotask(() => {
      this.#roundScheduled = false;
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
      }
    } finally {
      this.#draining = false;
    }
  }
}
