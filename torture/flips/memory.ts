// A market in memory, which no flipped bit reaches: it decides what the files are
// made of, and knows what is true in them.

import { MarketState } from "../../src/core/market/state.ts";
import type { Entry, EntryBody } from "../../src/core/replication/types.ts";
import { decideTurn, type OrderTables } from "../../src/core/service/turn.ts";
import type { Answer, Question } from "../../src/core/service/types.ts";

export class Memory {
  readonly market = new MarketState({
    stocks: [],
    lastNumber: 0,
    older: { request: () => undefined },
  });
  readonly #tables: OrderTables = {
    order: () => undefined,
    orders: () => [],
    requestIds: () => [],
    readTogether: (read) => read(),
  };
  readonly entries: Entry[] = [];
  epoch = 0;

  get position(): number {
    return this.entries.length;
  }

  /** Decides questions; what they changed is in `entries` then. */
  ask(questions: readonly Question[]): { answers: readonly Answer[]; entries: readonly Entry[] } {
    const { asks, entries } = decideTurn({
      market: this.market,
      tables: this.#tables,
      statePosition: this.position,
      nextPosition: this.position + 1,
      asks: [questions],
      observer: {},
    });
    const added = entries.map((bytes) => this.add({ kind: "command", bytes }));
    return { answers: asks[0]?.answers ?? [], entries: added };
  }

  /** Adds an entry; the commands in it have been applied. */
  add(body: EntryBody): Entry {
    const position = this.position + 1;
    const entry = { position, epoch: this.epoch, at: 1_800_000_000_000 + position, body };
    this.entries.push(entry);
    return entry;
  }
}
