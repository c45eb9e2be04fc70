// A replica's tables, on its disk: what the entries up to `applied` amount to.
// They lag behind what is committed, so a leader begins with them and the rest
// of its journal, and keeps in memory what they don't hold yet.

import { recordedRequest } from "../src/core/market/content.ts";
import type { OlderRequests } from "../src/core/market/state.ts";
import { StockBook } from "../src/core/market/stock-book.ts";
import type { Order, RecordedRequest, Stock } from "../src/core/market/types.ts";
import type { Entry } from "../src/core/replication/types.ts";
import type { OrderTables } from "../src/core/service/turn.ts";
import { commandsOf } from "./commands.ts";

export class Tables implements OrderTables, OlderRequests {
  /** Through where the entries are applied. */
  applied = 0;
  readonly #orders: Order[] = [];
  readonly #requests = new Map<string, RecordedRequest>();
  readonly #stocks = new StockBook([]);

  /** The entries that follow `applied`. */
  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      for (const command of commandsOf(entry)) {
        this.#stocks.apply(command);
        this.#requests.set(command.requestId, recordedRequest(command));
        if (command.kind === "order") this.#orders.push(command);
      }
      this.applied = entry.position;
    }
  }

  get lastNumber(): number {
    return this.#orders.length;
  }

  stocks(): readonly Stock[] {
    return this.#stocks.sorted();
  }

  request(requestId: string): RecordedRequest | undefined {
    return this.#requests.get(requestId);
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
