// What `bazaar verify` compares of a replica, read from its file.
//
// Goes through the whole journal once, and reads the tables in one read
// transaction, so that the replica goes on meanwhile: verifies the chain of
// digests, checks M1 to M3, and compares the tables with what the journal says.
// The tables may stand later than the position asked about, never earlier.
//
// Memory: one entry at a time, all stocks, and every request id, about 100 bytes
// each. Time: some 15 µs an order. While it reads, the write-ahead log can't be
// reused and grows.

import { createHash, hash } from "node:crypto";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import type { JournalReader } from "../../core/journal/reader.ts";
import { Audit, type AuditCounts } from "../../core/market/audit.ts";
import { canonicalOrder, canonicalRequest, canonicalStocks } from "../../core/market/canonical.ts";
import { BadCommandBytes, decodeCommands, encodeCommands } from "../../core/market/codec.ts";
import { recordedRequest } from "../../core/market/content.ts";
import type { Command, Order, Stock } from "../../core/market/types.ts";
import type { Entry } from "../../core/replication/types.ts";
import type { OrderAudit } from "../../core/service/reports.ts";
import { firstDigest } from "./entries.ts";
import { JournalCorrupt } from "./errors.ts";
import { readJournal } from "./journal.ts";
import { type Applied, ORDER_FILE, readApplied, type TableTotals } from "./order-file.ts";
import { RequestTable, requestKey } from "./request-table.ts";
import { changedSum, orderOf, stockChecksum, stockOf } from "./rows.ts";
import { numberOf, openReadOnly, reading, textOf } from "./sqlite.ts";

/** Problems of the file kept in words; further ones are only counted. */
const PROBLEMS_MAX = 100;

export interface OrderAuditRequest {
  /** The replica's file. */
  readonly path: string;
  /** The committed position to tell about. */
  readonly position: number;
  /** Further positions, none later, to tell the stocks of: where the catalogs stand. */
  readonly stocksAt: readonly number[];
}

/** Audits the file of a replica. Throws a DataFileError for one that can't be read at all. */
export function auditOrderFile(request: OrderAuditRequest): OrderAudit {
  const database = openReadOnly(request.path, ORDER_FILE);
  try {
    database.exec("BEGIN");
    const applied = readApplied(database, request.path);
    // Only now, since the tables are made from what is in the journal already.
    const journal = readJournal(request.path);
    try {
      return new FileAudit(database, journal, applied, request).run();
    } finally {
      journal.close();
    }
  } finally {
    database.close();
  }
}

/** What is true at the position asked about. */
interface AtPosition {
  readonly counts: AuditCounts;
  readonly journalDigest: string;
  readonly ordersDigest: string;
  readonly requestsDigest: string;
}

class FileAudit {
  readonly #request: OrderAuditRequest;
  readonly #journal: JournalReader;
  readonly #tables: TableAudit;
  readonly #audit: Audit;
  readonly #applied: Applied;
  readonly #orders = new LinesDigest();
  readonly #requests = new LinesDigest();
  /** Set once the position asked about is reached. */
  #asked: AtPosition | null = null;
  readonly #problems: string[] = [];
  #problemCount = 0;

  constructor(
    database: DatabaseSync,
    journal: JournalReader,
    applied: Applied,
    request: OrderAuditRequest,
  ) {
    const { path, stocksAt } = request;
    this.#request = request;
    this.#journal = journal;
    this.#tables = new TableAudit(database, path, (problem) => this.#problem(problem));
    this.#applied = applied;
    this.#audit = new Audit({ stocksAt });
  }

