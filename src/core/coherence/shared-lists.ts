// Lists of all stocks on their way to a front end: whoever asks, one at a time.
//
//   T1. A list is shared only by those who asked before it was begun: it may be
//       older than what those were told who ask later. They share the next one.
//   T2. It is never put together from copies, nor from pieces of two lists.
//   T3. It isn't below what this front end had dropped when it was begun: a
//       catalog that lags behind another is asked no further, but the leader.
//   T4. The list that came last is told again only if who is asked says that no
//       stock has changed since.
//
// So it doesn't matter how many ask: there is one list to be read, sent and
// written down, and then the next. Sharing rests on no lease, as that of lookups
// does: those could wait for each other as well, but are worth an answer at once.
//
// Pure: what is to be asked goes out by calls, what comes back, and time, by others.

import type { StocksAnswer, StocksQuestion } from "../market/stock-lists.ts";
import type { Stock } from "../market/types.ts";
import { LIST_BEGIN_MS, QUESTION_DEADLINE_MS } from "../service/limits.ts";
import type { Unanswered } from "../service/types.ts";

/** `P` is a piece as it is kept, `L` the whole list made of them. */
export interface SharedListsOptions<P, L> {
  /** Asks a catalog, and calls back once; null: it can't say. */
  readonly askCatalog: (
    question: StocksQuestion,
    done: (answer: StocksAnswer | Unanswered | null) => void,
  ) => void;
  /** Asks the leader, for so long at most, and calls back once. */
  readonly askLeader: (
    question: StocksQuestion,
    deadlineMs: number,
    done: (answer: StocksAnswer | Unanswered) => void,
  ) => void;
  /** The newest position that something was dropped for. */
  readonly newestFloor: () => number;
  /** Stocks in one piece. */
  readonly pieceMax: number;
  /** Made of each piece when it comes. */
  readonly piece: (stocks: readonly Stock[]) => P;
  readonly whole: (pieces: readonly P[], position: number) => L;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  readonly after: (ms: number, run: () => void) => void;
}

type Done<L> = (list: L | Unanswered) => void;

/** One list, from its first question to its last piece. */
interface Reading<P, L> {
  readonly waiting: readonly Done<L>[];
  readonly floor: number;
  readonly deadlineMs: number;
  fromLeader: boolean;
  pieces: P[];
  /** Of its first piece; null before. */
  position: number | null;
}

export class SharedLists<P, L> {
  readonly #options: SharedListsOptions<P, L>;
  #underWay = 0;
  /** Those who wait for a list that isn't begun yet. */
  #next: Done<L>[] = [];
  /** The list that came last, and where it is true. */
  #last: { readonly position: number; readonly list: L } | null = null;

  constructor(options: SharedListsOptions<P, L>) {
    this.#options = options;
  }

  /** Calls `done` once: QUESTION_DEADLINE_MS and LIST_BEGIN_MS later at most. */
  list(done: Done<L>): void {
    this.#next.push(done); // T1
    if (this.#underWay === 0) this.#begin();
    else if (this.#next.length === 1) {
      const waiting = this.#next;
      this.#options.after(LIST_BEGIN_MS, () => {
        if (this.#next === waiting) this.#begin();
      });
    }
  }

  #begin(): void {
    const waiting = this.#next;
    if (waiting.length === 0) return;
    this.#next = [];
    this.#underWay += 1;
    this.#read({
      waiting,
      floor: this.#options.newestFloor(),
      deadlineMs: this.#options.nowMs() + QUESTION_DEADLINE_MS,
      fromLeader: false,
      pieces: [],
      position: null,
    });
  }

  /** Asks for the first piece, or the next one after `after`. */
  #read(reading: Reading<P, L>, after = ""): void {
    const { askCatalog, askLeader, pieceMax, nowMs } = this.#options;
    const { position, deadlineMs } = reading;
    const known = position === null ? this.#last?.position : undefined;
    const question = {
      after,
      limit: pieceMax,
      list: position,
      ...(known !== undefined && { known }),
    };
    const leftMs = deadlineMs - nowMs();
    const answered = (answer: StocksAnswer | Unanswered | null) => this.#answered(reading, answer);
    if (leftMs <= 0) this.#end(reading, { kind: "unavailable" });
    else if (reading.fromLeader) askLeader(question, leftMs, answered);
    else askCatalog(question, answered);
  }

  #answered(reading: Reading<P, L>, answer: StocksAnswer | Unanswered | null): void {
    switch (answer?.kind) {
      case "unavailable":
      case "overloaded":
        this.#end(reading, answer);
        break;
      case "stocks":
        if (this.#isBelow(reading, answer.position)) this.#readAnew(reading);
        else this.#took(reading, answer);
        break;
      case "unchanged": {
        const last = this.#last; // T4
        if (last === null || this.#isBelow(reading, answer.position)) this.#readAnew(reading);
        else this.#end(reading, last.list);
        break;
      }
      default:
        this.#readAnew(reading);
    }
  }

  /** T3. The leader's is as new as can be. */
  #isBelow({ fromLeader, floor }: Reading<P, L>, position: number): boolean {
    return !fromLeader && position < floor;
  }

  #took(reading: Reading<P, L>, answer: Extract<StocksAnswer, { kind: "stocks" }>): void {
    const { piece, whole } = this.#options;
    const { stocks, next, position } = answer;
    reading.position = position;
    reading.pieces.push(piece(stocks));
    if (next !== null) {
      this.#read(reading, next);
      return;
    }
    const list = whole(reading.pieces, position);
    if (this.#last === null || this.#last.position <= position) this.#last = { position, list };
    this.#end(reading, list);
  }

  /** Where it can't be gone on with: of the leader, from the first piece. T2 */
  #readAnew(reading: Reading<P, L>): void {
    reading.fromLeader = true;
    reading.pieces = [];
    reading.position = null;
    this.#read(reading);
  }

  #end({ waiting }: Reading<P, L>, list: L | Unanswered): void {
    this.#underWay -= 1;
    if (this.#underWay === 0) this.#begin();
    for (const done of waiting) done(list);
  }
}
