// What the committed entries amount to, in tables: stocks, orders, request ids.
//
// Two halves answer questions. The ledger answers from the tables, which stand
// at `appliedPosition`; MarketState's tail answers for what came after. queue()
// only remembers what is to be written, and nothing read here shows it. flush()
// writes it, and after that appliedPosition has moved: only then may
// MarketState.releaseThrough(appliedPosition) be called.
//
//   R1. appliedPosition never goes back; tables and position change in one
//       transaction, so that after any crash they are those of one position.
//   M2. Stock = listed − bought + sold + adjusted, never negative.
//   M3. Numbers have no gaps; a request id has one outcome.
//
// What memory holds of the tables changes after the commit, never before. A row
// per order and one per request id is what a trade costs here, so both are small
// and written many at a time; a stock is written once a flush, however many
// trades moved it. Rows of stocks and orders carry a checksum that is verified
// when they are read; those of request ids don't, since damage may as well hide
// one: scrub() looks for each of them.

import type { SQLInputValue, StatementSync } from "node:sqlite";
import { invariant } from "../../core/invariant.ts";
import { canonicalRequest } from "../../core/market/canonical.ts";
import { BadCommandBytes, decodeCommands, encodeCommands } from "../../core/market/codec.ts";
import { recordedRequest } from "../../core/market/content.ts";
import type { Command, RecordedRequest, Stock } from "../../core/market/types.ts";
import { prepareBulkInsert } from "./bulk-insert.ts";
import { JournalCorrupt } from "./errors.ts";
import type { ScrubProgress, SqliteJournal } from "./journal.ts";
import { ORDER_COLUMNS, orderOf, orderValues, type RecordedOrder } from "./order-rows.ts";
import { requestKey } from "./request-key.ts";
import { bytesOf, numberOf, reading } from "./sqlite.ts";
import { stockChecksum, stockOf } from "./stock-rows.ts";

export type { RecordedOrder };

export class Ledger {
  readonly #journal: SqliteJournal;
  readonly #statements: Statements;
  /** By name, as in the tables; in the order they were listed. */
  readonly #stocks = new Map<string, NumberedStock>();
  /** Names by number; the first is stock 1. */
  readonly #names: string[] = [];
  #lastNumber: number;
  /** The greatest key of a UUID among the request ids; null when there is none. */
  #greatestKey: Uint8Array | null;
  /** Consecutive entries to be written, from appliedPosition + 1 on. */
  #queue: Queued[] = [];
  #pendingCommands = 0;
  #flushing = false;

