// What the committed entries amount to, in tables: stocks, orders, request ids.
//
// Two halves answer questions. The ledger answers from the tables, which stand
// at `appliedPosition`; MarketState's tail answers for what came after. queue()
// only remembers what is to be written, and nothing read here shows it. flush()
// writes it, and after that appliedPosition has moved: only then may
// MarketState.releaseThrough(appliedPosition) be called.
//
//   R1. appliedPosition never goes back while the process runs; tables and position
//       change in one transaction, so that after any crash they are those of one
//       position, which a power cut may set back.
//   M2. Stock = listed − bought + sold + adjusted, never negative.
//   M3. Numbers have no gaps; a request id has one outcome.
//
//   - Nothing that a flipped bit changed, hid or moved is answered or decided
//     on. Each row carries a checksum that is verified as it is read, and what
//     isn't there is known not to be: `applied` says how many orders and which
//     stocks there are, each request id which is the next (request-table.ts).
//
// What memory holds of the tables changes after the commit, never before. A row
// per order and one per request id is what a trade costs here, so both are small
// and written many at a time; a stock is written once a flush, however many
// trades moved it.
//
// Longer than 400 lines because what is written together is read here, too.

import type { SQLInputValue } from "node:sqlite";
import { invariant } from "../../core/invariant.ts";
import type { ScrubProgress } from "../../core/journal/journal.ts";
import { canonicalRequest } from "../../core/market/canonical.ts";
import { BadCommandBytes, decodeCommands, encodeCommands } from "../../core/market/codec.ts";
import { effectOf, recordedRequest } from "../../core/market/content.ts";
import { OPERATOR_REQUEST_IDS } from "../../core/market/keys.ts";
import type { Command, RecordedRequest, Stock } from "../../core/market/types.ts";
import { JournalCorrupt } from "./errors.ts";
import type { FileJournal } from "./journal.ts";
import type { TableTotals } from "./order-file.ts";
import { compareKeys, isMade, type RequestRow, RequestTable, requestKey } from "./request-table.ts";
import {
  changedSum,
  ORDER_COLUMNS,
  orderOf,
  orderValues,
  prepareBulkInsert,
  type RecordedOrder,
  stockChecksum,
  stockOf,
} from "./rows.ts";
import { numberOf, reading } from "./sqlite.ts";

/** Commands of the newest applied entries that opening looks for in the tables at least, if there are as many. */
const COMMANDS_COMPARED_MIN = 1_000;
/** Entries in which it looks for them: those of the log itself carry none. */
const ENTRIES_COMPARED_MAX = 1_000;
/** Of them read at once: few, as each may hold many commands; not one by one, as each is looked for in the segment. */
const ENTRIES_READ_TOGETHER = 50;

export class Ledger {
  readonly #journal: FileJournal;
  readonly #statements: Statements;
  /** By name, as in the tables; in the order they were listed. */
  readonly #stocks = new Map<string, NumberedStock>();
  /** Names by number; the first is stock 1. */
  readonly #names: string[] = [];
  /** Consecutive entries to be written, from appliedPosition + 1 on. */
  #queue: Queued[] = [];
  #pendingCommands = 0;

  /**
   * Reads the stocks and verifies them, and that the tables hold what the newest
   * applied entries say. Throws JournalCorrupt.
   */
  constructor(journal: FileJournal) {
    this.#journal = journal;
    this.#statements = reading(journal.path, null, () => prepareStatements(journal));
    for (const stock of readStocks(journal)) this.#remember(stock);
    this.#compareNewest();
  }

  /** The tables hold the effects of the entries up to here, durably. */
  get appliedPosition(): number {
    return this.#journal.appliedPosition;
  }

  /** Commands queued and not in the tables yet: what the caller bounds by flushing. */
  get pendingCommands(): number {
    return this.#pendingCommands;
  }

  /** Number of the newest order in the tables; 0 before the first. */
  get lastNumber(): number {
    return this.totals.orders;
  }

  /** What the tables hold, as their last write said. */
  get totals(): TableTotals {
    return this.#journal.applied;
  }

