// How every data file is opened, read and complained about.
//
// One place for the settings that durability rests on, and for turning SQLite's
// error codes into what the operator does next.
//
// SQLite makes durable what is in a file. That a file is there, under its name,
// is the folder's content, and is made durable by an fsync of the folder.

import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { invariant } from "../../core/invariant.ts";
import { checkPrivateFile } from "../private-files.ts";
import {
  DataFileForeign,
  DataFileTooNew,
  DataFileTooOld,
  JournalCorrupt,
  JournalFailed,
  JournalRefused,
} from "./errors.ts";

/** What a file is for; stored in it, so that one isn't taken for another. */
export interface FileKind {
  /** SQLite's application_id. */
  readonly applicationId: number;
  /** The version of its tables; a file of any other is refused. */
  readonly schemaVersion: number;
  /** The statements that make its tables. */
  readonly schema: string;
}

/**
 * Pages (4 KiB each) in the write-ahead log before they are copied into the main
 * file, inside a commit. More would make fewer of these stops, but longer ones:
 * 1,000 take 5 to 10 ms, 4,000 take 20 to 30.
 */
const CHECKPOINT_PAGES = 1_000;

/** A write-ahead log that grew beyond this (a long audit kept it from being reused) is cut back. */
const WAL_BYTES_MAX = 64 * 1024 * 1024;

/** How long to wait for another connection to the same file, which only ever reads. */
const BUSY_TIMEOUT_MS = 1_000;

/** Longest name of a file that SQLite opens, bytes: its buffer of 512 less the endings of what it puts beside. */
const PATH_BYTES_MAX = 504;

/** SQLite's primary result codes, https://www.sqlite.org/rescode.html */
const SQLITE_ERROR = 1;
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CONSTRAINT = 19;
const SQLITE_NOTADB = 26;
const EXTENDED_CODE_BITS = 0xff;

/** Makes a new file. Throws if there is one already. */
export function createDatabase(path: string, kind: FileKind): DatabaseSync {
  invariant(!existsSync(path), "a data file is never made over another", { path });
  const database = connect(path, {});
  try {
    configure(database);
    database.exec("BEGIN IMMEDIATE");
    database.exec(
      `PRAGMA application_id = ${kind.applicationId}; PRAGMA user_version = ${kind.schemaVersion};`,
    );
    database.exec(kind.schema);
    database.exec("COMMIT");
    return database;
  } catch (error) {
    database.close();
    throw explain(path, error);
  }
}

/** Opens an existing file of this kind to read and write. */
export function openDatabase(path: string, kind: FileKind): DatabaseSync {
  const database = connect(path, {});
  try {
    checkKind(database, path, kind);
    configure(database);
    return database;
  } catch (error) {
    database.close();
    throw explain(path, error);
  }
}

/** Opens an existing file of this kind to read what other connections have committed. */
export function openReadOnly(path: string, kind: FileKind): DatabaseSync {
  const database = connect(path, { readOnly: true });
  try {
    checkKind(database, path, kind);
    return database;
  } catch (error) {
    database.close();
    throw explain(path, error);
  }
}

/** What an error of SQLite means for the operator; any other error comes back as it is. */
export function explain(path: string, error: unknown): unknown {
  const code = sqliteCode(error);
  if (code === null) return error;
  const said = (error as Error).message.replaceAll(/\s+/g, " "); // one line, also where it cites our SQL
  switch (code & EXTENDED_CODE_BITS) {
    case SQLITE_ERROR: // Our statements are right, so the tables aren't those that they were written for.
    case SQLITE_CORRUPT:
    case SQLITE_CONSTRAINT: // What we write keeps them, so what it was compared with isn't what was written.
    case SQLITE_NOTADB:
      return new JournalCorrupt(path, null, said);
    case SQLITE_FULL:
      return new JournalRefused(`${path}: the disk is full; free some space, then start again`, {
        cause: error,
      });
    default:
      return new JournalFailed(
        `${path}: ${said} (SQLite error ${code}); check the disk, then start again`,
        { cause: error },
      );
  }
}

/** Whether an error of SQLite says that another connection holds a lock. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  return code !== null && (code & EXTENDED_CODE_BITS) === SQLITE_BUSY;
}

/**
 * Reads from a file: what SQLite complains about comes out as the operator's
 * error, a column of the wrong type as damage at `position`.
 */
