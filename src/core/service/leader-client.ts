// Asks the order leader, whoever that is by then, one question at a time: for
// a catalog, whose clients' finds and updates are the leader's to answer, and for
// the command line. A front end has batches and routes instead: questions.ts.
//
//   A1. A question is asked again, over changes of the leader too, until it is
//       answered or its deadline has passed.
//   A2. A change keeps its request id, so that it counts once; and since an
//       earlier attempt may be under way still, a refusal of a later one is
//       recorded, so that it holds for both.
//   A3. Who doesn't lead may name who does: that one is asked at once, one step
//       only, since two that name each other would have it go back and forth.

import { LEADER_PAUSE_MS, LEADER_QUESTIONS_IN_HAND_MAX, QUESTION_DEADLINE_MS } from "./limits.ts";
import type { Answer, AskResult, Question } from "./types.ts";

/** What became of a question. */
export type LeaderAnswer =
  | Exclude<Answer, { kind: "busy" }>
  /** Too many are under way; nothing was done. */
  | { readonly kind: "too-many" }
  /** Nobody could decide in time: the fate of a change is unknown. `why` is of the last attempt. */
  | { readonly kind: "unanswered"; readonly why: string }
  /** Asking again can't help. */
  | { readonly kind: "impossible"; readonly why: string };

/** What became of one attempt. */
export type Attempt =
  | AskResult
  /** No answer came; whether the question was carried out is unknown. `isFinal`: nor will one ever. */
  | { readonly kind: "failed"; readonly why: string; readonly isFinal: boolean };

export interface LeaderClientOptions {
  /** Ids of the replicas that can be asked now. */
  readonly reachable: () => readonly number[];
  /** Asks one of them, and calls back once, in bounded time. */
  readonly ask: (replica: number, question: Question, settled: (attempt: Attempt) => void) => void;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly after: (ms: number, run: () => void) => void;
  /** How long a question is asked again; QUESTION_DEADLINE_MS unless told. */
  readonly limitMs?: number;
}

interface Asking {
  question: Question;
  readonly deadlineMs: number;
  readonly settled: (answer: LeaderAnswer) => void;
  attempts: number;
  /** The one that is asked now was named by the one before. */
  isNamed: boolean;
}

export class LeaderClient {
  readonly #options: LeaderClientOptions;
  /** The best guess; a wrong one costs a hop, nothing else. */
  #leader: number | null = null;
  #inHand = 0;

  constructor(options: LeaderClientOptions) {
    this.#options = options;
  }

  /** Somebody who must know says that this replica leads. */
  heardOf(leader: number): void {
    this.#leader = leader;
  }

  /** Calls `settled` once: by the deadline, or when the attempt that is under way then ends. */
  ask(question: Question, settled: (answer: LeaderAnswer) => void): void {
    if (this.#inHand >= LEADER_QUESTIONS_IN_HAND_MAX) {
      settled({ kind: "too-many" });
      return;
    }
    this.#inHand += 1;
    const { nowMs, limitMs = QUESTION_DEADLINE_MS } = this.#options;
    const deadlineMs = nowMs() + limitMs;
    this.#attempt({ question, deadlineMs, settled, attempts: 0, isNamed: false });
  }

  #attempt(asking: Asking): void {
    const replica = this.#whomToAsk(asking.attempts);
    asking.attempts += 1;
    if (replica === null) this.#again(asking, "no replica can be reached");
    else {
      this.#options.ask(replica, asking.question, (attempt) =>
        this.#attempted(asking, replica, attempt),
      );
    }
  }

  /** The leader if it can be reached, else others in turn: the highest id leads unless it has failed. */
  #whomToAsk(attempts: number): number | null {
    const reachable = this.#options.reachable();
    if (this.#leader !== null && reachable.includes(this.#leader)) return this.#leader;
    return reachable.toSorted((a, b) => b - a)[attempts % reachable.length] ?? null;
  }

  #attempted(asking: Asking, replica: number, attempt: Attempt): void {
    if (attempt.kind === "answers") {
      const [answer] = attempt.answers;
      if (answer === undefined) {
        this.#end(asking, { kind: "impossible", why: `${replica} gave no answer to a question` });
      } else if (answer.kind === "busy") this.#again(asking, "the leader is busy");
      else {
        this.#leader = replica;
        this.#end(asking, answer);
      }
      return;
    }
    if (this.#leader === replica) this.#leader = null;
    if (attempt.kind === "failed" && attempt.isFinal) {
      this.#end(asking, { kind: "impossible", why: attempt.why });
    } else if (attempt.kind === "not-leader") {
      const named = attempt.leader === replica ? null : attempt.leader;
      if (named !== null) this.#leader = named;
      this.#again(asking, `${replica} doesn't lead`, named !== null);
    } else {
      this.#again(
        asking,
        attempt.kind === "failed" ? attempt.why : "the leader was lost on the way",
      );
    }
  }

  #again(asking: Asking, why: string, isNamed = false): void {
    const { nowMs, after } = this.#options;
    if (asking.question.kind === "request") {
      asking.question = { ...asking.question, recordRefusal: true }; // A2
    }
    if (nowMs() >= asking.deadlineMs) {
      this.#end(asking, { kind: "unanswered", why });
      return;
    }
    const isAtOnce = isNamed && !asking.isNamed; // A3
    asking.isNamed = isAtOnce;
    if (isAtOnce) this.#attempt(asking);
    else after(LEADER_PAUSE_MS, () => this.#attempt(asking));
  }

  #end({ settled }: Asking, answer: LeaderAnswer): void {
    this.#inHand -= 1;
    settled(answer);
  }
}