  /** All stocks in the tables, in the order they were listed. */
  stocks(): Stock[] {
    return Array.from(this.#stocks.values(), ({ name, price, quantity }) => ({
      name,
      price,
      quantity,
    }));
  }

  /** What the tables hold under a request id. */
  request(requestId: string): RecordedRequest | undefined {
    const key = requestKey(requestId);
    // Made ids grow with time, so nearly every new one is known to be new without a look.
    if (isMade(key) && isAfter(key, this.totals.greatestMade)) return undefined;
    return reading(this.#journal.path, null, () => {
      const row = this.#statements.requests.find(key);
      if (row === undefined) return undefined;
      if (row.number === null) {
        const command = commandOf(row.command);
        if (command?.requestId === requestId) return recordedRequest(command);
      } else {
        const order = this.order(row.number);
        if (order) return recordedRequest({ kind: "order", requestId, ...order });
      }
      throw new JournalCorrupt(this.#journal.path, null, `request id ${requestId} leads nowhere`);
    });
  }

  /** What the tables hold of API keys. */
  keyCommands(): Command[] {
    const { from, before } = OPERATOR_REQUEST_IDS;
    return reading(this.#journal.path, null, () =>
      [...this.#statements.requests.between(from, before)].flatMap(
        ({ command }) => commandOf(command) ?? [],
      ),
    );
  }

  /** The request ids of these orders, as the journal has them. Throws JournalCorrupt when it hasn't. */
  requestIds(first: number, last: number): string[] {
    const { path } = this.#journal;
    const positions = reading(path, null, () => this.#statements.positions.all(first - 1, last));
    const ids = new Map<number, string>();
    for (const position of new Set(positions.map((row) => numberOf(row.position)))) {
      const [entry] = this.#journal.entries(position - 1, 1);
      if (entry?.body.kind !== "command") continue;
      for (const command of decodeCommands(entry.body.bytes)) {
        if (command.kind === "order") ids.set(command.number, command.requestId);
      }
    }
    return Array.from({ length: last - first + 1 }, (_, index) => {
      const id = ids.get(first + index);
      if (id !== undefined) return id;
      throw new JournalCorrupt(path, null, `the journal lacks order ${first + index}`);
    });
  }

  /** The order of this number, if the tables hold it. */
  order(number: number): RecordedOrder | undefined {
    const isThere = Number.isSafeInteger(number) && number >= 1 && number <= this.lastNumber;
    return isThere ? this.orders(number - 1, 1)[0] : undefined;
  }

  /** Orders in the tables with a number above `after`, 0 or more, ascending, at most `limit`. */
  orders(after: number, limit: number): RecordedOrder[] {
    const { path } = this.#journal;
    const last = Math.min(after + limit, this.lastNumber);
    if (last <= after) return [];
    return reading(path, null, () => {
      const orders = this.#statements.orders
        .all(after, last)
        .map((row) => orderOf(path, row, this.#nameOf));
      const isWhole =
        orders.length === last - after &&
        orders.every(({ number }, index) => number === after + 1 + index);
      if (isWhole) return orders;
      throw new JournalCorrupt(path, null, `orders ${after + 1} to ${last} aren't all there`);
    });
  }

  /**
   * Runs `read`, and lets all it asks of the tables share one read transaction:
   * a question alone spends more on locks than on looking. It must not write.
   */
  readTogether<T>(read: () => T): T {
    return this.#journal.readTogether(read);
  }

  /**
   * Remembers the commands of the next committed entry, to be written by flush().
   * Every entry is told, the log's own with no commands, so that none is left out.
   */
  queue(position: number, commands: readonly Command[]): void {
    const before = this.#queue.at(-1)?.position ?? this.appliedPosition;
    invariant(position === before + 1, "entries are applied one after another", {
      position,
      before,
    });
    this.#queue.push({ position, commands });
    this.#pendingCommands += commands.length;
  }

  /** Writes all that is queued, in one transaction that needn't be on disk: the journal is. */
  flush(): void {
    const through = this.#queue.at(-1)?.position;
    if (through !== undefined) this.#journal.writeTables(() => this.#write(through));
  }

  #write(through: number): void {
    const flush = new Flush(this.#stocks, this.totals);
    for (const { position, commands } of this.#queue) {
      for (const command of commands) flush.add(position, command);
    }
    flush.write(this.#journal.path, this.#statements);
    this.#journal.setApplied(through, flush.totals);
    this.#journal.onCommit(() => {
      this.#queue = [];
      this.#pendingCommands = 0;
      for (const stock of flush.stocks.values()) this.#remember(stock);
    });
  }

  /**
   * Verifies about `bytesMax` bytes more of the older history, and that the
   * tables hold what it says. To be called while there is nothing better to do,
   * until it is done. Throws JournalCorrupt.
   */
  scrub(bytesMax: number): ScrubProgress {
    return this.#journal.scrub(bytesMax, ({ position, body }) => {
      if (body.kind !== "command") return;
      for (const command of decodeCommands(body.bytes)) this.#expectRecorded(position, command);
    });
  }

  /** Before anything is answered, and whatever damage hits first: what was written last. */
  #compareNewest(): void {
    const oldest = Math.max(0, this.appliedPosition - ENTRIES_COMPARED_MAX);
    let compared = 0;
    let newest = 0;
    for (let last = this.appliedPosition; last > oldest && compared < COMMANDS_COMPARED_MIN; ) {
      const from = Math.max(oldest, last - ENTRIES_READ_TOGETHER);
      for (const { position, body } of this.#journal.entries(from, Number.MAX_SAFE_INTEGER, last)) {
        if (body.kind !== "command") continue;
        for (const command of decodeCommands(body.bytes)) {
          this.#expectRecorded(position, command);
          compared++;
          if (command.kind === "order") newest = Math.max(newest, command.number);
        }
      }
      last = from;
    }
    if (newest > 0 && newest !== this.lastNumber) {
      const what = `the tables end with order ${this.lastNumber}, the journal with ${newest}`;
      throw new JournalCorrupt(this.#journal.path, null, what);
    }
  }

  #expectRecorded(position: number, command: Command): void {
    const { requestId } = command;
    const recorded = this.request(requestId);
    if (
      recorded === undefined ||
      canonicalRequest(requestId, recorded) !==
        canonicalRequest(requestId, recordedRequest(command))
    ) {
      const what = `the tables lack what it did for request id ${requestId}`;
      throw new JournalCorrupt(this.#journal.path, position, what);
    }
  }

  readonly #nameOf = (id: number): string | undefined => this.#names[id - 1];

  #remember(stock: NumberedStock): void {
    this.#stocks.set(stock.name, stock);
    this.#names[stock.id - 1] = stock.name;
  }
}

