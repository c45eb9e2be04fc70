// Questions on a bench: over replicas that do what the test says, by its clock.

import pino from "pino";
import { RpcError } from "../../io/rpc/error.ts";
import type { RpcFailure } from "../../io/rpc/types.ts";
import type { Answer, AskResult, Question } from "../contract.ts";
import { Questions, type Route } from "./order-service-questions.ts";
import type { Asked } from "./orders.ts";

export const SWEEP_MS = 25;

/** One call that Questions made; the test answers it. */
export interface Made {
  readonly replica: number;
  readonly questions: readonly Question[];
  answer(answers: readonly Answer[]): Promise<void>;
  result(result: AskResult): Promise<void>;
  fail(failure: RpcFailure): Promise<void>;
}

/** Questions over replicas that do what the test says, by the test's clock. */
export class Bench {
  nowMs = 1_000;
  readonly made: Made[] = [];
  readonly lost: number[] = [];
  readonly silent: number[] = [];
  readonly lines: string[] = [];
  /** Whom the route leads to; null for nobody. */
  asked: number | null = 9094;
  readonly questions: Questions;

  constructor() {
    const log = pino(
      { level: "debug", base: null },
      { write: (line: string) => this.lines.push(JSON.parse(line).msg) },
    );
    this.questions = new Questions({ log, nowMs: () => this.nowMs, route: () => this.#route() });
    this.questions.sweep();
  }

  #route(): Route | null {
    const replica = this.asked;
    if (replica === null) return null;
    return {
      replica,
      ask: (questions) =>
        new Promise((resolve, reject) => {
          this.made.push({
            replica,
            questions,
            answer: (answers) => {
              resolve({ kind: "answers", answers: [...answers] });
              return turn();
            },
            result: (result) => {
              resolve(result);
              return turn();
            },
            fail: (failure) => {
              reject(new RpcError(failure, "as the test wants it"));
              return turn();
            },
          });
        }),
      flush: () => {},
      lost: () => this.lost.push(replica),
      silent: () => this.silent.push(replica),
    };
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