  run(): OrderAudit {
    const { position, stocksAt } = this.#request;
    if (this.#applied.position < position) {
      this.#problem(`the tables stand at position ${this.#applied.position}, before ${position}`);
    }
    const { counts, ...digests } = this.#readThrough(Math.max(position, this.#applied.position));
    const stocksDigests = stocksAt.map((at) => {
      const stocks = this.#audit.stocksAt(at);
      if (stocks === undefined) this.#problem(`the journal doesn't reach position ${at}`);
      return stocksDigest(stocks ?? []);
    });
    const { entries, orders, requests } = counts;
    return {
      position,
      entries,
      orders,
      requests,
      ...digests,
      stocksDigests,
      problems: [...this.#audit.problems, ...this.#listedProblems()],
    };
  }

  /** Feeds all entries; stops at damage, since nothing after it can be relied on. */
  #readThrough(last: number): AtPosition {
    let digest = firstDigest(this.#journal.identity.cluster);
    let position = 0;
    this.#arrive(position, digest);
    try {
      for (const row of this.#journal.rows(0, last)) {
        ({ digest, position } = row);
        this.#feed(this.#journal.entryOf(row));
        this.#arrive(position, digest);
      }
    } catch (error) {
      if (!(error instanceof JournalCorrupt)) throw error;
      this.#problem(error.message);
    }
    if (this.#asked !== null) return this.#asked;
    this.#problem(`the journal ends at position ${position}`);
    return this.#now(digest);
  }

  #arrive(position: number, digest: Uint8Array): void {
    if (position === this.#applied.position) this.#tables.finish(this.#audit, this.#applied);
    if (position === this.#request.position) this.#asked = this.#now(digest);
  }

  #feed({ position, body }: Entry): void {
    const commands = body.kind === "command" ? this.#decode(position, body.bytes) : [];
    this.#audit.feed(position, commands);
    for (const command of commands) {
      if (command.kind === "order") this.#orders.add(canonicalOrder(command));
      this.#requests.add(canonicalRequest(command.requestId, recordedRequest(command)));
      if (position <= this.#applied.position) this.#tables.compare(position, command);
    }
  }

  #decode(position: number, bytes: Uint8Array): readonly Command[] {
    try {
      return decodeCommands(bytes);
    } catch (error) {
      if (!(error instanceof BadCommandBytes)) throw error;
      this.#problem(`the commands of position ${position} can't be read: ${error.message}`);
      return [];
    }
  }

  #now(digest: Uint8Array): AtPosition {
    return {
      counts: this.#audit.counts,
      journalDigest: Buffer.from(digest).toString("hex"),
      ordersDigest: this.#orders.hex(),
      requestsDigest: this.#requests.hex(),
    };
  }

  #problem(problem: string): void {
    this.#problemCount++;
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push(problem);
  }

  #listedProblems(): string[] {
    const unnamed = this.#problemCount - this.#problems.length;
    return unnamed > 0 ? [...this.#problems, `and ${unnamed} more problems`] : this.#problems;
  }
}

/** An audit that takes longer has hung: a hundred million orders would. */
const AUDIT_MS_MAX = 30 * 60_000;

/**
 * As auditOrderFile(), in a thread of its own: reading a million orders takes many seconds, in
 * which the role's own thread must go on answering. Rejects with what that throws.
 */