/** A stock with the number that orders name it by: 1, 2, 3 … as they were listed. */
interface NumberedStock extends Stock {
  readonly id: number;
}

interface Queued {
  readonly position: number;
  readonly commands: readonly Command[];
}

/** The rows of one flush, put together before any is written. */
class Flush {
  readonly #before: ReadonlyMap<string, NumberedStock>;
  /** The stocks that changed or are new, as they become. */
  readonly stocks = new Map<string, NumberedStock>();
  #totals: TableTotals;
  readonly #orders: SQLInputValue[] = [];
  readonly #requests: RequestRow[] = [];

  constructor(before: ReadonlyMap<string, NumberedStock>, totals: TableTotals) {
    this.#before = before;
    this.#totals = totals;
  }

  /** What the tables hold once this is written. */
  get totals(): TableTotals {
    return this.#totals;
  }

  add(position: number, command: Command): void {
    const { kind, requestId } = command;
    const id = requestKey(requestId);
    const effect = effectOf(command);
    if (effect?.kind === "list") this.#list(position, effect.stock);
    else if (effect?.kind === "move") this.#move(position, effect.name, effect.by);
    if (kind === "order") {
      const { number, name } = command;
      const before = this.#totals.orders;
      invariant(number === before + 1, "numbers have no gaps", { position, number, before }); // M3
      const stock = this.stocks.get(name);
      invariant(stock !== undefined, "an order moved its stock", { position, name });
      this.#orders.push(...orderValues(command, stock.id, position));
      this.#requests.push({ id, number, position: null, command: null });
    } else {
      this.#requests.push({ id, number: null, position, command: encodeCommands([command]) });
    }
    const { orders, requests, greatestMade } = this.#totals;
    this.#totals = {
      ...this.#totals,
      orders: kind === "order" ? orders + 1 : orders,
      requests: requests + 1,
      greatestMade: isMade(id) && isAfter(id, greatestMade) ? id : greatestMade,
    };
  }

  /** M3: throws for a request id that is there already. */
  write(path: string, statements: Statements): void {
    let { stocksSum } = this.#totals;
    for (const stock of this.stocks.values()) {
      const { id, name, price, quantity } = stock;
      const checksum = stockChecksum(stock);
      const before = this.#before.get(name);
      stocksSum = changedSum(stocksSum, before ? stockChecksum(before) : 0, checksum);
      const { changes } = before
        ? statements.updateStock.run(quantity, checksum, id)
        : statements.insertStock.run(id, name, price, quantity, checksum);
      if (changes !== 1) throw new JournalCorrupt(path, null, `stock ${name} is gone`);
    }
    this.#totals = { ...this.#totals, stocksSum };
    statements.insertOrders(this.#orders);
    statements.requests.add(this.#requests);
  }

  #stock(name: string): NumberedStock | undefined {
    return this.stocks.get(name) ?? this.#before.get(name);
  }

  #list(position: number, { name, price, quantity }: Stock): void {
    invariant(this.#stock(name) === undefined, "a name is listed once", { position, name });
    const id = this.#totals.stocks + 1;
    this.#totals = { ...this.#totals, stocks: id };
    this.stocks.set(name, { id, name, price, quantity });
  }

  #move(position: number, name: string, by: number): void {
    const before = this.#stock(name);
    invariant(before !== undefined, "only listed stocks move", { position, name });
    const quantity = before.quantity + by;
    // M2
    invariant(
      Number.isSafeInteger(quantity) && quantity >= 0,
      "a quantity is a safe integer, never negative",
      { position, name, before: before.quantity, by },
    );
    this.stocks.set(name, { ...before, quantity });
  }
}

