// What `bazaar verify` compares of a replica, read from its file.
//
// Goes through the whole journal once, from its own connection, in one read
// transaction, so that the replica goes on meanwhile: verifies the chain of
// digests, checks M1 to M3, and compares the tables with what the journal says.
// The tables may stand later than the position asked about, never earlier.
//
// Memory: one entry at a time, all stocks, and every request id, about 100 bytes
// each. Time: some 15 µs an order. While it reads, the write-ahead log can't be
// reused and grows.

import type { DatabaseSync } from "node:sqlite";
import { Audit, type AuditCounts } from "../../core/market/audit.ts";
import { canonicalOrder, canonicalRequest } from "../../core/market/canonical.ts";
import { BadCommandBytes, decodeCommands } from "../../core/market/codec.ts";
import { recordedRequest } from "../../core/market/content.ts";
import type { Command } from "../../core/market/types.ts";
import type { Entry } from "../../core/replication/types.ts";
import type { OrderAudit } from "../../core/service/reports.ts";
import { type Applied, readApplied } from "./applied.ts";
import { LinesDigest, stocksDigest } from "./digests.ts";
import { EntryTable } from "./entry-table.ts";
import { JournalCorrupt } from "./errors.ts";
import { readMeta } from "./meta.ts";
import { ORDER_FILE } from "./order-file.ts";
import { openReadOnly } from "./sqlite.ts";
import { TableAudit } from "./table-audit.ts";

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
    return new FileAudit(database, request).run();
  } finally {
    database.close();
  }
}

/** Position of the newest entry in the file of a replica. Throws as auditOrderFile() does. */
export function lastPositionIn(path: string): number {
  const database = openReadOnly(path, ORDER_FILE);
  try {
    return readMeta(database, path).end.position;
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
  readonly #table: EntryTable;
  readonly #tables: TableAudit;
  readonly #audit: Audit;
  readonly #applied: Applied;
  readonly #orders = new LinesDigest();
  readonly #requests = new LinesDigest();
  /** Set once the position asked about is reached. */
  #asked: AtPosition | null = null;
  readonly #problems: string[] = [];
  #problemCount = 0;

  constructor(database: DatabaseSync, request: OrderAuditRequest) {
    const { path, stocksAt } = request;
    this.#request = request;
    this.#table = new EntryTable(database, path, readMeta(database, path).identity.cluster);
    this.#tables = new TableAudit(database, path, (problem) => this.#problem(problem));
    this.#applied = readApplied(database, path);
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
    let digest = this.#table.storedDigest(0);
    let position = 0;
    this.#arrive(position, digest);
    try {
      for (const chained of this.#table.after(0)) {
        if (chained.entry.position > last) break;
        digest = chained.digest;
        position = chained.entry.position;
        this.#feed(chained.entry);
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