export async function auditInWorker(request: OrderAuditRequest): Promise<OrderAudit> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { audit: request } });
  const timer = setTimeout(() => void worker.terminate(), AUDIT_MS_MAX);
  timer.unref();
  try {
    return await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.once("exit", (code) => reject(new Error(`the audit ended with status ${code}`)));
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

/**
 * Compares a replica's tables with the commands of its journal, one by one. Each command must be
 * found in the tables as it stands in the journal; then, if the tables also have as many rows as
 * the journal has commands, they hold nothing else, and nothing twice. Looks rows up by their
 * keys, as the role does when it answers, so a tree that lost one shows as well.
 */
export class TableAudit {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #requests: RequestTable;
  readonly #order: StatementSync;
  readonly #problem: (problem: string) => void;
  /** Names by the number that orders use; not verified, since a wrong one shows in what uses it. */
  readonly #names: ReadonlyMap<number, string>;

  /** `problem` is told whatever is wrong, in words. */
  constructor(database: DatabaseSync, path: string, problem: (problem: string) => void) {
    this.#path = path;
    this.#database = database;
    this.#problem = problem;
    this.#requests = new RequestTable(database, path);
    this.#order = database.prepare("SELECT * FROM orders WHERE number = ?");
    this.#names = new Map(
      reading(path, null, () =>
        database
          .prepare("SELECT id, name FROM stocks")
          .all()
          .map(({ id, name }) => [numberOf(id), textOf(name)]),
      ),
    );
  }

  /** A command of an entry that is applied. */
  compare(position: number, command: Command): void {
    this.#complainOnDamage(() => {
      const { requestId } = command;
      const row = this.#requests.find(requestKey(requestId));
      if (row === undefined) {
        this.#problem(`the tables lack request id ${requestId} of position ${position}`);
      } else if (command.kind === "order" ? row.number !== command.number : row.number !== null) {
        this.#problem(
          `the tables have order ${row.number ?? "none"} for request id ${requestId} of position ${position}`,
        );
      } else if (
        command.kind !== "order" &&
        (row.position !== position || !encodeCommandsEquals(command, row.command))
      ) {
        this.#problem(
          `the tables remember something else for request id ${requestId} of position ${position}`,
        );
      }
    });
    if (command.kind !== "order") return;
    this.#complainOnDamage(() => this.#compareOrder(position, command));
  }

  /** All entries that are applied were compared, and fed to `audit`; `totals` is what the tables say they hold. */
  finish(audit: Audit, totals: TableTotals): void {
    const { counts } = audit;
    this.#complainOnDamage(() => {
      const row = this.#database.prepare("SELECT count(*) AS count FROM orders").get();
      this.#compareCount("orders", counts.orders, numberOf(row?.count));
    });
    this.#complainOnDamage(() => {
      this.#compareCount("requests", counts.requests, Array.from(this.#requests.all()).length);
    });
    this.#complainOnDamage(() => {
      const stocks: Stock[] = [];
      let sum = 0;
      for (const row of this.#database.prepare("SELECT * FROM stocks ORDER BY id").all()) {
        this.#complainOnDamage(() => stocks.push(stockOf(this.#path, row)));
      }
      for (const stock of stocks) sum = changedSum(sum, 0, stockChecksum(stock));
      for (const difference of audit.differences(stocks, totals.orders)) this.#problem(difference);
      if (
        totals.requests !== counts.requests ||
        totals.stocks !== stocks.length ||
        totals.stocksSum !== sum
      ) {
        this.#problem("what the tables say they hold isn't what they hold");
      }
    });
  }

  #compareOrder(position: number, order: Order): void {
    const row = this.#order.get(order.number);
    if (row === undefined) {
      this.#problem(`the tables lack order ${order.number} of position ${position}`);
      return;
    }
    const { name, type, quantity, price } = orderOf(this.#path, row, (id) => this.#names.get(id));
    if (
      name !== order.name ||
      type !== order.type ||
      quantity !== order.quantity ||
      price !== order.price ||
      row.position !== position
    ) {
      this.#problem(
        `order ${order.number} of position ${position} is ${order.type} ${order.quantity} ${order.name} ` +
          `in the journal, ${type} ${quantity} ${name} of position ${row.position} in the tables`,
      );
    }
  }

  #compareCount(table: "orders" | "requests", expected: number, count: number): void {
    if (count !== expected) {
      this.#problem(`the journal makes ${expected} ${table}, the tables have ${count}`);
    }
  }

  #complainOnDamage(run: () => void): void {
    try {
      reading(this.#path, null, run);
    } catch (error) {
      if (!(error instanceof JournalCorrupt)) throw error;
      this.#problem(error.message);
    }
  }
}

function encodeCommandsEquals(command: Command, bytes: Uint8Array | null): boolean {
  return bytes !== null && Buffer.from(encodeCommands([command])).equals(bytes);
}

/** Hex SHA-256 over all stocks in canonical form, whatever order they come in. */
export function stocksDigest(stocks: Iterable<Stock>): string {
  return hash("sha256", canonicalStocks(stocks));
}

/** Hex SHA-256 over canonical lines that come one by one. */
export class LinesDigest {
  readonly #hash = createHash("sha256");

  add(line: string): void {
    this.#hash.update(line);
  }

  /** The digest of the lines so far; more may follow. */
  hex(): string {
    return this.#hash.copy().digest("hex");
  }
}

/** What makes a thread that runs this file one that audits. */
interface AuditThreadData {
  readonly audit: OrderAuditRequest;
}

const started = isMainThread ? null : (workerData as Partial<AuditThreadData> | null);
if (started?.audit) parentPort?.postMessage(auditOrderFile(started.audit));
