// Up to which position the tables hold the journal's effects, and what they
// amount to there.
//
// Written in the same transaction as the tables, so the two can't disagree
// unless the disk changed one of them. A flipped bit can hide rows of a table,
// the newest ones too, and nothing in the table then says so: this row does.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { invariant } from "../../core/invariant.ts";
import { JournalCorrupt } from "./errors.ts";
import { bytesOf, numberOf, reading } from "./sqlite.ts";

/** What the tables amount to. */
export interface TableTotals {
  /** Number of the newest order, which is also how many there are. */
  readonly orders: number;
  /** Request ids recorded. */
  readonly requests: number;
  readonly stocks: number;
  /** stocksSum() of all stocks. */
  readonly stocksSum: number;
  /** The greatest key of a made request id; null when there is none. */
  readonly greatestMade: Uint8Array | null;
}

/** The position of the tables, and what they amount to there. */
export interface Applied extends TableTotals {
  readonly position: number;
}

const NOTHING: Applied = {
  position: 0,
  orders: 0,
  requests: 0,
  stocks: 0,
  stocksSum: 0,
  greatestMade: null,
};

export class AppliedRow {
  readonly #update: StatementSync;
  #applied: Applied;

  /** Reads and verifies the row. Throws JournalCorrupt. */
  constructor(database: DatabaseSync, path: string) {
    this.#update = database.prepare(
      "UPDATE applied SET position = ?, orders = ?, requests = ?, stocks = ?, stocks_sum = ?, " +
        "greatest_made = ?, checksum = ?",
    );
    this.#applied = readApplied(database, path);
  }

  /** Writes the first row, of tables that hold nothing. */
  static insert(database: DatabaseSync): void {
    database
      .prepare("INSERT INTO applied VALUES (1, ?, ?, ?, ?, ?, ?, ?)")
      .run(...valuesOf(NOTHING));
  }

  /** As committed. */
  get applied(): Applied {
    return this.#applied;
  }

  /** Writes the row anew; what is returned is to be called once that is committed. */
  write(applied: Applied): () => void {
    // R1
    invariant(applied.position >= this.#applied.position, "the applied position never goes back", {
      before: this.#applied.position,
      after: applied.position,
    });
    this.#update.run(...valuesOf(applied));
    return () => {
      this.#applied = applied;
    };
  }
}

/** The row in the file. Throws JournalCorrupt. */
export function readApplied(database: DatabaseSync, path: string): Applied {
  return reading(path, null, () => {
    const row = database.prepare("SELECT * FROM applied").get();
    if (row === undefined) throw new JournalCorrupt(path, null, "the row of applied is gone");
    const applied: Applied = {
      position: numberOf(row.position),
      orders: numberOf(row.orders),
      requests: numberOf(row.requests),
      stocks: numberOf(row.stocks),
      stocksSum: numberOf(row.stocks_sum),
      greatestMade: row.greatest_made === null ? null : bytesOf(row.greatest_made),
    };
    if (numberOf(row.checksum) !== checksumOf(applied)) {
      throw new JournalCorrupt(path, null, "the checksum of the applied position is wrong");
    }
    return applied;
  });
}

function valuesOf(applied: Applied) {
  const { position, orders, requests, stocks, stocksSum, greatestMade } = applied;
  const checksum = checksumOf(applied);
  return [position, orders, requests, stocks, stocksSum, greatestMade, checksum] as const;
}

function checksumOf({ position, orders, requests, stocks, stocksSum, greatestMade }: Applied) {
  const made = greatestMade === null ? "none" : Buffer.from(greatestMade).toString("hex");
  return crc32(`applied ${[position, orders, requests, stocks, stocksSum, made].join(" ")}`);
}
