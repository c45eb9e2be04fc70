// The order replicas as a front end sees them: behind one `ask`, whoever leads.
//
// Here the selection of the leader (core/selection), the questions of clients
// (questions.ts) and the choice whom to ask (routes.ts) meet the connections.

import { Selection } from "../selection/selection.ts";
import type {
  Nomination,
  ReplicaHealth,
  SelectionEffect,
  SelectionEvent,
} from "../selection/types.ts";
import { QUESTIONS_TICK_MS, WAKE_MIN_MS } from "./limits.ts";
import type { AttemptObserver } from "./pending-question.ts";
import { type CallResult, Questions, type Route } from "./questions.ts";
import { type Candidate, RouteRecord, routeTo } from "./routes.ts";
import type { Answer, Asked, Question } from "./types.ts";

/**
 * What a front end says to a replica; `P` stands for one open connection to one. `settled` is
 * called once, never before the call returns; null: the call brought no answer.
 */
export interface ReplicaCalls<P> {
  /** Ends within QUESTION_DEADLINE_MS. */
  ask(replica: P, questions: Question[], settled: (result: CallResult) => void): void;
  /** Ends within HEALTH_CALL_MS. */
  health(replica: P, settled: (health: ReplicaHealth | null) => void): void;
  /** Ends within NOMINATE_CALL_MS. */
  nominate(replica: P, settled: (result: Nomination | null) => void): void;
  notify(replica: P, leader: number): void;
  /** Sends what was asked at once. */
  flush(replica: P): void;
}

/** Told what happens, for log lines and counters. */
export interface ReplicasObserver extends AttemptObserver {
  /** A line of the search for a leader. */
  line(level: "info" | "warn" | "error", message: string): void;
  /** Another leader is known; null: none for now. */
  leaderChanged(leader: number | null): void;
  nominating(replica: number): void;
  nominated(replica: number, result: Nomination | null): void;
  /** A replica answered with another number of answers than it was asked questions. */
  mismatched(replica: number, counts: { asked: number; answered: number }): void;
}

export interface OrderReplicasOptions<P> {
  /** Ids of all configured replicas. */
  readonly replicas: readonly number[];
  readonly calls: ReplicaCalls<P>;
  readonly observer: ReplicasObserver;
  /** Numbers in [0, 1), for the back-off between two nominations. */
  readonly random: () => number;
  /** How long all replicas may take to answer before one is nominated, milliseconds; see Selection. */
  readonly startWaitMs?: number;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  /** Calls back at the end of the event-loop turn. */
  readonly atTurnsEnd: (run: () => void) => void;
  readonly after: (ms: number, run: () => void) => void;
}

/** What a front end knows of one replica. */
export interface ReplicaState {
  readonly id: number;
  readonly connected: boolean;
  /** What it said last on the open connection. */
  readonly health: ReplicaHealth | null;
  /** When something last came from it, by nowMs. */
  readonly heardAtMs: number;
}

