// The files of one replica: its journal, in segments, and in a SQLite file the
// tables that are made from it.
//
// The journal is what is promised and acknowledged; core/journal/journal.ts has its
// rules. The tables are a view: they are brought up to date behind it, with nothing
// synced that anybody waits for, and what a power cut takes from them is made from
// the journal again. They never run ahead of what is durable in it.

import { existsSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { invariant } from "../../core/invariant.ts";
import { createJournal, type ScrubProgress, SegmentJournal } from "../../core/journal/journal.ts";
import { JournalReader } from "../../core/journal/reader.ts";
import type { JournalIdentity } from "../../core/journal/segment.ts";
import type { Admission } from "../../core/replication/admissions.ts";
import { areSameMembers, type FileCluster } from "../../core/replication/members.ts";
import type { Entry, HardState } from "../../core/replication/types.ts";
import { privateFolder } from "../private-files.ts";
import { DataFileForeign, DataFileMissing, JournalCorrupt, JournalFailed } from "./errors.ts";
import { type Applied, AppliedRow, ORDER_FILE, type TableTotals } from "./order-file.ts";
import { RequestTable } from "./request-table.ts";
import { segmentsIn } from "./segment-files.ts";
import {
  createDatabase,
  explain,
  openDatabase,
  placeDatabase,
  removeDatabase,
  syncPath,
} from "./sqlite.ts";
import type { Journal, JournalOptions, JournalWrite } from "./types.ts";

/** The folder of the segments beside the tables at `path`: `journal` for `order.db`. */
export function journalFolder(path: string): string {
  return join(dirname(path), basename(path).replace("order.db", "journal"));
}

/** Makes the files of a replica and closes them. `entries` are 1, 2, 3 …; there must be no file at `path`. */
export function createJournalFile(
  path: string,
  identity: JournalIdentity,
  hardState: HardState,
  entries: readonly Entry[],
): void {
  invariant(!existsSync(path), "a data file is never made over another", { path });
  const folder = journalFolder(path);
  privateFolder(folder);
  const segments = segmentsIn(folder);
  try {
    createJournal(segments, identity, hardState, entries);
  } finally {
    segments.files.close();
  }
  const database = createDatabase(path, ORDER_FILE);
  try {
    database.exec("BEGIN IMMEDIATE");
    AppliedRow.insert(database);
    RequestTable.insertFirst(database);
    database.exec("COMMIT");
  } catch (error) {
    throw explain(path, error);
  } finally {
    database.close();
  }
}

/** Removes the files of a replica that were made at `path` and have no use. */
export function removeJournalFile(path: string): void {
  rmSync(journalFolder(path), { recursive: true, force: true });
  removeDatabase(path);
}

/** Gives closed files of a replica their names, durably. Its tables come last: without them there is no replica. */
export function placeJournalFile(from: string, to: string): void {
  rmSync(journalFolder(to), { recursive: true, force: true });
  renameSync(journalFolder(from), journalFolder(to));
  syncPath(dirname(to)); // or a power cut could keep the later name alone
  placeDatabase(from, to);
}

/** Reads the journal of a replica that may run. Throws a DataFileError. */
export function readJournal(path: string): JournalReader {
  const folder = journalFolder(path);
  if (!existsSync(folder)) throw new DataFileMissing(folder, basename(dirname(path)));
  return new JournalReader(segmentsIn(folder));
}

/** The cluster that a replica's files belong to. Throws a DataFileError for one that can't be read. */
export function clusterOfOrderFile(path: string): FileCluster {
  const reader = readJournal(path);
  reader.close();
  return { name: reader.identity.cluster, members: reader.identity.members };
}

/** Position of the newest entry in the files of a replica that doesn't run. Throws a DataFileError. */
export function lastPositionIn(path: string): number {
  const journal = new SegmentJournal(segmentsIn(journalFolder(path)));
  journal.close();
  return journal.lastPosition;
}

/**
 * Opens the files of a replica and verifies what is new in them. Throws a
 * DataFileError for one that is missing, damaged, another's, or too new.
 */
export function openJournal(path: string, options: JournalOptions): FileJournal {
  const role = `order-${options.replica}`;
  if (!existsSync(path)) throw new DataFileMissing(path, role);
  const database = openDatabase(path, ORDER_FILE);
  try {
    const folder = journalFolder(path);
    if (!existsSync(folder)) throw new DataFileMissing(folder, role);
    privateFolder(folder);
    const { syncsEachWrite = true, entriesVerifiedMin, segmentBytes } = options;
    const segments = new SegmentJournal({
      ...segmentsIn(folder),
      syncsEachWrite,
      ...(entriesVerifiedMin !== undefined && { entriesVerifiedMin }),
      ...(segmentBytes !== undefined && { segmentBytes }),
    });
    try {
      expectOurs(folder, segments.identity, options);
      return new FileJournal(path, segments, database, syncsEachWrite);
    } catch (error) {
      segments.close();
      throw error;
    }
  } catch (error) {
    database.close();
    throw explain(path, error);
  }
}

function expectOurs(folder: string, identity: JournalIdentity, options: JournalOptions): void {
  if (identity.replica !== options.replica) {
    throw new DataFileForeign(
      `${folder} belongs to order-${identity.replica}, not to order-${options.replica}: ` +
        "put it back in its place",
    );
  }
  if (options.cluster !== undefined && identity.cluster !== options.cluster) {
    throw new DataFileForeign(
      `${folder} belongs to cluster ${identity.cluster}, not to ${options.cluster}: ` +
        "give the right --data directory",
    );
  }
}

export class FileJournal implements Journal {
  /** Of the tables; the segments are beside it. */
  readonly path: string;
  /** The connection, for the tables. Written to only inside writeTables(). */
  readonly database: DatabaseSync;
  /** Entries that opening verified. */
  readonly entriesVerified: number;
  readonly #segments: SegmentJournal;
  /** Null where each write is synced anyway. */
  readonly #syncs: boolean;
  readonly #applied: AppliedRow;
  readonly #statements: Statements;
  #isClosed = false;
  #failure: Error | null = null;
  /** What to do after the commit of the tables that are being written; null in between. */
  #onCommit: (() => void)[] | null = null;

  /** For openJournal(). */
  constructor(
    path: string,
    segments: SegmentJournal,
    database: DatabaseSync,
    syncsEachWrite: boolean,
  ) {
    this.path = path;
    this.database = database;
    this.#segments = segments;
    this.#syncs = !syncsEachWrite;
    this.entriesVerified = segments.entriesVerified;
    this.#applied = new AppliedRow(database, path);
    this.#statements = prepareStatements(database);
    const { position } = this.applied;
    if (position > this.lastPosition) {
      throw new JournalCorrupt(journalFolder(path), position, "applied entries are gone");
    }
    segments.applied(position);
    if (this.lastPosition > 0) this.#expectMembers();
  }

  /** Throws JournalCorrupt if the first entry, which the chain proves, names others than the segments. */
  #expectMembers(): void {
    const body = this.#segments.entries(0, 0)[0]?.body;
    if (body?.kind !== "members" || areSameMembers(body.members, this.identity.members)) return;
    throw new JournalCorrupt(journalFolder(this.path), 1, "it names other members than the file");
  }

  get identity(): JournalIdentity {
    return this.#segments.identity;
  }

  get hardState(): HardState {
    return this.#segments.hardState;
  }

  get lastPosition(): number {
    return this.#segments.lastPosition;
  }

  /** The tables hold the effects of the entries up to here. */
  get appliedPosition(): number {
    return this.applied.position;
  }

  /** What the tables must hold there, as their last write said. */
  get applied(): Applied {
    return this.#applied.applied;
  }

  epochAt(position: number): number {
    return this.#segments.epochAt(position);
  }

  /** The running digest of the entries 1 to `position`, as hex: equal for equal journals of one cluster. */
  digestAt(position: number): string {
    return Buffer.from(this.#segments.digestAt(position)).toString("hex");
  }

  /** Up to `last`, by default all. */
  entries(position: number, bytesMax: number, last = this.lastPosition): readonly Entry[] {
    return this.#segments.entries(position, bytesMax, last);
  }

  admissions(): readonly Admission[] {
    return this.#segments.admissions();
  }

  write(write: JournalWrite): void {
    this.#expectUsable();
    this.#segments.write(write);
  }

  /**
   * Changes the tables in one transaction. What is thrown from inside it, or by the
   * disk, leaves them as they were, and nothing is written any more.
   */
  writeTables(change: () => void): void {
    this.#expectUsable();
    invariant(!this.database.isTransaction, "one transaction at a time");
    const onCommit: (() => void)[] = [];
    this.#onCommit = onCommit;
    try {
      if (this.#syncs) this.#segments.sync(); // or the tables could outlive what they are made from
      this.#statements.begin.run();
      change();
      this.#statements.commit.run();
    } catch (error) {
      throw this.#fail(error);
    }
    this.#onCommit = null;
    for (const callback of onCommit) callback();
  }

  /** Runs `read` in one read transaction of the tables. It must not write; inside a write there is nothing to begin. */
  readTogether<T>(read: () => T): T {
    const { beginReading, rollback } = this.#statements;
    if (this.database.isTransaction) return read();
    beginReading.run();
    try {
      return read();
    } finally {
      // Not a commit, which damage that was read lets fail with an error of its own.
      if (this.database.isTransaction) rollback.run();
    }
  }

  /** Calls back once the tables are written. Only inside writeTables(). */
  onCommit(callback: () => void): void {
    invariant(this.#onCommit !== null, "only inside a write");
    this.#onCommit.push(callback);
  }

  /** Records that the tables are brought up to `position`, and to what. Only inside writeTables(). */
  setApplied(position: number, totals: TableTotals = this.applied): void {
    this.#segments.applied(position);
    this.onCommit(this.#applied.write({ ...totals, position }));
  }

  /** Verifies about `bytesMax` bytes more of the older history; see SegmentJournal. Throws JournalCorrupt. */
  scrub(bytesMax: number, visit?: (entry: Entry) => void): ScrubProgress {
    return this.#segments.scrub(bytesMax, visit);
  }

  close(): void {
    this.#isClosed = true;
    this.#segments.close();
    if (this.database.isOpen) this.database.close();
  }

  #expectUsable(): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.#isClosed) throw new JournalFailed(`${this.path}: it was closed; start again`);
  }

  /** Rolls back, and remembers why no further write may be tried. */
  #fail(error: unknown): unknown {
    this.#onCommit = null;
    const failure = explain(this.path, error);
    this.#failure =
      failure instanceof JournalFailed
        ? failure
        : new JournalFailed(`${this.path}: an earlier write failed; start again`, {
            cause: failure,
          });
    try {
      if (this.database.isTransaction) this.database.exec("ROLLBACK");
    } catch {
      // The write's own failure is the one to report; closing the file drops the transaction.
    }
    return failure;
  }
}

type Statements = ReturnType<typeof prepareStatements>;

function prepareStatements(database: DatabaseSync) {
  return {
    begin: database.prepare("BEGIN IMMEDIATE"),
    beginReading: database.prepare("BEGIN DEFERRED"),
    commit: database.prepare("COMMIT"),
    rollback: database.prepare("ROLLBACK"),
  };
}
