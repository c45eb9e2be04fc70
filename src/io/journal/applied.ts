// Up to which position the tables hold the journal's effects.
//
// Written in the same transaction as the tables, so the two can't disagree.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { invariant } from "../../core/invariant.ts";
import { JournalCorrupt } from "./errors.ts";
import { numberOf, reading } from "./sqlite.ts";

export class AppliedPosition {
  readonly #update: StatementSync;
  #position: number;

  /** Reads and verifies the position. Throws JournalCorrupt. */
  constructor(database: DatabaseSync, path: string) {
    this.#update = database.prepare("UPDATE applied SET position = ?, checksum = ?");
    this.#position = readApplied(database, path);
  }

  /** Writes the first row, of tables that hold nothing. */
  static insert(database: DatabaseSync): void {
    database.prepare("INSERT INTO applied VALUES (1, 0, ?)").run(checksumOf(0));
  }

  /** The committed position. */
  get position(): number {
    return this.#position;
  }

  /** Writes a new position; what is returned is to be called once that is committed. */
  write(position: number): () => void {
    // R1
    invariant(position >= this.#position, "the applied position never goes back", {
      before: this.#position,
      after: position,
    });
    this.#update.run(position, checksumOf(position));
    return () => {
      this.#position = position;
    };
  }
}

/** The position in the file. Throws JournalCorrupt. */
export function readApplied(database: DatabaseSync, path: string): number {
  return reading(path, null, () => {
    const row = database.prepare("SELECT position, checksum FROM applied").get();
    const position = numberOf(row?.position);
    if (numberOf(row?.checksum) !== checksumOf(position)) {
      throw new JournalCorrupt(path, null, "the checksum of the applied position is wrong");
    }
    return position;
  });
}

function checksumOf(position: number): number {
  return crc32(`applied ${position}`);
}
