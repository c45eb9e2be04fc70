// A replica's tables, on its disk: what the entries up to `applied` amount to.
// They lag behind what is committed, so a leader begins with them and the rest
// of its journal, and keeps in memory what they don't hold yet.

import { recordedRequest } from "../src/core/market/content.ts";
import type { JudgeTables } from "../src/core/market/judge.ts";
import { StockBook } from "../src/core/market/stock-book.ts";
import type { Command, Order, RecordedRequest, Stock } from "../src/core/market/types.ts";
import type { CommittedEntry, Entry } from "../src/core/replication/types.ts";
import type { OrderTables } from "../src/core/service/turn.ts";
import { commandsOf } from "./commands.ts";
import type { Lie } from "./lies.ts";
import type { Random } from "./random.ts";

const ORDERS_LOST_MAX = 5;

export class Tables implements OrderTables, JudgeTables {
  /** Through where the entries are applied. */
  appliedPosition = 0;
  /** Something was lost, and nothing tells. */
  isLying = false;
  #orders: Order[] = [];
  #requests = new Map<string, Command>();
  #stocks = new StockBook([]);

  /** The entries that follow `applied`. */
  apply(entries: readonly (Entry | CommittedEntry)[]): void {
    for (const entry of entries) {
      for (const command of commandsOf(entry)) {
        this.#stocks.apply(command);
        this.#requests.set(command.requestId, command);
        if (command.kind === "order") this.#orders.push(command);
      }
      this.appliedPosition = entry.position;
    }
  }

  /** A power cut took what came after `position`. What lies goes on lying. */
  goBackTo(position: number, entries: readonly Entry[]): void {
    if (this.isLying) return;
    this.#orders = [];
    this.#requests = new Map();
    this.#stocks = new StockBook([]);
    this.appliedPosition = 0;
    this.apply(entries.slice(0, position));
  }

  /** Loses this, if there is any of it. */
  lie(lie: Lie, random: Random): void {
    const stocks = this.#stocks.sorted();
    if (stocks.length === 0) return;
    this.isLying = true;
    if (lie === "orders") this.#orders.splice(-1 - random.below(ORDERS_LOST_MAX));
    else if (lie === "requests") {
      for (const requestId of this.#requests.keys())
        if (random.chance(0.5)) this.#requests.delete(requestId);
    } else {
      const lost = random.pick(stocks);
      const rest = stocks.filter((stock) => stock !== lost);
      const quantity = lost.quantity + 1 + random.below(9);
      this.#stocks = new StockBook(lie === "stock" ? rest : [...rest, { ...lost, quantity }]);
    }
  }

  /** Whether these are what the entries from the first to the applied one amount to. */
  isRight(entries: readonly Entry[]): boolean {
    const right = new Tables();
    right.apply(entries);
    return this.#canonical() === right.#canonical();
  }

  #canonical(): string {
    return JSON.stringify([this.#orders, this.stocks(), [...this.#requests.keys()].sort()]);
  }

  get lastNumber(): number {
    return this.#orders.length;
  }

  stocks(): readonly Stock[] {
    return this.#stocks.sorted();
  }

  keyCommands(): Iterable<Command> {
    return this.#requests.values();
  }

  requestIds(first: number, last: number): readonly string[] {
    return this.#orders.slice(first - 1, last).map(({ requestId }) => requestId);
  }

  request(requestId: string): RecordedRequest | undefined {
    const command = this.#requests.get(requestId);
    return command && recordedRequest(command);
  }

  order(number: number): Order | undefined {
    return this.#orders[number - 1];
  }

  orders(after: number, limit: number): readonly Order[] {
    return this.#orders.slice(after, after + limit);
  }

  readTogether<T>(read: () => T): T {
    return read();
  }
}
