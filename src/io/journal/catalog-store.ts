// A catalog's view of the stocks in a file of its own: DIR/catalog/catalog.db.
//
// The journal is the truth and this only a copy of what it said at a position,
// so a commit isn't fsynced (synchronous = NORMAL): after a power cut the file
// stands at an earlier position, all of it, and the catalog reads on from there.
// Waiting for the disk would make every trade wait for it.
//
// Stocks and position change in one transaction; both carry checksums that are
// verified when the file is opened.

import { existsSync } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { invariant } from "../../core/invariant.ts";
import type { Stock } from "../../core/market/types.ts";
import { DataFileForeign, DataFileMissing, JournalCorrupt } from "./errors.ts";
import {
  createDatabase,
  explain,
  type FileKind,
  numberOf,
  openDatabase,
  openReadOnly,
  reading,
  textOf,
} from "./sqlite.ts";
import { stockChecksum, stockOf } from "./stock-rows.ts";

/** The file of a catalog: "bazc". */
const CATALOG_FILE: FileKind = { applicationId: 0x62617a63, schemaVersion: 1 };

const SCHEMA = `
  CREATE TABLE view (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    cluster TEXT NOT NULL,
    position INTEGER NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE stocks (
    name TEXT PRIMARY KEY,
    price REAL NOT NULL,
    quantity INTEGER NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

/** Makes the file of a catalog that has read nothing yet, and closes it. There must be none at `path`. */
export function createCatalogFile(path: string, cluster: string): void {
  const database = createDatabase(path, CATALOG_FILE, SCHEMA, "consistent");
  try {
    const insert = database.prepare("INSERT INTO view VALUES (1, ?, ?, ?)");
    insert.run(cluster, 0, viewChecksum(cluster, 0));
  } catch (error) {
    throw explain(path, error);
  } finally {
    database.close();
  }
}

/**
 * Opens the file of the catalog named `role`, of any cluster unless one is
 * given. Throws a DataFileError for a file that is missing, damaged, another's,
 * or too new.
 */
export function openCatalogStore(path: string, role: string, cluster?: string): CatalogStore {
  if (!existsSync(path)) throw new DataFileMissing(path, role);
  const database = openDatabase(path, CATALOG_FILE, "consistent");
  try {
    const store = new CatalogStore(path, database);
    if (cluster !== undefined && store.cluster !== cluster) {
      throw new DataFileForeign(
        `${path} belongs to cluster ${store.cluster}, not to ${cluster}: give the right --data directory`,
      );
    }
    return store;
  } catch (error) {
    database.close();
    throw explain(path, error);
  }
}

/** The cluster that a catalog's file belongs to. Throws a DataFileError for one that can't be read. */
export function clusterOfCatalogFile(path: string): string {
  const database = openReadOnly(path, CATALOG_FILE);
  try {
    return readView(path, database).cluster;
  } finally {
    database.close();
  }
}

export class CatalogStore {
  readonly path: string;
  /** Random name of the cluster, the same in all its files. */
  readonly cluster: string;
  readonly #database: DatabaseSync;
  readonly #upsert: StatementSync;
  readonly #move: StatementSync;
  #position: number;

  /** For openCatalogStore(). */
  constructor(path: string, database: DatabaseSync) {
    this.path = path;
    this.#database = database;
    const { cluster, position } = readView(path, database);
    this.cluster = cluster;
    this.#position = position;
    this.#upsert = database.prepare(
      "INSERT INTO stocks VALUES (?, ?, ?, ?) " +
        "ON CONFLICT DO UPDATE SET price = excluded.price, quantity = excluded.quantity, checksum = excluded.checksum",
    );
    this.#move = database.prepare("UPDATE view SET position = ?, checksum = ?");
  }

  /** The journal's position that the file stands at. */
  get position(): number {
    return this.#position;
  }

  /** All stocks at `position`, verified, ascending by name. Throws JournalCorrupt. */
  stocks(): Stock[] {
    return reading(this.path, null, () =>
      this.#database
        .prepare("SELECT * FROM stocks ORDER BY name")
        .all()
        .map((row) => stockOf(this.path, row)),
    );
  }

  /**
   * Brings the file to `position`, in one transaction. `stocks` are those that
   * changed since the last time, as they are there. Throws JournalFailed if the
   * disk refuses; the file then stands where it stood.
   */
  save(position: number, stocks: Iterable<Stock>): void {
    invariant(position >= this.#position, "a view never goes back", {
      before: this.#position,
      after: position,
    });
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      for (const stock of stocks) {
        this.#upsert.run(stock.name, stock.price, stock.quantity, stockChecksum(stock));
      }
      this.#move.run(position, viewChecksum(this.cluster, position));
      this.#database.exec("COMMIT");
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw explain(this.path, error);
    }
    this.#position = position;
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

function readView(path: string, database: DatabaseSync): { cluster: string; position: number } {
  return reading(path, null, () => {
    const row = database.prepare("SELECT cluster, position, checksum FROM view").get();
    const cluster = textOf(row?.cluster);
    const position = numberOf(row?.position);
    if (viewChecksum(cluster, position) !== numberOf(row?.checksum)) {
      throw new JournalCorrupt(path, null, "the checksum of the view's position is wrong");
    }
    return { cluster, position };
  });
}

function viewChecksum(cluster: string, position: number): number {
  return crc32(`${cluster} ${position}`);
}
