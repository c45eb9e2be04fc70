// What an order replica says in its log in the words of the lab's program: at its
// start, at info, and of each trade, at debug.
//
// That program's leader does one trade after another; ours has many under way, whose
// lines would mix. So they are logged trade by trade: of the oldest what was
// decided at once, the rest when it is over (exposed, and written by the other
// replicas, which one that is away holds up for a beat or two); then the next.
// The trade is recorded before the catalog is updated: that step is not where the
// lab has it, on purpose.
//
// What a replica fetches when it starts is logged as one sync, not order by order.
// It only watches: fetching what was missed is the log's matter, and begins when a
// leader makes contact.
//
// Where debug is off a trade costs nothing here.

import type { Logger } from "pino";
import { decodeCommands } from "../../core/market/codec.ts";
import type { Decision } from "../../core/market/decide.ts";
import type { Command, Request, Stock } from "../../core/market/types.ts";
import type { CommittedEntry } from "../../core/replication/types.ts";
import type { FoundLeader } from "../leader.ts";
import { unknownStockText } from "../words.ts";

/** Trades that wait for their end; beyond it the oldest are logged as far as they have come. */
const TRADES_MAX = 10_000;
/** Beats that an exposed trade waits for replicas that haven't written it: half a second, for a disk that is busy. */
export const WRITTEN_WAIT_BEATS = 10;

type OrderCommand = Extract<Command, { kind: "order" }>;

interface TradeUnderWay {
  /** Where its lines go. */
  readonly log: Logger;
  /** What to log of its decision; empty once that is done. */
  lines: readonly string[];
  /** Null for one that made no order: its lines are all it has. */
  readonly order: OrderCommand | null;
  /** Where its order is; null until it is appended. */
  position: number | null;
  /** Beats since the views show it; null while they don't. */
  exposedBeats: number | null;
}

/** The start. */
export class StartLines {
  readonly #log: Logger;
  /** Position that the sync must reach; null while no leader was found, and after the end. */
  #target: number | null = null;
  #isOver = false;

  /** `newest`: number of the newest order that this replica holds. */
  constructor(log: Logger, newest: number) {
    this.#log = log;
    log.info("Existing Order Log File Found.");
    log.info(`TXN_NUM is initialized as ${newest}`);
    log.info("Loading order log");
    log.info("Order replica just started. Trying to sync");
    log.info("Checking for leader at startup time");
  }

  /** It has all that the leader had when it was found, or there is none. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The search for a leader is over. */
  searched(leader: FoundLeader | null): void {
    if (leader === null) {
      this.#log.info("No leader found at startup time, no sync required");
      this.#over();
      return;
    }
    this.#log.info(`Leader found at startup time, syncing... ${leader.replica}`);
    this.#log.info(`Calling get_order_log_diff from ${leader.replica} order leader`);
    this.#target = leader.commitPosition;
  }

  /** Every beat: everything up to `delivered` is here, the newest order of it `newest`. */
  tick(delivered: number, newest: number): void {
    if (this.#target === null || delivered < this.#target) return;
    this.#target = null;
    this.#log.info("Sync done");
    this.#log.info(`Updated TXN_NUM is ${newest}`);
    this.#over();
  }

  #over(): void {
    this.#isOver = true;
    this.#log.info("Order service ready");
  }
}

/** A follower's lines of what it writes. */
export class FollowerLines {
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Entries from the leader were written here. */
  stored(entries: readonly CommittedEntry[]): void {
    for (const order of ordersOf(entries)) {
      this.#writing(order);
      this.#log.debug(`TXN_NUM is - ${order.number}`);
    }
  }

  /** Entries came from the leader that were here already. */
  alreadyHeld(entries: readonly CommittedEntry[]): void {
    for (const order of ordersOf(entries)) {
      this.#writing(order);
      this.#log.debug("No update required, since data is already captured");
    }
  }

  #writing({ requestId, number, name, type, quantity }: OrderCommand): void {
    const data = {
      transaction_number: number,
      stock_name: name,
      order_type: type,
      trade_quantity: quantity,
    };
    this.#log.debug({ requestId }, `Writing trade data from leader - ${JSON.stringify(data)}`);
  }
}

function ordersOf(entries: readonly CommittedEntry[]): OrderCommand[] {
  return entries
    .flatMap(({ command }) => (command === null ? [] : decodeCommands(command)))
    .filter((command) => command.kind === "order");
}