export function reading<T>(path: string, position: number | null, read: () => T): T {
  try {
    return read();
  } catch (error) {
    // node:sqlite throws a RangeError for an integer that isn't safe: never written by us.
    if (error instanceof BadColumn || error instanceof RangeError) {
      throw new JournalCorrupt(path, position, error.message);
    }
    throw explain(path, error);
  }
}

/** A column that holds a number. */
export function numberOf(value: unknown): number {
  if (typeof value !== "number") throw new BadColumn("a number", value);
  return value;
}

/** A column that holds text. */
export function textOf(value: unknown): string {
  if (typeof value !== "string") throw new BadColumn("text", value);
  return value;
}

/** A column that holds bytes. */
export function bytesOf(value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new BadColumn("bytes", value);
  return value;
}

/** A column of another type than its table's definition demands. */
class BadColumn extends Error {
  constructor(expected: string, value: unknown) {
    super(`a column holds ${value === null ? "nothing" : typeof value} instead of ${expected}`);
  }
}

/** Opens a file, this user's alone, and what SQLite puts beside it; makes it unless it is only read. */
export function connect(
  path: string,
  options: { readonly readOnly?: boolean; readonly timeout?: number },
): DatabaseSync {
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) {
    throw new JournalRefused(
      `${path}: longer than the ${PATH_BYTES_MAX} bytes that SQLite takes: choose a shorter --data directory`,
    );
  }
  for (const ending of ["", ...COMPANIONS]) checkPrivateFile(path + ending);
  try {
    return new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, ...options });
  } catch (error) {
    throw explain(path, error);
  }
}

/** Consistent after any crash, but a power cut may take the newest commits: what is in such files is a view. */
function configure(database: DatabaseSync): void {
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
    PRAGMA journal_size_limit = ${WAL_BYTES_MAX};
    PRAGMA cell_size_check = ON;
  `);
}

function checkKind(database: DatabaseSync, path: string, kind: FileKind): void {
  const applicationId = pragma(database, "application_id");
  if (applicationId !== kind.applicationId) {
    throw applicationId === 0
      ? new JournalCorrupt(path, null, "it is empty, or its header is lost")
      : new DataFileForeign(`${path} isn't a file of this role; give the right --data directory`);
  }
  const version = pragma(database, "user_version");
  if (version > kind.schemaVersion) throw new DataFileTooNew(path, version, kind.schemaVersion);
  if (version < 1) throw new JournalCorrupt(path, null, `format ${version} never existed`);
  if (version < kind.schemaVersion) throw new DataFileTooOld(path, version, kind.schemaVersion);
  checkSchema(database, path, kind);
}

/**
 * SQLite reads what tables look like, and where each begins, from the file
 * itself: a bit flipped there may turn a column, a key or a whole table into another.
 */
function checkSchema(database: DatabaseSync, path: string, kind: FileKind): void {
  const made = new DatabaseSync(":memory:");
  made.exec(kind.schema);
  const schemaOf = (of: DatabaseSync) =>
    JSON.stringify(of.prepare("SELECT * FROM sqlite_schema ORDER BY rowid").all());
  const expected = schemaOf(made);
  made.close();
  if (reading(path, null, () => schemaOf(database)) !== expected) {
    throw new JournalCorrupt(path, null, "its tables aren't those that were made");
  }
}

function pragma(database: DatabaseSync, name: "application_id" | "user_version"): number {
  return numberOf(database.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function sqliteCode(error: unknown): number | null {
  if (!(error instanceof Error) || !("errcode" in error)) return null;
  return typeof error.errcode === "number" ? error.errcode : null;
}

/** What SQLite leaves beside a database that wasn't closed. */
export const COMPANIONS = ["-wal", "-shm", "-journal"] as const;

/** Makes the content of a file, or the names in a folder, durable. */
export function syncPath(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Removes a database and what may be left beside it. */
export function removeDatabase(path: string): void {
  rmSync(path, { force: true });
  removeCompanions(path);
}

/**
 * Gives a closed database its name, durably; one that has it is replaced. Logs
 * that this one, or a lost one, left behind go first: SQLite would replay them
 * into the new one.
 */
export function placeDatabase(from: string, to: string): void {
  syncPath(from);
  removeCompanions(from); // empty, of whoever only read it
  removeCompanions(to);
  renameSync(from, to);
  syncPath(dirname(to));
}

function removeCompanions(path: string): void {
  for (const companion of COMPANIONS) rmSync(path + companion, { force: true });
}
