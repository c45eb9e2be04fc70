// The catalog's own questions to the order leader, whoever that is by then: each
// is asked again, over changes of the leader too, until it is answered or its
// deadline has passed. A change keeps its request id, so that it counts once.

import { setTimeout as pause } from "node:timers/promises";
import type { Answer, AskResult, Question } from "../contract.ts";
import { LEADER_DEADLINE_MS, LEADER_PAUSE_MS, LEADER_QUESTIONS_IN_HAND_MAX } from "./limits.ts";
import type { Replicas } from "./replicas.ts";

export interface LeaderQuestionsOptions {
  readonly replicas: Replicas;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

/** What became of a question. */
export type LeaderAnswer =
  | Exclude<Answer, { kind: "busy" }>
  /** Too many are under way; nothing was done. */
  | { readonly kind: "too-many" }
  /** Nobody could decide in time: the fate of a change is unknown. */
  | { readonly kind: "unanswered" };

export class LeaderQuestions {
  readonly #options: LeaderQuestionsOptions;
  #inHand = 0;

  constructor(options: LeaderQuestionsOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async ask(question: Question): Promise<LeaderAnswer> {
    if (this.#inHand >= LEADER_QUESTIONS_IN_HAND_MAX) return { kind: "too-many" };
    this.#inHand++;
    try {
      return await this.#answered(question);
    } finally {
      this.#inHand--;
    }
  }

  async #answered(first: Question): Promise<LeaderAnswer> {
    const { nowMs } = this.#options;
    const deadlineMs = nowMs() + LEADER_DEADLINE_MS;
    let question = first;
    for (let attempt = 0; nowMs() < deadlineMs; attempt++) {
      const answer = await this.#attempt(question, attempt);
      if (answer !== null && answer.kind !== "busy") return answer;
      // From now on an attempt may be under way somewhere: what it is told must hold for all.
      if (first.kind === "request") question = { ...first, recordRefusal: true };
      await pause(LEADER_PAUSE_MS);
    }
    return { kind: "unanswered" };
  }

  /** The answer, or null when there is none: nobody to ask, no leader, or an unknown fate. */
  async #attempt(question: Question, attempt: number): Promise<Answer | null> {
    const { replicas } = this.#options;
    const replica = replicas.toAsk(attempt);
    if (replica === null) return null;
    let result: AskResult;
    try {
      result = await replica.calls.ask({ relayed: false, questions: [question] });
    } catch {
      if (replicas.leader === replica.id) replicas.heardOfLeader(null);
      return null;
    }
    if (result.kind === "answers") return result.answers[0] ?? null;
    if (result.kind === "not-leader") {
      replicas.heardOfLeader(result.leader === replica.id ? null : result.leader);
    } else if (replicas.leader === replica.id) {
      replicas.heardOfLeader(null);
    }
    return null;
  }
}
