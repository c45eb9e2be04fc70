// The questions of a front end's clients on their way to the order leader.
//
// Questions of one event-loop turn travel in one call, and few calls are under
// way at once: what comes meanwhile makes the next batch. Each question is asked
// until it is answered, whoever leads by then, under the same request id.
//
//   Q1. Every question settles, by its deadline or soon after it.
//   Q2. A call given up is still listened to: a late answer counts as well,
//       since it was confirmed by a quorum (but see P3 of a pending question).
//   Q3. "overloaded" is said only of a question that no leader has begun with.
//   Q4. Nothing grows without limit: calls, questions in a call, questions
//       waiting; and time-outs cost one sweep, not a timer a question.
//   Q5. What no state of the market could accept is refused here, at once: no
//       leader is asked, so none ever accepts it, and none has to remember it.
//   Q6. While there is a leader to ask, no more wait than it answers in QUEUE_WAIT_MS:
//       who would wait in vain is told so at once, before its request is read.

import { refusedInAnyMarket } from "../market/content.ts";
import {
  ANSWER_WAIT_MS,
  CALLS_IN_FLIGHT_MAX,
  QUESTIONS_PER_BATCH_MAX,
  QUESTIONS_WAITING_MAX,
  QUESTIONS_WAITING_MIN,
  QUEUE_WAIT_MS,
  RATE_WINDOW_MS,
  SHED_EVERY_MS,
  START_LIMIT_MS,
  SWEEP_GAP_MS,
} from "./limits.ts";
import { type AttemptObserver, PendingQuestion } from "./pending-question.ts";
import type { Asked, AskResult, Question } from "./types.ts";

/** Why a call brought no answer. */
export type CallFailure =
  /** It wasn't sent. */
  | "busy"
  /** The connection closed, or there was none: the fate is unknown, as with all that follow. */
  | "closed"
  | "timeout"
  /** The replica broke on it. */
  | "failed"
  /** The replica takes no such call. */
  | "refused";

/** What became of a call. */
export type CallResult = AskResult | { readonly kind: "failed"; readonly failure: CallFailure };

/** A replica to ask: the leader, or one that relays to it. */
export interface Route {
  readonly replica: number;
  /** Sends what was asked at once. */
  flush(): void;
  /** It knows no leader to pass the questions on to, or lost it on the way. */
  lost(): void;
  /** It lets a call wait for longer than is reasonable. */
  silent(): void;
}

export interface QuestionsOptions<R extends Route> {
  /** Whom to ask now; null while nobody can be reached. Called only while there is a leader. */
  readonly route: () => R | null;
  /** Makes a call, and calls back once with what became of it, never before it returns. */
  readonly call: (route: R, questions: Question[], settled: (result: CallResult) => void) => void;
  /** Calls back at the end of the event-loop turn. */
  readonly atTurnsEnd: (run: () => void) => void;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly observer: AttemptObserver | null;
  /** A replica answered with another number of answers than it was asked questions. */
  readonly onMismatch: (replica: number, counts: { asked: number; answered: number }) => void;
}

/** The reign that questions are asked of. */
interface Reign {
  readonly leader: number;
  readonly epoch: number;
}

interface Call<R extends Route> {
  readonly reign: Reign;
  readonly route: R;
  readonly batch: readonly PendingQuestion[];
  /** Pair up with the batch. */
  readonly questions: readonly Question[];
  readonly sentAtMs: number;
  /** Given up: its questions are asked again elsewhere (Q2). */
  abandoned: boolean;
}

const UNAVAILABLE: Asked = { kind: "unavailable" };
const OVERLOADED: Asked = { kind: "overloaded" };

/** `R` is whatever stands for a replica that can be asked. */
export class Questions<R extends Route> {
  readonly #options: QuestionsOptions<R>;
  #reign: Reign | null = null;
  /** Oldest first. */
  #waiting: PendingQuestion[] = [];
  /** To be asked again, at the next sweep or of the next leader. */
  #again: PendingQuestion[] = [];
  readonly #calls = new Set<Call<R>>();
  #callsInFlight = 0;
  /** Since when there has been somebody to ask. */
  #askableSinceMs: number | null = null;
  #sweptAtMs: number | null = null;
  #sweptLate = false;
  /** When the newest question came. */
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #shedAtMs = Number.NEGATIVE_INFINITY;
  #sendScheduled = false;
  #closed = false;
  readonly #rate = new AnswerRate();

  constructor(options: QuestionsOptions<R>) {
    this.#options = options;
  }

