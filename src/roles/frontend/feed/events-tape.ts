// The orders as they commit, whichever front end they came through.
//
//   - Numbers have no gaps, so every order is counted once: what this front
//     end's own answers don't tell is read from the leader, page by page.
//   - A tick reads a bounded number of pages. Who is too far behind leaves
//     orders out of the sums, and says from which number on it counts.
//
// The alternative, to have the leader push every order to whoever watches, would
// put the cost of a spectator on each trade.

import type { OrderRow, OrdersPart } from "../../../client/event-messages.ts";
import { type OrderView, ROWS_PER_PAGE_MAX } from "../../contract.ts";
import { askFor, type Orders } from "../orders/order-service.ts";
import {
  TAPE_BACKLOG_MAX,
  TAPE_KEPT_MAX,
  TAPE_PAGES_PER_TICK_MAX,
  TAPE_ROWS_MAX,
} from "./events-limits.ts";

/** What the counted orders of one stock add up to. */
export interface Volume {
  volume: number;
  trades: number;
}

export class Tape {
  readonly #orders: Pick<Orders, "ask">;
  /** Answered here, not yet counted; by number. */
  #own = new Map<number, OrderRow>();
  #last = 0;
  #countedFrom = 1;
  #kept: OrderRow[] = [];
  #fresh: OrderRow[] = [];
  #freshCount = 0;
  #isReading = false;
  /** Nobody watched until now: there may be more orders than can be summed. */
  #isBehind = true;
  /** What was committed before somebody watched is counted; from now on it is news. */
  #isLevel = false;
  /** That it is level was told: an empty bazaar has nothing else to tell. */
  #isTold = false;
  /** What was known when nobody watched any more; null until it was level once. */
  #rested: OrdersPart | null = null;
  readonly #volumes = new Map<string, Volume>();

  constructor(orders: Pick<Orders, "ask">) {
    this.#orders = orders;
  }

  get countedFrom(): number {
    return this.#countedFrom;
  }

  /** What the counted orders add up to, by stock; null until all there were are counted. */
  get volumes(): ReadonlyMap<string, Volume> | null {
    return this.#isLevel || this.#rested !== null ? this.#volumes : null;
  }

  /** A trade was answered here. */
  traded(order: OrderRow): void {
    if (order.number > this.#last && this.#own.size < TAPE_BACKLOG_MAX) {
      this.#own.set(order.number, order);
    }
  }

  /** Nobody watches any more. */
  rest(): void {
    this.#rested = this.newest;
    this.#own.clear();
    this.#isBehind = true;
    this.#isLevel = false;
  }

  /** Reads on, as far as one tick may. Never rejects; does nothing while it is at it already. */
  async read(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      if (this.#isBehind) await this.#skip();
      for (let page = 0; page < TAPE_PAGES_PER_TICK_MAX; page++) {
        this.#countOwn();
        const orders = await this.#page(this.#last, ROWS_PER_PAGE_MAX);
        for (const order of orders ?? []) this.#count(order);
        if (!orders) break;
        if (orders.length < ROWS_PER_PAGE_MAX) {
          this.#reached();
          break;
        }
      }
      this.#countOwn();
    } finally {
      this.#isReading = false;
    }
  }

  /** What came since the last take(); null when nothing did. */
  take(): OrdersPart | null {
    if (!this.#isLevel || (this.#freshCount === 0 && this.#isTold)) return null;
    this.#isTold = true;
    const part = {
      rows: this.#fresh,
      more: this.#freshCount - this.#fresh.length,
      last: this.#last,
    };
    this.#fresh = [];
    this.#freshCount = 0;
    return part;
  }

  /** The newest orders known, for a whole picture; null until they are. */
  get newest(): OrdersPart | null {
    if (!this.#isLevel) return this.#rested;
    return {
      rows: [...this.#kept],
      more: Math.max(0, this.#last - this.#kept.length),
      last: this.#last,
    };
  }

  /** All that had been committed is counted. */
  #reached(): void {
    if (this.#isLevel) return;
    this.#isLevel = true;
    this.#isTold = false;
    const known = this.#rested?.last ?? 0;
    this.#fresh = this.#kept.filter(({ number }) => number > known).slice(-TAPE_ROWS_MAX);
    this.#freshCount = this.#fresh.length;
  }

  #countOwn(): void {
    for (;;) {
      const next = this.#own.get(this.#last + 1);
      if (!next) return;
      this.#count(next);
    }
  }

  #count(order: OrderRow): void {
    this.#own.delete(order.number);
    if (order.number !== this.#last + 1) return; // counted already
    this.#last = order.number;
    const { number, name, type, quantity } = order;
    const row = { number, name, type, quantity };
    const sums = this.#volumes.get(name);
    if (sums) {
      sums.volume += quantity;
      sums.trades += 1;
    } else {
      this.#volumes.set(name, { volume: quantity, trades: 1 });
    }
    this.#freshCount += 1;
    this.#fresh = addTo(this.#fresh, row, TAPE_ROWS_MAX);
    this.#kept = addTo(this.#kept, row, TAPE_KEPT_MAX);
  }

  /** Leaves out what is too much to sum: finds the newest order in some twenty small questions. */
  async #skip(): Promise<void> {
    const isThere = async (number: number) => {
      const orders = await this.#page(number - 1, 1);
      return orders === null ? null : orders.length > 0;
    };
    const first = await isThere(this.#last + TAPE_BACKLOG_MAX + 1);
    if (first === null) return;
    this.#isBehind = false;
    if (!first) return;
    let low = this.#last + TAPE_BACKLOG_MAX + 1;
    let step = TAPE_BACKLOG_MAX;
    while (await isThere(low + step)) {
      low += step;
      step *= 2;
    }
    let high = low + step;
    while (high - low > 1) {
      const middle = low + Math.floor((high - low) / 2);
      if (await isThere(middle)) low = middle;
      else high = middle;
    }
    this.#last = low - TAPE_BACKLOG_MAX;
    this.#countedFrom = this.#last + 1;
    this.#volumes.clear();
  }

  /** Null when no leader answered. */
  async #page(after: number, limit: number): Promise<readonly OrderView[] | null> {
    const answer = await askFor(this.#orders, "orders", { kind: "orders", after, limit });
    return answer.kind === "orders" ? answer.orders : null;
  }
}

/** The newest `max` of both. */
function addTo(rows: OrderRow[], row: OrderRow, max: number): OrderRow[] {
  rows.push(row);
  if (rows.length > max) rows.shift();
  return rows;
}
