// A catalog's view of the stocks in a file of its own: DIR/catalog/catalog.db.
//
// The journal is the truth and this only a copy of what it said at a position,
// so a commit isn't fsynced (synchronous = NORMAL): after a power cut the file
// stands at an earlier position, all of it, and the catalog reads on from there.
// Waiting for the disk would make every trade wait for it.
//
// Stocks and position change in one transaction; both carry checksums that are
// verified when the file is opened, and the position's row says how many stocks
// there are and what their checksums sum up to, since a flipped bit can hide some.
// A damaged file isn't worth keeping: it is put aside, and everything is read anew.

import { copyFileSync, existsSync } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { invariant } from "../../core/invariant.ts";
import type { Stock } from "../../core/market/types.ts";
import { type FileCluster, membersText } from "../../core/replication/members.ts";
import { DataFileError, DataFileForeign, DataFileMissing, JournalCorrupt } from "./errors.ts";
import { changedSum, stockChecksum, stockOf } from "./rows.ts";
import {
  createDatabase,
  explain,
  type FileKind,
  numberOf,
  openDatabase,
  openReadOnly,
  placeDatabase,
  reading,
  removeDatabase,
  textOf,
} from "./sqlite.ts";

const SCHEMA = `
  CREATE TABLE view (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    cluster TEXT NOT NULL,
    members TEXT NOT NULL,
    position INTEGER NOT NULL,
    stocks INTEGER NOT NULL,
    stocks_sum INTEGER NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE stocks (
    name TEXT PRIMARY KEY,
    price REAL NOT NULL,
    quantity INTEGER NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

/** The file of a catalog: "bazc". */
const CATALOG_FILE: FileKind = { applicationId: 0x62617a63, schemaVersion: 2, schema: SCHEMA };

/** What is added to the name of a damaged file; the newest one is kept. */
const DAMAGED = ".damaged";

/** Makes the file of a catalog that has read nothing yet, and closes it. There must be none at `path`. */
export function createCatalogFile(path: string, cluster: FileCluster): void {
  const database = createDatabase(path, CATALOG_FILE);
  try {
    database
      .prepare("INSERT INTO view VALUES (1, ?, ?, ?, ?, ?, ?)")
      .run(...viewValues(emptyView(cluster)));
  } catch (error) {
    throw explain(path, error);
  } finally {
    database.close();
  }
}

export interface CatalogStoreOptions {
  readonly path: string;
  /** Name of the catalog. */
  readonly role: string;
  /** The cluster it must belong to; left out, any. */
  readonly cluster?: string;
  /** Told why a damaged file was put aside, after which the catalog reads everything anew. Left out, damage is thrown. */
  readonly renewed?: (why: JournalCorrupt) => void;
  /** The cluster, where a damaged file can't tell it any more; null if nothing can. */
  readonly clusterElsewhere?: () => FileCluster | null;
}

/**
 * Opens the file of a catalog. Throws a DataFileError for a file that is
 * missing, another's, or of another format, and JournalCorrupt for a damaged
 * one that isn't made anew.
 */
export function openCatalogStore(options: CatalogStoreOptions): CatalogStore {
  const { path, role, cluster, renewed, clusterElsewhere } = options;
  if (!existsSync(path)) throw new DataFileMissing(path, role);
  let store: CatalogStore;
  try {
    store = new CatalogStore(options);
  } catch (error) {
    if (!(error instanceof JournalCorrupt) || renewed === undefined) throw error;
    const known = clusterIfReadable(path) ?? clusterElsewhere?.() ?? null;
    if (known === null) throw error;
    renewFile(path, known);
    renewed(error);
    store = new CatalogStore(options);
  }
  if (cluster !== undefined && store.cluster.name !== cluster) {
    store.close();
    throw new DataFileForeign(
      `${path} belongs to cluster ${store.cluster.name}, not to ${cluster}: give the right --data directory`,
    );
  }
  return store;
}

/** The cluster that a catalog's file belongs to. Throws a DataFileError for one that can't be read. */
export function clusterOfCatalogFile(path: string): FileCluster {
  const database = openReadOnly(path, CATALOG_FILE);
  try {
    return readView(path, database).cluster;
  } finally {
    database.close();
  }
}

function clusterIfReadable(path: string): FileCluster | null {
  try {
    return clusterOfCatalogFile(path);
  } catch (error) {
    if (error instanceof DataFileError) return null;
    throw error;
  }
}

/** Puts a damaged file, which nobody has open, aside; an empty one of this cluster takes its place. */
function renewFile(path: string, cluster: FileCluster): void {
  const made = `${path}.new`;
  removeDatabase(made);
  createCatalogFile(made, cluster);

  copyFileSync(path, path + DAMAGED);
  placeDatabase(made, path);
}

export class CatalogStore {
  readonly path: string;
  readonly cluster: FileCluster;
  readonly #renewed: CatalogStoreOptions["renewed"];
  #file: OpenFile;
  #view: View;
  /** What the file holds, by name. */
  readonly #stocks: Map<string, Stock>;

  /** For openCatalogStore(). Throws JournalCorrupt. */
  constructor({ path, renewed }: CatalogStoreOptions) {
    this.path = path;
    this.#renewed = renewed;
    this.#file = openFile(path);
    try {
      this.#view = readView(path, this.#file.database);
      this.#stocks = readStocks(path, this.#file.database, this.#view);
    } catch (error) {
      this.#file.database.close();
      throw error;
    }
    this.cluster = this.#view.cluster;
  }

  /** The journal's position that the file stands at. */
  get position(): number {
    return this.#view.position;
  }

  /** All stocks at `position`, in no order. */
  stocks(): Stock[] {
    return [...this.#stocks.values()];
  }

  /**
   * Brings the file to `position`, in one transaction. `stocks` are those that
   * changed since the last time, as they are there. A file that shows damage is
   * made anew. Throws JournalFailed if the disk refuses; the file then stands
   * where it stood.
   */
  save(position: number, stocks: Iterable<Stock>): void {
    invariant(position >= this.position, "a view never goes back", {
      before: this.position,
      after: position,
    });
    try {
      this.#write(position, stocks);
    } catch (error) {
      if (!(error instanceof JournalCorrupt) || this.#renewed === undefined) throw error;
      this.#file.database.close();
      renewFile(this.path, this.cluster);
      this.#renewed(error);
      this.#file = openFile(this.path);
      const held = this.stocks();
      this.#stocks.clear();
      this.#view = emptyView(this.cluster);
      this.#write(position, new Map([...held, ...stocks].map((one) => [one.name, one])).values());
    }
  }

  #write(position: number, stocks: Iterable<Stock>): void {
    const { database, upsert, move } = this.#file;
    const written: Stock[] = [];
    let view: View = { ...this.#view, position };
    try {
      database.exec("BEGIN IMMEDIATE");
      for (const stock of stocks) {
        const checksum = stockChecksum(stock);
        upsert.run(stock.name, stock.price, stock.quantity, checksum);
        const before = this.#stocks.get(stock.name);
        view = {
          ...view,
          stocks: view.stocks + (before ? 0 : 1),
          stocksSum: changedSum(view.stocksSum, before ? stockChecksum(before) : 0, checksum),
        };
        written.push(stock);
      }
      move.run(...viewValues(view));
      database.exec("COMMIT");
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      throw explain(this.path, error);
    }
    this.#view = view;
    for (const stock of written) this.#stocks.set(stock.name, stock);
  }

  close(): void {
    if (this.#file.database.isOpen) this.#file.database.close();
  }
}

/** An open file with what is written to it. */
interface OpenFile {
  readonly database: DatabaseSync;
  readonly upsert: StatementSync;
  readonly move: StatementSync;
}

function openFile(path: string): OpenFile {
  const database = openDatabase(path, CATALOG_FILE);
  return {
    database,
    upsert: database.prepare(
      "INSERT INTO stocks VALUES (?, ?, ?, ?) " +
        "ON CONFLICT DO UPDATE SET price = excluded.price, quantity = excluded.quantity, checksum = excluded.checksum",
    ),
    move: database.prepare(
      "UPDATE view SET cluster = ?, members = ?, position = ?, stocks = ?, stocks_sum = ?, checksum = ?",
    ),
  };
}

/** The row of `view`. */
interface View {
  readonly cluster: FileCluster;
  readonly position: number;
  /** How many there are. */
  readonly stocks: number;
  /** Of the stocks' checksums. */
  readonly stocksSum: number;
}

function emptyView(cluster: FileCluster): View {
  return { cluster, position: 0, stocks: 0, stocksSum: 0 };
}

function readView(path: string, database: DatabaseSync): View {
  return reading(path, null, () => {
    const row = database.prepare("SELECT * FROM view").get();
    if (row === undefined) throw new JournalCorrupt(path, null, "the row of the view is gone");
    const view: View = {
      cluster: {
        name: textOf(row.cluster),
        members: textOf(row.members).split(",").map(Number),
      },
      position: numberOf(row.position),
      stocks: numberOf(row.stocks),
      stocksSum: numberOf(row.stocks_sum),
    };
    if (viewChecksum(view) !== numberOf(row.checksum)) {
      throw new JournalCorrupt(path, null, "the checksum of the view's position is wrong");
    }
    return view;
  });
}

/** All stocks, verified; none is missing, and none there twice. */
function readStocks(path: string, database: DatabaseSync, view: View): Map<string, Stock> {
  return reading(path, null, () => {
    const stocks = new Map<string, Stock>();
    let sum = 0;
    for (const row of database.prepare("SELECT * FROM stocks").all()) {
      const stock = stockOf(path, row);
      stocks.set(stock.name, stock);
      sum = changedSum(sum, 0, stockChecksum(stock));
    }
    if (stocks.size !== view.stocks || sum !== view.stocksSum) {
      throw new JournalCorrupt(path, null, "the stocks aren't those that were written last");
    }
    return stocks;
  });
}

function viewValues(view: View) {
  const { cluster, position, stocks, stocksSum } = view;
  const members = membersText(cluster.members);
  return [cluster.name, members, position, stocks, stocksSum, viewChecksum(view)] as const;
}

function viewChecksum({ cluster, position, stocks, stocksSum }: View): number {
  const { name, members } = cluster;
  return crc32([name, membersText(members), position, stocks, stocksSum].join(" "));
}
