// A follower's log lines of each trade that it writes, at debug, worded as in
// the seed's logs.
//
// What a replica fetches when it starts is logged as one sync, not order by
// order (startup-sync.ts).
//
// Made only where debug is on.

import type { Logger } from "pino";
import { decodeCommands } from "../../core/market/codec.ts";
import type { CommittedEntry } from "../../core/replication/types.ts";
import type { OrderView } from "../contract.ts";

type WrittenOrder = OrderView & { readonly requestId: string };

export class TradeLines {
  readonly #log: Logger;
  #syncing = true;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Entries from the leader were written here. */
  stored(entries: readonly CommittedEntry[]): void {
    if (this.#syncing) return;
    for (const order of ordersOf(entries)) {
      this.#writing(order);
      this.#log.debug(`TXN_NUM is - ${order.number}`);
    }
  }

  /** Entries came from the leader that were here already. */
  alreadyHeld(entries: readonly CommittedEntry[]): void {
    if (this.#syncing) return;
    for (const order of ordersOf(entries)) {
      this.#writing(order);
      this.#log.debug("No update required, since data is already captured");
    }
  }

  /** The start is over. */
  synced(): void {
    this.#syncing = false;
  }

  #writing({ requestId, number, name, type, quantity }: WrittenOrder): void {
    const data = {
      transaction_number: number,
      stock_name: name,
      order_type: type,
      trade_quantity: quantity,
    };
    this.#log.debug({ requestId }, `Writing trade data from leader - ${JSON.stringify(data)}`);
  }
}

function ordersOf(entries: readonly CommittedEntry[]): WrittenOrder[] {
  return entries
    .flatMap(({ command }) => (command === null ? [] : decodeCommands(command)))
    .filter((command) => command.kind === "order");
}
