// The stocks as those who watch see them: the first by name, told of only where
// they changed.
//
// They come from a catalog, as GET /stocks does, and never from copies: a
// spectator changes neither what the cache holds nor what it counts.

import type { StockRow, StocksPart, Trails } from "../../../client/event-messages.ts";
import type { Stock } from "../../../core/market/types.ts";
import type { Stocks } from "../stocks/stocks.ts";
import {
  STOCKS_BUSY_MS,
  STOCKS_IDLE_MS,
  STOCKS_SHOWN_MAX,
  TRAIL_STEP_MS,
  TRAIL_STEPS_MAX,
} from "./events-limits.ts";
import type { Volume } from "./events-tape.ts";

const NOTHING = { volume: 0, trades: 0 } as const;
const UNKNOWN = { volume: null, trades: null } as const;

interface Sums {
  /** Null until they are known. */
  readonly volumes: ReadonlyMap<string, Volume> | null;
  readonly countedFrom: number;
}

export class WatchedStocks {
  readonly #stocks: Pick<Stocks<never>, "page">;
  readonly #sums: Sums;
  /** Null until somebody has told. */
  #shown: readonly Stock[] | null = null;
  #total = 0;
  #nextAtMs = 0;
  #trailAtMs = 0;
  #isAsking = false;
  /** Rows as they were told, by name; null when none were. */
  #told: ReadonlyMap<string, StockRow> | null = null;
  #toldTotal = 0;
  #toldFrom = 1;
  readonly #trails = new Map<string, number[]>();

  constructor(stocks: Pick<Stocks<never>, "page">, sums: Sums) {
    this.#stocks = stocks;
    this.#sums = sums;
  }

  /** Asks if it is time. `isBusy`: orders were committed since the last time. Never rejects. */
  async ask(nowMs: number, isBusy: boolean): Promise<void> {
    if (this.#isAsking || nowMs < this.#nextAtMs - (isBusy ? STOCKS_IDLE_MS - STOCKS_BUSY_MS : 0)) {
      return;
    }
    this.#isAsking = true;
    try {
      const answer = await this.#stocks.page({ after: "", limit: STOCKS_SHOWN_MAX });
      if (answer.kind !== "stocks") return;
      this.#total = answer.total;
      this.#shown = answer.stocks;
    } finally {
      this.#isAsking = false;
      this.#nextAtMs = nowMs + STOCKS_IDLE_MS;
    }
  }

  /** Notes quantities for the trails, if it is time. */
  step(nowMs: number): void {
    if (nowMs < this.#trailAtMs) return;
    this.#trailAtMs = nowMs + TRAIL_STEP_MS;
    for (const { name, quantity } of this.#shown ?? []) {
      const trail = this.#trails.get(name) ?? [];
      trail.push(quantity);
      if (trail.length > TRAIL_STEPS_MAX) trail.shift();
      this.#trails.set(name, trail);
    }
  }

  get trails(): Trails {
    return Object.fromEntries(this.#trails);
  }

  /** All rows, for a whole picture; null until they are known. */
  get all(): StocksPart | null {
    if (this.#shown === null) return null;
    const rows = this.#shown.map((stock) => this.#row(stock));
    return { rows, total: this.#total, countedFrom: this.#sums.countedFrom };
  }

  /** The rows that changed since the last take(); null when none did. */
  take(): StocksPart | null {
    const { all } = this;
    const told = this.#told;
    if (all === null) return null;
    const { rows, total, countedFrom } = all;
    const changed = rows.filter((row) => !isSame(row, told?.get(row.name)));
    const isSaid = told !== null && total === this.#toldTotal && countedFrom === this.#toldFrom;
    if (changed.length === 0 && isSaid) return null;
    this.#told = new Map(rows.map((row) => [row.name, row]));
    this.#toldTotal = total;
    this.#toldFrom = countedFrom;
    return { rows: changed, total, countedFrom };
  }

  #row({ name, price, quantity }: Stock): StockRow {
    const { volumes } = this.#sums;
    const { volume, trades } = volumes?.get(name) ?? (volumes ? NOTHING : UNKNOWN);
    return { name, price, quantity, volume, trades };
  }
}

function isSame(a: StockRow, b: StockRow | undefined): boolean {
  return (
    b !== undefined &&
    a.price === b.price &&
    a.quantity === b.quantity &&
    a.volume === b.volume &&
    a.trades === b.trades
  );
}
