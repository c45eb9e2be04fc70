// What a replica decides and answers during one reign: the real turns and
// waiting answers, over the market as its journal says it.

import { decodeCommands } from "../src/core/market/codec.ts";
import { MarketState } from "../src/core/market/state.ts";
import type { Entry } from "../src/core/replication/types.ts";
import { decideTurn, type OrderTables } from "../src/core/service/turn.ts";
import type { AskResult, Question } from "../src/core/service/types.ts";
import { WaitingAnswers } from "../src/core/service/waiting-answers.ts";
import type { PositionedAnswer } from "./messages.ts";

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

/** All orders are in the market's tail here, and are never released. */
const NO_TABLES: OrderTables = {
  order: () => undefined,
  orders: () => [],
  readTogether: (read) => read(),
};

export class Desk {
  readonly #log: DeskLog;
  readonly #market: MarketState;
  readonly #waiting = new WaitingAnswers();
  #statePosition: number;
  #exposed = 0;

  /** `committed` is the whole journal so far. */
  constructor(log: DeskLog, committed: readonly Entry[]) {
    this.#log = log;
    this.#market = new MarketState({
      stocks: [],
      lastNumber: 0,
      older: { request: () => undefined },
    });
    for (const { position, body } of committed) {
      if (body.kind === "command") this.#market.apply(position, decodeCommands(body.bytes));
    }
    this.#statePosition = committed.at(-1)?.position ?? 0;
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
    const nextPosition = this.#log.lastPosition() + 1;
    const { asks, entries } = decideTurn({
      market: this.#market,
      tables: NO_TABLES,
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
      const answers = ask.answers.map((answer): PositionedAnswer => ({ ...answer, position }));
      return { ask: { ...ask, answers }, settle: reply };
    });
    this.#waiting.add(position, waiting, (settled) => this.#log.round(settled));
    this.#waiting.exposed(this.#exposed);
  }
}