type Statements = ReturnType<typeof prepareStatements>;

function prepareStatements({ database, path }: FileJournal) {
  return {
    requests: new RequestTable(database, path),
    insertStock: database.prepare("INSERT INTO stocks VALUES (?, ?, ?, ?, ?)"),
    updateStock: database.prepare("UPDATE stocks SET quantity = ?, checksum = ? WHERE id = ?"),
    insertOrders: prepareBulkInsert(database, "orders", ORDER_COLUMNS),
    positions: database.prepare(
      "SELECT position FROM orders WHERE number > ? AND number <= ? ORDER BY number",
    ),
    orders: database.prepare(
      "SELECT * FROM orders WHERE number > ? AND number <= ? ORDER BY number",
    ),
  };
}

/** Whether a key comes after `other`; every key comes after null. */
function isAfter(key: Uint8Array, other: Uint8Array | null): boolean {
  return other === null || compareKeys(key, other) > 0;
}

/** The command in a row; undefined if its bytes make none. */
function commandOf(bytes: Uint8Array | null): Command | undefined {
  try {
    return bytes === null ? undefined : decodeCommands(bytes)[0];
  } catch (error) {
    if (error instanceof BadCommandBytes) return undefined;
    throw error;
  }
}

/** All stocks, verified; none is missing. */
function readStocks({ database, path, applied }: FileJournal): NumberedStock[] {
  return reading(path, null, () => {
    let sum = 0;
    const stocks = database
      .prepare("SELECT * FROM stocks ORDER BY id")
      .all()
      .map((row, index) => {
        const id = numberOf(row.id);
        if (id !== index + 1) throw new JournalCorrupt(path, null, `stock ${index + 1} is gone`);
        const stock = stockOf(path, row);
        sum = changedSum(sum, 0, stockChecksum(stock));
        return { id, ...stock };
      });
    if (stocks.length !== applied.stocks || sum !== applied.stocksSum) {
      throw new JournalCorrupt(path, null, "the stocks aren't those that were written last");
    }
    return stocks;
  });
}
