// Questions on a bench: over replicas that do what the test says, by its clock.

import { type CallFailure, type CallResult, Questions, type Route } from "./questions.ts";
import { trade } from "./test-support.ts";
import type { Answer, Asked, AskResult, Question } from "./types.ts";

export const SWEEP_MS = 25;

/** A trade that is asked again after an attempt of unknown fate. */
export function again(requestId: string): Question {
  return trade(requestId, "FishCo", "sell", 1, true);
}

/** One call that Questions made; the test answers it. */
export interface Made {
  readonly replica: number;
  readonly questions: readonly Question[];
  answer(answers: readonly Answer[]): Promise<void>;
  result(result: AskResult): Promise<void>;
  fail(failure: CallFailure): Promise<void>;
}

export class Bench {
  nowMs = 1_000;
  readonly made: Made[] = [];
  readonly lost: number[] = [];
  readonly silent: number[] = [];
  /** Whom the route leads to; null for nobody. */
  asked: number | null = 9094;
  readonly questions: Questions<Route>;

  constructor() {
    this.questions = new Questions<Route>({
      route: () => this.#route(),
      call: ({ replica }, questions, settled) => this.#call(replica, questions, settled),
      atTurnsEnd: setImmediate,
      nowMs: () => this.nowMs,
      observer: null,
      onMismatch: () => {},
    });
    this.questions.sweep();
  }

  #route(): Route | null {
    const replica = this.asked;
    if (replica === null) return null;
    return {
      replica,
      flush() {},
      lost: () => this.lost.push(replica),
      silent: () => this.silent.push(replica),
    };
  }

  #call(
    replica: number,
    questions: readonly Question[],
    settled: (result: CallResult) => void,
  ): void {
    const end = (result: CallResult): Promise<void> => {
      settled(result);
      return turn();
    };
    this.made.push({
      replica,
      questions,
      answer: (answers) => end({ kind: "answers", answers: [...answers] }),
      result: end,
      fail: (failure) => end({ kind: "failed", failure }),
    });
  }

  ask(question: Question, deadlineMs = 10_000): Promise<Asked> {
    return new Promise((settled) => this.questions.ask(question, deadlineMs, settled));
  }

  lead(leader: number | null, epoch = 1): Promise<void> {
    this.asked = leader;
    this.questions.leaderChanged(leader === null ? null : { leader, epoch });
    return turn();
  }

  async pass(ms: number): Promise<void> {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += Math.min(SWEEP_MS, endMs - this.nowMs);
      this.questions.sweep();
    }
    await turn();
  }

  /** The nth call made, from 0. */
  call(index: number): Made {
    const made = this.made[index];
    if (!made) throw new Error(`only ${this.made.length} calls were made`);
    return made;
  }
}

/** Until everything due in this turn of the event loop is done, calls included. */
export async function turn(): Promise<void> {
  for (let i = 0; i < 2; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** What became of a promise so far. */
export function watch(asked: Promise<Asked>): { readonly now: () => Asked["kind"] | "pending" } {
  let kind: Asked["kind"] | "pending" = "pending";
  void asked.then((settled) => {
    kind = settled.kind;
  });
  return { now: () => kind };
}
