// One question of a client, from its arrival until it is answered.
//
// There is one of these for every request that reaches the leader, thousands a
// second: no timer of its own, and one promise.
//
//   P1. It settles once; the first answer counts.
//   P2. A change asked again after an attempt of unknown fate has its refusal
//       recorded. A late first attempt could otherwise buy after the client was
//       told no.
//   P3. Nor does the client learn of a refusal that wasn't recorded while such a
//       later attempt is under way: that one may still be accepted.

import type { Answer, Asked, Question } from "./types.ts";

/** Who is told of attempts. */
export interface AttemptObserver {
  /** An attempt brought no answer; another will follow. */
  failed(question: Question): void;
  /** A trade is attempted again. */
  triedAgain(question: Question): void;
}

export class PendingQuestion {
  readonly arrivedAtMs: number;
  readonly deadlineAtMs: number;
  /** A call that it was in failed as a whole: asked by itself, it can't hurt others. */
  alone = false;

  readonly #question: Question;
  readonly #observer: AttemptObserver | null;
  readonly #resolve: (asked: Asked) => void;
  #settled = false;
  #inDoubt = false;
  #attempts = 0;
  /** It was asked again while an earlier attempt was in doubt. */
  #askedInDoubt = false;

  /** `resolve` is called once. */
  constructor(
    question: Question,
    arrivedAtMs: number,
    deadlineMs: number,
    observer: AttemptObserver | null,
    resolve: (asked: Asked) => void,
  ) {
    this.arrivedAtMs = arrivedAtMs;
    this.deadlineAtMs = arrivedAtMs + deadlineMs;
    this.#question = question;
    this.#observer = observer;
    this.#resolve = resolve;
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** An attempt may have been carried out, though it wasn't answered. */
  get inDoubt(): boolean {
    return this.#inDoubt;
  }

  /** An answer to an attempt that was made as `asked` came. */
  answer(answer: Answer, asked: Question): void {
    const isRefused = answer.kind === "outcome" && answer.outcome.kind === "refused";
    const isRecorded = asked.kind === "request" && asked.recordRefusal;
    if (isRefused && !isRecorded && this.#askedInDoubt) return; // P3
    this.settle({ kind: "answer", answer });
  }

  settle(asked: Asked): void {
    if (this.#settled) return; // P1
    this.#settled = true;
    this.#resolve(asked);
  }

  /** The question of the next attempt. */
  attempt(): Question {
    const question = this.#question;
    const again = this.#attempts > 0;
    this.#attempts += 1;
    this.#askedInDoubt = this.#inDoubt;
    if (question.kind !== "request") return question;
    if (again && question.content.kind === "trade") this.#observer?.triedAgain(question);
    return this.#inDoubt && !question.recordRefusal
      ? { ...question, recordRefusal: true } // P2
      : question;
  }

  /** The attempt brought no answer; another will follow. `inDoubt`: it may have been carried out. */
  failed(inDoubt: boolean): void {
    this.#inDoubt ||= inDoubt;
    this.#observer?.failed(this.#question);
  }
}
