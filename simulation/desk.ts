// What a replica decides and answers during one reign: the real turns and
// waiting answers, over the market at its journal's end.

import type { MarketState } from "../src/core/market/state.ts";
import { decideTurn } from "../src/core/service/turn.ts";
import type { AskResult, Question } from "../src/core/service/types.ts";
import { WaitingAnswers } from "../src/core/service/waiting-answers.ts";
import type { PositionedAnswer } from "./messages.ts";
import type { Tables } from "./tables.ts";

export interface DeskAsk {
  readonly questions: readonly Question[];
  readonly reply: (result: AskResult) => void;
}

/** What the desk needs of the log it decides for. */
export interface DeskLog {
  lastPosition(): number;
  append(commands: readonly Uint8Array[]): void;
  /** Begins a round, and says whether a quorum confirmed it, if asked to. */
  round(confirm: ((leads: boolean) => void) | null): void;
}

export class Desk {
  readonly #log: DeskLog;
  readonly #tables: Tables;
  readonly #market: MarketState;
  readonly #waiting = new WaitingAnswers();
  #statePosition: number;
  #exposed = 0;

  constructor(log: DeskLog, tables: Tables, market: MarketState) {
    this.#log = log;
    this.#tables = tables;
    this.#market = market;
    this.#statePosition = log.lastPosition();
  }

  exposed(position: number): void {
    this.#exposed = position;
    this.#waiting.exposed(position);
  }

  /** The reign is over. */
  close(): void {
    this.#waiting.close();
  }

  /** One turn: everything asked is decided in order, and shares one entry and one round. */
  turn(asked: readonly DeskAsk[]): void {
    this.#market.releaseThrough(this.#tables.appliedPosition);
    const nextPosition = this.#log.lastPosition() + 1;
    const { asks, entries } = decideTurn({
      market: this.#market,
      tables: this.#tables,
      statePosition: this.#statePosition,
      nextPosition,
      asks: asked.map(({ questions }) => questions),
      trace: null,
    });
    if (entries.length > 0) {
      this.#log.append(entries);
      this.#statePosition = nextPosition + entries.length - 1;
      this.#log.round(null);
    }
    const position = this.#statePosition;
    const waiting = asked.map(({ reply }, index) => {
      const ask = asks[index] ?? { answers: [], needsConfirm: false };
      const answers = ask.answers.map((answer): PositionedAnswer => ({ position, ...answer }));
      return { ask: { ...ask, answers }, settle: reply };
    });
    this.#waiting.add(position, waiting, (settled) => this.#log.round(settled));
    this.#waiting.exposed(this.#exposed);
  }
}