  /** Whether the next question would be turned away, since too many wait. Q6 */
  get isFull(): boolean {
    const waiting = this.#waiting.length + this.#again.length;
    if (waiting < QUESTIONS_WAITING_MIN) return false;
    if (waiting >= QUESTIONS_WAITING_MAX) return true;
    if (this.#askableSinceMs === null) return false; // they wait for a leader
    return waiting >= this.#rate.perMs(this.#options.nowMs()) * QUEUE_WAIT_MS;
  }

  /** Whether some are under way, so that they have to be swept. */
  get areUnderWay(): boolean {
    return this.#calls.size + this.#waiting.length + this.#again.length > 0;
  }

  /** Calls `settled` once: by the deadline, or soon after it. Q1 */
  ask(question: Question, deadlineMs: number, settled: (asked: Asked) => void): void {
    if (this.#closed) {
      settled(UNAVAILABLE);
      return;
    }
    const refusal = question.kind === "request" ? refusedInAnyMarket(question.content) : null;
    if (refusal !== null) {
      settled({
        kind: "answer",
        answer: { kind: "outcome", outcome: { kind: "refused", refusal } },
      }); // Q5
      return;
    }
    if (this.isFull) {
      settled(OVERLOADED);
      return;
    }
    const { observer } = this.#options;
    const nowMs = this.#options.nowMs();
    const pending = new PendingQuestion(question, nowMs, deadlineMs, observer, settled);
    this.#waiting.push(pending);
    this.#shedInTime(nowMs);
    this.#sendLater();
  }

  /** Another reign began, or, with null, there is no leader for now. */
  leaderChanged(reign: Reign | null): void {
    this.#reign = reign;
    this.#askableSinceMs = null;
    if (reign === null) return;
    for (const call of this.#calls) {
      // The old leader may be paused, and answer never.
      if (call.reign.epoch !== reign.epoch || call.reign.leader !== reign.leader) {
        this.#abandon(call);
      }
    }
    this.#requeue();
    this.#sendLater();
  }

  /** Looks for what took too long, and asks again what has to be. Call it every QUESTIONS_TICK_MS while some are under way. */
  sweep(): void {
    const nowMs = this.#options.nowMs();
    const isLate = nowMs - (this.#sweptAtMs ?? nowMs) > SWEEP_GAP_MS;
    const wasPaused = isLate && !this.#sweptLate;
    this.#sweptAtMs = nowMs;
    this.#sweptLate = isLate;
    const askable = this.#reign !== null && this.#options.route() !== null;
    if (!askable) this.#askableSinceMs = null;
    else if (this.#askableSinceMs === null || wasPaused) this.#askableSinceMs = nowMs;
    if (wasPaused) return; // judged at the next sweep, when the answers are read, however late that is
    this.#requeue();
    this.#expireWaiting(nowMs);
    for (const call of this.#calls) this.#expireCall(call, nowMs);
    this.#send();
  }

  /** Everyone who still waits is told "unavailable". */
  close(): void {
    this.#closed = true;
    for (const call of this.#calls) {
      for (const pending of call.batch) pending.settle(UNAVAILABLE);
    }
    for (const pending of [...this.#again, ...this.#waiting]) pending.settle(UNAVAILABLE);
    this.#again = [];
    this.#waiting = [];
  }

  // Sending.

  #sendLater(): void {
    // Under thousands of busy connections a turn lasts for seconds: its end is too late then.
    if (this.#waiting.length >= QUESTIONS_PER_BATCH_MAX) this.#send();
    if (this.#sendScheduled) return;
    this.#sendScheduled = true;
    this.#options.atTurnsEnd(() => {
      this.#sendScheduled = false;
      this.#send();
    });
  }

  #send(): void {
    if (this.#reign === null) return;
    let route: R | null = null;
    while (this.#waiting.length > 0 && this.#callsInFlight < CALLS_IN_FLIGHT_MAX) {
      route ??= this.#options.route();
      if (route === null) return;
      const batch = this.#takeBatch();
      if (batch.length > 0) this.#call(route, this.#reign, batch);
    }
    route?.flush();
  }

  #takeBatch(): readonly PendingQuestion[] {
    const batch: PendingQuestion[] = [];
    let taken = 0;
    for (const pending of this.#waiting) {
      if (!pending.settled) {
        const isFull = batch.length === QUESTIONS_PER_BATCH_MAX || pending.alone;
        if (isFull && batch.length > 0) break;
        batch.push(pending);
      }
      taken += 1;
      if (pending.alone && batch.length > 0) break;
    }
    if (taken === this.#waiting.length) this.#waiting = [];
    else this.#waiting.splice(0, taken);
    return batch;
  }

  #call(route: R, reign: Reign, batch: readonly PendingQuestion[]): void {
    const questions = batch.map((pending) => pending.attempt());
    const sentAtMs = this.#options.nowMs();
    const call: Call<R> = { reign, route, batch, questions, sentAtMs, abandoned: false };
    this.#calls.add(call);
    this.#callsInFlight += 1;
    this.#options.call(route, questions, (result) => {
      if (result.kind === "failed") this.#failed(call, result.failure);
      else this.#answered(call, result);
    });
  }

  // What became of a call.

  #answered(call: Call<R>, result: AskResult): void {
    this.#end(call);
    this.#rate.answered(call.batch.length, this.#options.nowMs());
    if (result.kind === "answers" && result.answers.length === call.batch.length) {
      for (const [index, pending] of call.batch.entries()) {
        const answer = result.answers[index];
        const asked = call.questions[index];
        if (!answer || !asked || pending.settled) continue;
        if (answer.kind !== "busy") pending.answer(answer, asked);
        else if (!call.abandoned) this.#askAgain(pending, false);
      }
    } else {
      if (result.kind === "answers") {
        const counts = { asked: call.batch.length, answered: result.answers.length };
        this.#options.onMismatch(call.route.replica, counts);
      }
      if (call.route.replica !== call.reign.leader) call.route.lost();
      this.#askAllAgain(call);
    }
    this.#sendLater();
  }

  #failed(call: Call<R>, failure: CallFailure): void {
    this.#end(call);
    switch (failure) {
      case "busy": // not sent
        if (!call.abandoned) for (const pending of call.batch) this.#askAgain(pending, false);
        break;
      case "closed":
        this.#askAllAgain(call);
        break;
      case "timeout":
        call.route.silent();
        this.#askAllAgain(call);
        break;
      case "failed":
        for (const pending of call.batch) pending.alone = true;
        this.#askAllAgain(call);
        break;
      case "refused":
        // One of them is at fault: by itself it can't be answered, the others can.
        if (call.batch.length === 1) for (const pending of call.batch) pending.settle(UNAVAILABLE);
        for (const pending of call.batch) pending.alone = true;
        this.#askAllAgain(call);
        break;
    }
    this.#sendLater();
  }

