// The questions of a front end's clients on their way to the order leader: the
// rules of core/service/questions.ts, driven by real calls, turns and time.

import type { Logger } from "pino";
import { QUESTION_DEADLINE_MS } from "../../core/service/limits.ts";
import type { AttemptObserver } from "../../core/service/pending-question.ts";
import {
  type CallFailure,
  type CallResult,
  type Route as QuestionRoute,
  Questions as QuestionRules,
} from "../../core/service/questions.ts";
import { Complaints } from "../../io/rpc/complaints.ts";
import { RpcError } from "../../io/rpc/error.ts";
import type { AskResult, Question } from "../contract.ts";
import { COMPLAINT_INTERVAL_MS } from "./order-service-limits.ts";
import type { Asked, AskOptions } from "./orders.ts";

/** A replica to ask: the leader, or one that relays to it. */
export interface Route extends QuestionRoute {
  /** Rejects with RpcError. */
  ask(questions: Question[]): Promise<AskResult>;
}

export interface QuestionsOptions {
  /** Whom to ask now; null while nobody can be reached. Called only while there is a leader. */
  readonly route: () => Route | null;
  readonly log: Logger;
  /** Monotonic milliseconds. Default performance.now. */
  readonly nowMs?: () => number;
}

export class Questions {
  readonly #rules: QuestionRules<Route>;
  readonly #complaints: Complaints;

  constructor(options: QuestionsOptions) {
    const nowMs = options.nowMs ?? (() => performance.now());
    this.#complaints = new Complaints(options.log, COMPLAINT_INTERVAL_MS, nowMs);
    this.#rules = new QuestionRules({
      route: options.route,
      call: (route, questions, settled) => this.#call(route, questions, settled),
      // Check phase: every socket that had a request in this turn was read by then.
      atTurnsEnd: setImmediate,
      nowMs,
      observer: attemptLines(options.log),
      onMismatch: (replica, counts) =>
        this.#complaints.warn(
          `pairs ${replica}`,
          { replica, ...counts },
          "Answers don't pair up with the questions",
        ),
    });
  }

  /** Never rejects. */
  ask(question: Question, options: AskOptions = {}): Promise<Asked> {
    return new Promise((settled) => {
      const { deadlineMs = QUESTION_DEADLINE_MS } = options;
      this.#rules.ask(question, deadlineMs, settled);
    });
  }

  /** Another reign began, or, with null, there is no leader for now. */
  leaderChanged(reign: { readonly leader: number; readonly epoch: number } | null): void {
    this.#rules.leaderChanged(reign);
  }

  /** Looks for what took too long, and asks again what has to be. Call it every few tens of milliseconds. */
  sweep(): void {
    this.#rules.sweep();
  }

  /** Everyone who still waits is told "unavailable". */
  close(): void {
    this.#rules.close();
  }

  #call(route: Route, questions: Question[], settled: (result: CallResult) => void): void {
    route.ask(questions).then(settled, (error: unknown) => {
      settled({ kind: "failed", failure: this.#failureOf(route, error) });
    });
  }

  #failureOf({ replica }: Route, error: unknown): CallFailure {
    const failure = error instanceof RpcError ? error.failure : "failed";
    if (failure === "failed" || failure === "refused") {
      const line = failure === "failed" ? "Questions failed" : "Questions refused";
      this.#complaints.warn(`${failure} ${replica}`, { replica, err: error }, line);
    }
    return failure;
  }
}

/** In the words of the seed's logs. */
function attemptLines(log: Logger): AttemptObserver {
  const requestId = (question: Question) =>
    question.kind === "request" ? { requestId: question.requestId } : {};
  return {
    failed(question) {
      if (log.isLevelEnabled("debug")) log.debug(requestId(question), "Trying request again...");
    },
    triedAgain(question) {
      if (log.isLevelEnabled("debug")) log.debug(requestId(question), "Calling trade service");
    },
  };
}
