// The leader's log lines of each trade, at debug, worded as in the seed's logs.
//
// What is decided is logged at once. What follows (which replicas wrote it,
// that the views show it) is kept and logged together when the trade is
// exposed, so that the lines of trades under way at once don't mix. The trade
// is recorded before the catalog is updated: that step is not where the seed
// has it, on purpose.
//
// Made only where debug is on; otherwise a trade costs nothing here.

import type { Logger } from "pino";
import type { Decision } from "../../core/market/decide.ts";
import type { Command, Request, Stock } from "../../core/market/types.ts";

/** Trades that wait for their second half; the oldest are logged as far as they are known. */
const TRACED_TRADES_MAX = 10_000;

type OrderCommand = Extract<Command, { kind: "order" }>;

interface TracedTrade {
  readonly order: OrderCommand;
  readonly position: number;
  /** Beats since the views show it; null while they don't. */
  exposedBeats: number | null;
}

export class TradeTrace {
  readonly #log: Logger;
  /** How far each of the other replicas has written, highest id first. */
  readonly #written: Map<number, number>;
  /** Decided, not appended yet. */
  #decided: OrderCommand[] = [];
  /** Appended, in order. */
  #trades: TracedTrade[] = [];

  constructor(log: Logger, otherReplicas: readonly number[]) {
    this.#log = log;
    this.#written = new Map([...otherReplicas].sort((a, b) => b - a).map((id) => [id, 0]));
  }

  /** `found` is the stock as it was before. */
  decided({ content }: Request, found: Stock | undefined, { outcome, command }: Decision): void {
    if (content.kind !== "trade") return;
    const { name, quantity, type } = content;
    this.#log.debug(`Received trade request - ${JSON.stringify({ name, quantity, type })}`);
    const refusal = outcome.kind === "refused" ? outcome.refusal.kind : null;
    if (refusal === "invalid-quantity" || refusal === "unknown-type") return;
    this.#log.debug(`Calling lookup service - ${name}`);
    if (found === undefined) {
      this.#log.debug(`Received lookup response - 400 Bad request. ${name} stock not found in db`);
      return;
    }
    this.#log.debug(`Received lookup response - 200 ${JSON.stringify({ data: found })}`);
    this.#log.debug(`${name} present in db`);
    if (command?.kind === "order") this.#decided.push(command);
  }

  /** What was decided since the last call is in entries up to `position`. */
  appended(position: number): void {
    for (const order of this.#decided) {
      this.#trades.push({ order, position, exposedBeats: null });
    }
    this.#decided = [];
    while (this.#trades.length > TRACED_TRADES_MAX) this.#finishOldest();
  }

  /** Another replica has everything up to `position` on its disk. */
  written(replica: number, position: number): void {
    if (position > (this.#written.get(replica) ?? position)) this.#written.set(replica, position);
    this.#finish();
  }

  exposed(position: number): void {
    for (const trade of this.#trades) {
      if (trade.position > position) break;
      trade.exposedBeats ??= 0;
    }
    this.#finish();
  }

  /** Every beat: a replica that is away is not waited for longer than a beat. */
  tick(): void {
    for (const trade of this.#trades) {
      if (trade.exposedBeats === null) break;
      trade.exposedBeats++;
    }
    this.#finish();
  }

  #finish(): void {
    for (let oldest = this.#trades[0]; oldest; oldest = this.#trades[0]) {
      if (oldest.exposedBeats === null) return;
      const { position } = oldest;
      const allWrote = [...this.#written.values()].every((written) => written >= position);
      if (!allWrote && oldest.exposedBeats < 2) return;
      this.#finishOldest();
    }
  }

  #finishOldest(): void {
    const trade = this.#trades.shift();
    if (trade === undefined) return;
    const { number, name, type, quantity } = trade.order;
    for (const [replica, written] of this.#written) {
      this.#log.debug(`Notifying ${replica} replica of order leader - txn_num ${number}`);
      if (written >= trade.position) this.#log.debug("Response from replica - OK");
    }
    if (trade.exposedBeats === null) return;
    this.#log.debug(`Calling update service - ${name}`);
    this.#log.debug(`Received update response - ${name}`);
    const response = JSON.stringify({ data: { transaction_number: number } });
    this.#log.debug(`Executing - trade_code 200 - response ${response}`);
    this.#log.debug(`Executing ${type} trade for ${name} with ${quantity} quantity`);
  }
}