  #end(call: Call<R>): void {
    this.#calls.delete(call);
    if (!call.abandoned) this.#callsInFlight -= 1;
  }

  /** Stops waiting for a call, though not listening to it. */
  #abandon(call: Call<R>): void {
    if (call.abandoned) return;
    this.#askAllAgain(call);
    this.#callsInFlight -= 1;
    call.abandoned = true;
  }

  /** The fate of what was asked is unknown. */
  #askAllAgain(call: Call<R>): void {
    if (call.abandoned) return;
    for (const pending of call.batch) {
      this.#askAgain(pending, true);
    }
  }

  #askAgain(pending: PendingQuestion, inDoubt: boolean): void {
    if (pending.settled) return;
    pending.failed(inDoubt);
    this.#again.push(pending);
  }

  /** Those asked before go first: they have waited longest. */
  #requeue(): void {
    if (this.#again.length === 0) return;
    this.#waiting = [...this.#again, ...this.#waiting];
    this.#again = [];
  }

  // Time.

  /** Turns away what waited for too long while no sweep comes, since this turn doesn't end. */
  #shedInTime(nowMs: number): void {
    const wasIdle = nowMs - this.#askedAtMs > SWEEP_GAP_MS; // or paused, which is no overload
    this.#askedAtMs = nowMs;
    if (wasIdle) this.#shedAtMs = nowMs;
    const isSwept = this.#sweptAtMs === null || nowMs - this.#sweptAtMs <= SWEEP_GAP_MS;
    if (isSwept || nowMs - this.#shedAtMs < SHED_EVERY_MS) return;
    this.#shedAtMs = nowMs;
    this.#expireWaiting(nowMs);
  }

  #expireWaiting(nowMs: number): void {
    let settledSome = false;
    for (const pending of this.#waiting) {
      if (nowMs >= pending.deadlineAtMs) pending.settle(UNAVAILABLE);
      else if (!pending.inDoubt && this.#isTooLateToStart(pending, nowMs)) {
        pending.settle(OVERLOADED); // Q3
      }
      settledSome ||= pending.settled;
    }
    if (settledSome) this.#waiting = this.#waiting.filter((pending) => !pending.settled);
  }

  #isTooLateToStart(pending: PendingQuestion, nowMs: number): boolean {
    if (this.#askableSinceMs === null) return false;
    return nowMs - Math.max(pending.arrivedAtMs, this.#askableSinceMs) >= START_LIMIT_MS;
  }

  #expireCall(call: Call<R>, nowMs: number): void {
    for (const pending of call.batch) {
      if (nowMs >= pending.deadlineAtMs) pending.settle(UNAVAILABLE);
    }
    if (!call.abandoned && nowMs - call.sentAtMs >= ANSWER_WAIT_MS) {
      call.route.silent();
      this.#abandon(call);
    }
  }
}

/** How many questions were answered lately, each counting the less the longer ago that was. */
class AnswerRate {
  #count = 0;
  #atMs = 0;

  answered(questions: number, nowMs: number): void {
    this.#count = this.#countAt(nowMs) + questions;
    this.#atMs = nowMs;
  }

  perMs(nowMs: number): number {
    return this.#countAt(nowMs) / RATE_WINDOW_MS;
  }

  #countAt(nowMs: number): number {
    return this.#count * Math.exp((this.#atMs - nowMs) / RATE_WINDOW_MS);
  }
}
