// A follower's log lines of each trade that it writes, at debug, worded as in
// the seed's logs.
//
// What a replica fetches when it starts is logged as one sync, not order by
// order (startup-sync.ts). The leader's first message after that continues at
// the newest order which the sync brought: that one is seen to be here already.
//
// Made only where debug is on.

import type { Logger } from "pino";
import { decodeCommands } from "../../core/market/codec.ts";
import type { CommittedEntry } from "../../io/log/log.ts";
import type { OrderView } from "../contract.ts";
import { ExpectedTraces, type RequestTrace } from "../trace.ts";

export class TradeLines {
  readonly #log: Logger;
  readonly #traces = new ExpectedTraces();
  #syncing = true;
  /** The newest order that a sync brought; null once it was logged. */
  #synced: OrderView | null = null;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** From the leader, before the entries of these requests. */
  expect(requests: readonly RequestTrace[]): void {
    this.#traces.expect(requests);
  }

  /** Entries from the leader were written here. */
  stored(entries: readonly CommittedEntry[]): void {
    if (this.#syncing) return;
    for (const order of ordersOf(entries)) {
      if (this.#synced !== null) this.#alreadyCaptured(this.#synced);
      this.#synced = null;
      const span = this.#traces.came(order.requestId);
      const log = span ? this.#log.child(span.fields) : this.#log;
      writing(order, log);
      log.debug(`TXN_NUM is - ${order.number}`);
    }
  }

  /** Entries came from the leader that were here already. */
  alreadyHeld(entries: readonly CommittedEntry[]): void {
    if (this.#syncing) return;
    this.#synced = null;
    for (const order of ordersOf(entries)) this.#alreadyCaptured(order);
  }

  /** The start is over; `newest` is the newest order held if there was a leader to sync with. */
  synced(newest: OrderView | null): void {
    this.#syncing = false;
    this.#synced = newest;
  }

  #alreadyCaptured(order: OrderView): void {
    writing(order, this.#log);
    this.#log.debug("No update required, since data is already captured");
  }
}

function writing({ number, name, type, quantity }: OrderView, log: Logger): void {
  const data = {
    transaction_number: number,
    stock_name: name,
    order_type: type,
    trade_quantity: quantity,
  };
  log.debug(`Writing trade data from leader - ${JSON.stringify(data)}`);
}

function ordersOf(entries: readonly CommittedEntry[]): (OrderView & { requestId: string })[] {
  return entries
    .flatMap(({ command }) => (command === null ? [] : decodeCommands(command)))
    .filter((command) => command.kind === "order");
}