/** A leader's lines of each trade, during one reign. */
export class LeaderLines {
  readonly #log: Logger;
  /** How far each of the other replicas has written, highest id first. */
  readonly #written: Map<number, number>;
  #trades: TradeUnderWay[] = [];

  constructor(log: Logger, otherReplicas: readonly number[]) {
    this.#log = log;
    this.#written = new Map([...otherReplicas].sort((a, b) => b - a).map((id) => [id, 0]));
  }

  /** `found` is the stock as it was before. */
  decided(request: Request, found: Stock | undefined, decision: Decision): void {
    if (request.content.kind !== "trade") return;
    const order = decision.command?.kind === "order" ? decision.command : null;
    const lines = linesOfDecision(request.content, found, decision);
    const log = this.#log.child({ requestId: request.requestId });
    this.#trades.push({ log, lines, order, position: null, exposedBeats: null });
    if (this.#trades.length === 1) this.#beginOldest();
  }

  /** What was decided since the last call is in entries up to `position`. */
  appended(position: number): void {
    for (let index = this.#trades.length - 1; index >= 0; index--) {
      const trade = this.#trades[index];
      if (trade === undefined || trade.position !== null) break;
      trade.position = position;
    }
    while (this.#trades.length > TRADES_MAX) this.#finishOldest();
  }

  /** Another replica has everything up to `position` on its disk. */
  written(replica: number, position: number): void {
    if (position > (this.#written.get(replica) ?? position)) this.#written.set(replica, position);
    this.#finish();
  }

  exposed(position: number): void {
    for (const trade of this.#trades) {
      if (trade.order !== null && (trade.position === null || trade.position > position)) break;
      trade.exposedBeats ??= 0;
    }
    this.#finish();
  }

  /** Every beat. */
  tick(): void {
    for (const trade of this.#trades) {
      if (trade.exposedBeats === null) break;
      trade.exposedBeats++;
    }
    this.#finish();
  }

  /** The reign is over: logs what is known of the trades under way. */
  close(): void {
    while (this.#trades.length > 0) this.#finishOldest();
  }

  #finish(): void {
    for (let oldest = this.#trades[0]; oldest; oldest = this.#trades[0]) {
      if (oldest.exposedBeats === null) return;
      const { order, exposedBeats } = oldest;
      const position = order === null ? 0 : (oldest.position ?? 0);
      const allWrote = [...this.#written.values()].every((written) => written >= position);
      if (!allWrote && exposedBeats < WRITTEN_WAIT_BEATS) return;
      this.#finishOldest();
    }
  }

  #beginOldest(): void {
    const trade = this.#trades[0];
    if (trade === undefined) return;
    for (const line of trade.lines) trade.log.debug(line);
    trade.lines = [];
  }

  /** Logs the rest of the oldest trade, and the beginning of the next. */
  #finishOldest(): void {
    const trade = this.#trades.shift();
    if (trade === undefined) return;
    this.#logEnd(trade);
    this.#beginOldest();
  }

  #logEnd(trade: TradeUnderWay): void {
    if (trade.order === null || trade.position === null) return;
    const { log } = trade;
    const { number, name, type, quantity } = trade.order;
    for (const [replica, written] of this.#written) {
      log.debug(`Notifying ${replica} replica of order leader - txn_num ${number}`);
      if (written >= trade.position) log.debug("Response from replica - OK");
    }
    if (trade.exposedBeats === null) return;
    log.debug(`Calling update service - ${name}`);
    log.debug(`Received update response - ${name}`);
    const response = JSON.stringify({ data: { transaction_number: number } });
    log.debug(`Executing - trade_code 200 - response ${response}`);
    log.debug(`Executing ${type} trade for ${name} with ${quantity} quantity`);
  }
}

function linesOfDecision(
  { name, quantity, type }: Extract<Request["content"], { kind: "trade" }>,
  found: Stock | undefined,
  { outcome, command }: Decision,
): string[] {
  const lines = [`Received trade request - ${JSON.stringify({ name, quantity, type })}`];
  const refusal = outcome.kind === "refused" ? outcome.refusal.kind : null;
  if (refusal === "invalid-quantity" || refusal === "unknown-type") return lines;
  lines.push(`Calling lookup service - ${name}`);
  if (found === undefined) {
    lines.push(`Received lookup response - 400 ${unknownStockText(name)}`);
    return lines;
  }
  lines.push(`Received lookup response - 200 ${JSON.stringify({ data: found })}`);
  lines.push(`${name} present in db`);
  if (outcome.kind === "accepted" && command === null) {
    lines.push("No update required, since data is already captured");
  }
  return lines;
}
