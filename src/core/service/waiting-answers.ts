// Decided answers that may not be told yet, in the order they were decided.
//
//   R2. An accepted change is told once its entry is exposed.
//   - What was only read, or refused, is told once the state it was decided
//     on is exposed, and a quorum has confirmed, after the question came,
//     that this replica led: a leader that was cut off or paused can't answer
//     with the past.
//
// Each ask is settled exactly once; close() settles all that are left as
// unknown, since a next leader may carry their entries on or drop them.

import type { DecidedAsk } from "./turn.ts";
import type { AskResult } from "./types.ts";

/** How an ask is answered to its caller. */
export type Settle = (result: AskResult) => void;

interface Turn {
  /** The newest position that its answers rest on. */
  readonly position: number;
  /** To settle when exposed; then empty. */
  proven: readonly Waiting[];
  /** To settle when exposed and confirmed, or when that can't be any more; then empty. */
  unproven: readonly Waiting[];
  exposed: boolean;
  /** Null while the quorum hasn't answered. */
  confirmed: boolean | null;
}

interface Waiting {
  readonly ask: DecidedAsk;
  readonly settle: Settle;
}

export class WaitingAnswers {
  /** Ascending by position; those before #first are exposed. */
  #turns: Turn[] = [];
  #first = 0;
  /** Exposed turns whose confirmation is still out. */
  readonly #unconfirmed = new Set<Turn>();
  #questions = 0;

  /** Turns not exposed yet. */
  get turns(): number {
    return this.#turns.length - this.#first;
  }

  /** Questions decided and not yet answered. */
  get questions(): number {
    return this.#questions;
  }

  /**
   * Keeps a turn's answers until `position` is exposed. `confirm` is called once
   * per turn, and only if some answer needs it; it says whether a quorum
   * confirmed, in a round begun after this call.
   */
  add(
    position: number,
    waiting: readonly Waiting[],
    confirm: (settled: (confirmed: boolean) => void) => void,
  ): void {
    const unproven = waiting.filter((each) => each.ask.needsConfirm);
    const turn: Turn = {
      position,
      proven: unproven.length === 0 ? waiting : waiting.filter((each) => !each.ask.needsConfirm),
      unproven,
      exposed: false,
      confirmed: unproven.length === 0 ? true : null,
    };
    this.#turns.push(turn);
    for (const { ask } of waiting) this.#questions += ask.answers.length;
    if (turn.confirmed === null) {
      confirm((confirmed) => {
        if (turn.confirmed !== null) return; // closed meanwhile
        turn.confirmed = confirmed;
        if (turn.exposed || !confirmed) this.#settleUnproven(turn);
      });
    }
  }

  /** Everything up to `position` is exposed. */
  exposed(position: number): void {
    for (let turn = this.#turns[this.#first]; turn; turn = this.#turns[this.#first]) {
      if (turn.position > position) break;
      this.#first++;
      turn.exposed = true;
      this.#settleProven(turn, true);
      if (turn.confirmed === null) this.#unconfirmed.add(turn);
      else this.#settleUnproven(turn);
    }
    if (this.#first > 64 && this.#first * 2 > this.#turns.length) {
      this.#turns = this.#turns.slice(this.#first);
      this.#first = 0;
    }
  }

  /** The reign is over: the fate of all that wait is unknown. */
  close(): void {
    const left = this.#turns.slice(this.#first);
    this.#turns = [];
    this.#first = 0;
    for (const turn of left) this.#settleProven(turn, false);
    for (const turn of [...this.#unconfirmed, ...left]) {
      turn.confirmed = false;
      this.#settleUnproven(turn);
    }
  }

  #settleProven(turn: Turn, told: boolean): void {
    const waiting = turn.proven;
    turn.proven = [];
    this.#settle(waiting, told);
  }

  /** Called when it is exposed and confirmed, or when it will never be. */
  #settleUnproven(turn: Turn): void {
    this.#unconfirmed.delete(turn);
    const waiting = turn.unproven;
    turn.unproven = [];
    this.#settle(waiting, turn.confirmed === true);
  }

  #settle(waiting: readonly Waiting[], told: boolean): void {
    for (const { ask, settle } of waiting) {
      this.#questions -= ask.answers.length;
      settle(told ? { kind: "answers", answers: ask.answers } : { kind: "unknown" });
    }
  }
}