  /** Reads the stocks and verifies them. Throws JournalCorrupt. */
  constructor(journal: SqliteJournal) {
    this.#journal = journal;
    const { statements, stocks, lastNumber, greatestKey } = reading(journal.path, null, () => {
      const statements = prepareStatements(journal);
      const lastNumber = numberOf(statements.lastNumber.get()?.number ?? 0);
      const greatestKey = statements.greatestKey.get()?.id;
      return { statements, stocks: readStocks(journal), lastNumber, greatestKey };
    });
    this.#statements = statements;
    this.#lastNumber = lastNumber;
    // SQLite orders bytes after text: the greatest of all is a UUID's if there is one.
    this.#greatestKey = greatestKey instanceof Uint8Array ? greatestKey : null;
    for (const stock of stocks) this.#remember(stock);
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
    return this.#lastNumber;
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
    if (typeof key !== "string" && isGreater(key, this.#greatestKey)) return undefined;
    return reading(this.#journal.path, null, () => {
      const row = this.#statements.request.get(key);
      if (row === undefined) return undefined;
      if (row.number === null) {
        const command = commandOf(bytesOf(row.command));
        if (command?.requestId === requestId) return recordedRequest(command);
      } else {
        const order = this.order(numberOf(row.number));
        if (order) return recordedRequest({ kind: "order", requestId, ...order });
      }
      throw new JournalCorrupt(this.#journal.path, null, `request id ${requestId} leads nowhere`);
    });
  }

  /** The order of this number, if the tables hold it. */
  order(number: number): RecordedOrder | undefined {
    return reading(this.#journal.path, null, () => {
      const row = this.#statements.order.get(number);
      return row && orderOf(this.#journal.path, row, this.#nameOf);
    });
  }

  /** Orders in the tables with a number above `after`, ascending, at most `limit`. */
  orders(after: number, limit: number): RecordedOrder[] {
    return reading(this.#journal.path, null, () =>
      this.#statements.orders
        .all(after, limit)
        .map((row) => orderOf(this.#journal.path, row, this.#nameOf)),
    );
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

  /**
   * Writes all that is queued: in the journal's write under way if there is one,
   * else in one of its own. It counts once that write has returned.
   */
  flush(): void {
    const through = this.#queue.at(-1)?.position;
    if (through === undefined) return;
    if (!this.#journal.isWriting) {
      this.#journal.write({}, () => this.flush());
      return;
    }
    invariant(!this.#flushing, "one flush in a write");
    this.#flushing = true;
    const flush = new Flush(this.#stocks, this.#lastNumber);
    for (const { position, commands } of this.#queue) {
      for (const command of commands) flush.add(position, command);
    }
    flush.write(this.#statements);
    this.#journal.setApplied(through);
    this.#journal.onCommit(() => {
      this.#flushing = false;
      this.#queue = [];
      this.#pendingCommands = 0;
      this.#lastNumber = flush.lastNumber;
      if (isGreater(flush.greatestKey, this.#greatestKey)) this.#greatestKey = flush.greatestKey;
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
  #listed = 0;
  lastNumber: number;
  /** Of the UUIDs among the request ids. */
  greatestKey: Uint8Array | null = null;
  readonly #orders: SQLInputValue[] = [];
  readonly #orderRequests: SQLInputValue[] = [];
  readonly #otherRequests: SQLInputValue[] = [];

  constructor(before: ReadonlyMap<string, NumberedStock>, lastNumber: number) {
    this.#before = before;
    this.lastNumber = lastNumber;
  }

  add(position: number, command: Command): void {
    const key = requestKey(command.requestId);
    if (typeof key !== "string" && isGreater(key, this.greatestKey)) this.greatestKey = key;
    if (command.kind === "order") {
      const { number, name, type, quantity } = command;
      const before = this.lastNumber;
      invariant(number === before + 1, "numbers have no gaps", { position, number, before }); // M3
      this.lastNumber = number;
      const stock = this.#move(position, name, type === "buy" ? -quantity : quantity);
      this.#orders.push(...orderValues(command, stock.id, position));
      this.#orderRequests.push(key, number);
      return;
    }
    if (command.kind === "list") this.#list(position, command);
    if (command.kind === "adjust") this.#move(position, command.name, command.by);
    this.#otherRequests.push(key, position, encodeCommands([command]));
  }

  /** M3: a request id that is there already breaks the primary key, and with it the write. */
  write(statements: Statements): void {
    for (const stock of this.stocks.values()) {
      const { id, name, price, quantity } = stock;
      const checksum = stockChecksum(stock);
      if (this.#before.has(name)) statements.updateStock.run(quantity, checksum, id);
      else statements.insertStock.run(id, name, price, quantity, checksum);
    }
    statements.insertOrders(this.#orders);
    statements.insertOrderRequests(this.#orderRequests);
    statements.insertOtherRequests(this.#otherRequests);
  }

  #stock(name: string): NumberedStock | undefined {
    return this.stocks.get(name) ?? this.#before.get(name);
  }

  #list(position: number, { name, price, quantity }: Stock): void {
    invariant(this.#stock(name) === undefined, "a name is listed once", { position, name });
    this.#listed++;
    this.stocks.set(name, { id: this.#before.size + this.#listed, name, price, quantity });
  }

  #move(position: number, name: string, by: number): NumberedStock {
    const before = this.#stock(name);
    invariant(before !== undefined, "only listed stocks move", { position, name });
    const quantity = before.quantity + by;
    // M2
    invariant(
      Number.isSafeInteger(quantity) && quantity >= 0,
      "a quantity is a safe integer, never negative",
      { position, name, before: before.quantity, by },
    );
    const stock = { ...before, quantity };
    this.stocks.set(name, stock);
    return stock;
  }
}

interface Statements {
  readonly insertStock: StatementSync;
  readonly updateStock: StatementSync;
  readonly insertOrders: (values: readonly SQLInputValue[]) => void;
  readonly insertOrderRequests: (values: readonly SQLInputValue[]) => void;
  readonly insertOtherRequests: (values: readonly SQLInputValue[]) => void;
  readonly request: StatementSync;
  readonly order: StatementSync;
  readonly orders: StatementSync;
  readonly lastNumber: StatementSync;
  readonly greatestKey: StatementSync;
}

function prepareStatements({ database }: SqliteJournal): Statements {
  return {
    insertStock: database.prepare("INSERT INTO stocks VALUES (?, ?, ?, ?, ?)"),
    updateStock: database.prepare("UPDATE stocks SET quantity = ?, checksum = ? WHERE id = ?"),
    insertOrders: prepareBulkInsert(database, "orders", ORDER_COLUMNS),
    insertOrderRequests: prepareBulkInsert(database, "requests (id, number)", 2),
    insertOtherRequests: prepareBulkInsert(database, "requests (id, position, command)", 3),
    request: database.prepare("SELECT number, command FROM requests WHERE id = ?"),
    order: database.prepare("SELECT * FROM orders WHERE number = ?"),
    orders: database.prepare("SELECT * FROM orders WHERE number > ? ORDER BY number LIMIT ?"),
    lastNumber: database.prepare("SELECT max(number) AS number FROM orders"),
    greatestKey: database.prepare("SELECT max(id) AS id FROM requests"),
  };
}

/** Whether a UUID's key comes after `other`; every key comes after null, null after none. */
function isGreater(key: Uint8Array | null, other: Uint8Array | null): boolean {
  return key !== null && (other === null || Buffer.compare(key, other) > 0);
}

/** The command in a row; undefined if its bytes make none. */
function commandOf(bytes: Uint8Array): Command | undefined {
  try {
    return decodeCommands(bytes)[0];
  } catch (error) {
    if (error instanceof BadCommandBytes) return undefined;
    throw error;
  }
}

function readStocks({ database, path }: SqliteJournal): NumberedStock[] {
  const rows = database.prepare("SELECT * FROM stocks ORDER BY id").all();
  return rows.map((row, index) => {
    const id = numberOf(row.id);
    if (id !== index + 1) throw new JournalCorrupt(path, null, `stock ${index + 1} is gone`);
    return { id, ...stockOf(path, row) };
  });
}