export class OrderReplicas<P> {
  readonly #options: OrderReplicasOptions<P>;
  readonly #replicas: readonly Replica<P>[];
  readonly #selection: Selection;
  readonly #questions: Questions<Replica<P>>;
  /** When the next tick comes at the latest. */
  #wakeAtMs = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(options: OrderReplicasOptions<P>) {
    const { replicas, calls, observer, random, startWaitMs, nowMs, atTurnsEnd } = options;
    this.#options = options;
    this.#replicas = replicas.map((id) => new Replica(id, calls, nowMs));
    this.#selection = new Selection({
      replicas,
      random,
      ...(startWaitMs !== undefined && { startWaitMs }),
    });
    this.#questions = new Questions<Replica<P>>({
      route: () => this.#route(),
      call: ({ connection }, questions, settled) => {
        if (connection !== null) calls.ask(connection, questions, settled);
        else atTurnsEnd(() => settled({ kind: "failed", failure: "closed" }));
      },
      atTurnsEnd,
      nowMs,
      observer,
      onMismatch: (replica, counts) => observer.mismatched(replica, counts),
    });
  }

  /** Begins to look for a leader. */
  start(): void {
    this.#tick();
  }

  /** Calls `settled` once, within `deadlineMs` or soon after it, through changes of leader. */
  ask(question: Question, deadlineMs: number, settled: (asked: Asked) => void): void {
    this.#questions.ask(question, deadlineMs, settled);
    this.#wakeInTime();
  }

  /** Asks the leader once, ahead of all that waits; null: that brought no answer. */
  askOnce(question: Question, settled: (answer: Answer | null) => void): void {
    const { calls, atTurnsEnd } = this.#options;
    const connection = this.#route()?.connection ?? null;
    if (connection === null) {
      atTurnsEnd(() => settled(null));
      return;
    }
    calls.ask(connection, [question], (result) =>
      settled(result.kind === "answers" ? (result.answers[0] ?? null) : null),
    );
  }

  /** Id of the leader; null while none is known. */
  get leader(): number | null {
    return this.#selection.leader;
  }

  /** Whether a question would be turned away now, as too many wait. */
  get isFull(): boolean {
    return this.#questions.isFull;
  }

  /** Whether somebody can be asked who leads, or knows who does. */
  get ready(): boolean {
    return this.#route() !== null;
  }

  /** Every replica, in the configuration's order. */
  states(): readonly ReplicaState[] {
    return this.#replicas.map(({ replica, isOpen, health, heardAtMs }) => ({
      id: replica,
      connected: isOpen,
      health,
      heardAtMs,
    }));
  }

  /** A connection to this replica is open; another one may have been until now. */
  opened(id: number, connection: P): void {
    this.#replica(id)?.opened(connection);
    this.#step({ kind: "connected", replica: id });
  }

  /** That connection is gone. */
  closed(id: number, connection: P): void {
    const replica = this.#replica(id);
    if (replica?.connection !== connection) return;
    replica.closed();
    this.#step({ kind: "disconnected", replica: id });
  }

  /** On the connection to this replica somebody said how he is, unasked. */
  beat(id: number, health: ReplicaHealth): void {
    if (health.replica !== id) return; // another one's port, by mistake
    this.#replica(id)?.heard(health);
    this.#step({ kind: "beat", health });
  }

  /** Everyone who still waits is told "unavailable". */
  close(): void {
    this.#closed = true;
    this.#questions.close();
  }

  #replica(id: number): Replica<P> | undefined {
    return this.#replicas.find(({ replica }) => replica === id);
  }

  #route(): Replica<P> | null {
    const { leader } = this;
    return leader === null ? null : routeTo(leader, this.#replicas, this.#options.nowMs());
  }

  #tick(): void {
    this.#step({ kind: "tick" });
    this.#questions.sweep();
  }

  /** Sees to it that the next tick comes at this time or before. */
  #wakeBy(atMs: number): void {
    if (this.#wakeAtMs <= atMs) return;
    this.#wakeAtMs = atMs;
    const { after, nowMs } = this.#options;
    after(Math.max(WAKE_MIN_MS, atMs - nowMs()), () => {
      if (this.#closed || this.#wakeAtMs !== atMs) return; // another tick came before
      this.#wakeAtMs = Number.POSITIVE_INFINITY;
      this.#tick();
    });
  }

  #step(event: SelectionEvent): void {
    if (this.#closed) return;
    const { nowMs } = this.#options;
    for (const effect of this.#selection.step(nowMs(), event)) this.#carryOut(effect);
    this.#wakeInTime();
  }

  #wakeInTime(): void {
    const { wakeInMs } = this.#selection;
    const inMs = this.#questions.areUnderWay ? Math.min(wakeInMs, QUESTIONS_TICK_MS) : wakeInMs;
    this.#wakeBy(this.#options.nowMs() + inMs);
  }

  #carryOut(effect: SelectionEffect): void {
    const { calls, observer } = this.#options;
    switch (effect.kind) {
      case "log":
        observer.line(effect.level, effect.message);
        break;
      case "leader-changed": {
        const { leader, epoch } = effect;
        this.#questions.leaderChanged(leader === null ? null : { leader, epoch });
        observer.leaderChanged(leader);
        break;
      }
      case "ask-health":
        this.#askHealth(effect.replica);
        break;
      case "nominate":
        this.#nominate(effect.replica);
        break;
      case "notify": {
        // A replica learns its leader from the leader; this is to tell it sooner.
        const connection = this.#replica(effect.replica)?.connection ?? null;
        if (connection !== null) calls.notify(connection, effect.leader);
        break;
      }
    }
  }

  #askHealth(id: number): void {
    const replica = this.#replica(id);
    const answered = (health: ReplicaHealth | null): void => {
      if (health?.replica === id) replica?.heard(health);
      this.#step({ kind: "health-answer", replica: id, health });
    };
    const connection = replica?.connection ?? null;
    if (connection !== null) this.#options.calls.health(connection, answered);
    else this.#options.atTurnsEnd(() => answered(null));
  }

  #nominate(id: number): void {
    const { calls, observer, atTurnsEnd } = this.#options;
    observer.nominating(id);
    const ended = (result: Nomination | null): void => {
      observer.nominated(id, result);
      this.#step({ kind: "nominate-answer", replica: id, result });
    };
    const connection = this.#replica(id)?.connection ?? null;
    if (connection !== null) calls.nominate(connection, ended);
    else atTurnsEnd(() => ended(null));
  }
}

/** One replica: the open connection to it, if there is one, and what it proved to be worth. */
class Replica<P> implements Route, Candidate {
  readonly replica: number;
  connection: P | null = null;
  /** What it said last on the open connection. */
  health: ReplicaHealth | null = null;
  readonly #calls: Pick<ReplicaCalls<P>, "flush">;
  readonly #nowMs: () => number;
  readonly #record = new RouteRecord();

  constructor(replica: number, calls: Pick<ReplicaCalls<P>, "flush">, nowMs: () => number) {
    this.replica = replica;
    this.#calls = calls;
    this.#nowMs = nowMs;
  }

  get isOpen(): boolean {
    return this.connection !== null;
  }

  get heardAtMs(): number {
    return this.#record.heardAtMs;
  }

  opened(connection: P): void {
    this.connection = connection;
    this.health = null;
    this.#record.opened(this.#nowMs());
  }

  closed(): void {
    this.connection = null;
    this.health = null;
  }

  heard(health: ReplicaHealth): void {
    this.health = health;
    this.#record.heard(this.#nowMs());
  }

  isGood(nowMs: number): boolean {
    return this.isOpen && this.#record.isGood(nowMs);
  }

  isHeard(nowMs: number): boolean {
    return this.isOpen && this.#record.isHeard(nowMs);
  }

  lost(): void {
    this.#record.lost(this.#nowMs());
  }

  silent(): void {
    this.#record.silent(this.#nowMs());
  }

  flush(): void {
    if (this.connection !== null) this.#calls.flush(this.connection);
  }
}
