// The journal of one replica in a SQLite file: what it promised, and its entries.
//
//   R1. The promise and the applied position never go back, and applied <= last.
//   R2. Durable when write() returns: write-ahead log, synchronous = FULL.
//   - What the file shows ends where its last write left it: a row of its own
//     says where, since a flipped bit can hide the newest entries.
//
// Damage never passes for data. Each entry is chained to the one before by a
// digest; opening verifies the entries that the tables don't hold yet, and at
// least the newest 1,000, so that a restart takes time in proportion to what is
// new; everything read later is verified as it is read; scrub() verifies the
// older history bit by bit. Writing reads nothing: the newest digest, position
// and epochs are in memory, and change only after the commit. A write that fails
// is the last: after a failed fsync nobody knows what is on disk, so the replica
// must stop, and what is there is looked at again when it starts.

import { existsSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { invariant } from "../../core/invariant.ts";
import type { Admission } from "../../core/replication/admissions.ts";
import type { Entry, HardState } from "../../core/replication/types.ts";
import { admissionIn, EntryTable, firstDigest, prepareInsert, RecentEpochs } from "./entries.ts";
import { DataFileForeign, DataFileMissing, JournalCorrupt, JournalFailed } from "./errors.ts";
import {
  type Applied,
  AppliedRow,
  insertMeta,
  type JournalEnd,
  type Meta,
  ORDER_FILE,
  prepareMetaUpdate,
  readMeta,
  type TableTotals,
} from "./order-file.ts";
import { RequestTable } from "./request-table.ts";
import { createDatabase, explain, openDatabase } from "./sqlite.ts";
import type {
  Journal,
  JournalIdentity,
  JournalOptions,
  JournalWrite,
  ScrubProgress,
} from "./types.ts";
import { checkWriteAheadLog } from "./wal.ts";

/** Newest entries that opening verifies, though the tables hold them: what a damaged disk hits first. */
const ENTRIES_VERIFIED_MIN = 1_000;

/** What an entry takes beside its command, for limits in bytes. */
const ENTRY_OVERHEAD_BYTES = 64;

/** Makes the file of a replica and closes it. `entries` are 1, 2, 3 …; there must be no file at `path`. */
export function createJournalFile(
  path: string,
  identity: JournalIdentity,
  hardState: HardState,
  entries: readonly Entry[],
): void {
  const database = createDatabase(path, ORDER_FILE, "each-commit");
  const end = { position: 0, digest: firstDigest(identity.cluster), admissions: 0 };
  const meta: Meta = { identity, hardState, end };
  try {
    database.exec("BEGIN IMMEDIATE");
    insertMeta(database, meta);
    AppliedRow.insert(database);
    RequestTable.insertFirst(database);
    database.exec("COMMIT");
    new SqliteJournal(path, database, meta, 0).write({ entries });
  } catch (error) {
    throw explain(path, error);
  } finally {
    database.close();
  }
}

/**
 * Opens the file of a replica and verifies what is new in it. Throws a
 * DataFileError for a file that is missing, damaged, another's, or too new.
 */
export function openJournal(path: string, options: JournalOptions): SqliteJournal {
  if (!existsSync(path)) throw new DataFileMissing(path, `order-${options.replica}`);
  checkWriteAheadLog(path);
  const database = openDatabase(path, ORDER_FILE, options.durability ?? "each-commit");
  try {
    const meta = readMeta(database, path);
    expectOurs(path, meta.identity, options);
    // A log of its own for each start, so that no torn write of an earlier one stands behind this one's.
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    const verifiedMin = options.entriesVerifiedMin ?? ENTRIES_VERIFIED_MIN;
    return new SqliteJournal(path, database, meta, verifiedMin);
  } catch (error) {
    database.close();
    throw explain(path, error);
  }
}

function expectOurs(path: string, identity: JournalIdentity, options: JournalOptions): void {
  if (identity.replica !== options.replica) {
    throw new DataFileForeign(
      `${path} belongs to order-${identity.replica}, not to order-${options.replica}: ` +
        "put it back in its place",
    );
  }
  if (options.cluster !== undefined && identity.cluster !== options.cluster) {
    throw new DataFileForeign(
      `${path} belongs to cluster ${identity.cluster}, not to ${options.cluster}: ` +
        "give the right --data directory",
    );
  }
}

export class SqliteJournal implements Journal {
  readonly path: string;
  /** The connection, for the tables in the same file. Written to only inside write(). */
  readonly database: DatabaseSync;
  readonly identity: JournalIdentity;
  /** Entries that opening verified. */
  readonly entriesVerified: number;

  readonly #table: EntryTable;
  readonly #statements: Statements;
  readonly #applied: AppliedRow;
  readonly #epochs = new RecentEpochs();
  /** Ascending. */
  #admissions: readonly Admission[];
  #hardState: HardState;
  #end: JournalEnd;
  /** Where scrub() ends: the applied position when the file was opened. */
  readonly #scrubThrough: number;
  /** Where scrub() stands. */
  #scrubbed: { readonly position: number; readonly digest: Uint8Array };
  /** Set once a write failed. */
  #failure: Error | null = null;
  /** What to do after the commit of the write under way; null between writes. */
  #onCommit: (() => void)[] | null = null;

  /** For openJournal() and createJournalFile(). */
  constructor(path: string, database: DatabaseSync, meta: Meta, entriesVerifiedMin: number) {
    this.path = path;
    this.database = database;
    this.identity = meta.identity;
    this.#hardState = meta.hardState;
    this.#statements = prepareStatements(database, meta.identity);
    this.#applied = new AppliedRow(database, path);
    this.#table = new EntryTable(database, path, meta.identity.cluster);
    this.#scrubThrough = this.appliedPosition;
    this.#scrubbed = { position: 0, digest: this.#table.storedDigest(0) };
    this.#end = meta.end;
    if (this.appliedPosition > this.lastPosition) {
      throw new JournalCorrupt(path, this.appliedPosition, "applied entries are gone"); // R1
    }
    if (this.lastPosition > 0) this.#table.expectMembers(meta.identity.members);
    this.entriesVerified = this.#verifyNewest(entriesVerifiedMin);
    this.#admissions = this.#table.admissions();
    if (this.#admissions.length !== this.#end.admissions) {
      throw new JournalCorrupt(path, null, "the index of admissions is wrong");
    }
  }

  /** Verifies the entries that the tables don't hold, and at least `min`. Gives their number. */
  #verifyNewest(min: number): number {
    const trusted = Math.max(0, Math.min(this.appliedPosition, this.lastPosition - min));
    let [position, digest] = [trusted, this.#table.storedDigest(trusted)];
    for (const { entry, ...chained } of this.#table.after(trusted)) {
      [position, digest] = [entry.position, chained.digest];
      this.#epochs.push(position, entry.epoch);
    }
    const end = this.#end;
    if (position !== end.position || Buffer.compare(digest, end.digest) !== 0) {
      throw new JournalCorrupt(
        this.path,
        end.position,
        `the entries go to position ${position}, not to where they ended`,
      );
    }
    return position - trusted;
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  get lastPosition(): number {
    return this.#end.position;
  }

  /** The tables hold the effects of the entries up to here. */
  get appliedPosition(): number {
    return this.applied.position;
  }

  /** What the tables must hold there, as their last write said. */
  get applied(): Applied {
    return this.#applied.applied;
  }

  /** Whether a write is under way: true only inside `also`. */
  get isWriting(): boolean {
    return this.#onCommit !== null;
  }

  epochAt(position: number): number {
    if (position === 0) return 0;
    invariant(position >= 1 && position <= this.lastPosition, "the entry is in the journal", {
      position,
      lastPosition: this.lastPosition,
    });
    return this.#epochs.at(position) ?? this.#table.read(position).entry.epoch;
  }

  /** The running digest of the entries 1 to `position`, as hex: equal for equal journals of one cluster. */
  digestAt(position: number): string {
    return Buffer.from(this.#digestAt(position)).toString("hex");
  }

  entries(position: number, bytesMax: number): readonly Entry[] {
    const entries: Entry[] = [];
    if (position >= this.lastPosition) return entries;
    let bytes = 0;
    for (const { entry } of this.#table.after(position)) {
      bytes += sizeOf(entry);
      if (bytes > bytesMax && entries.length > 0) break;
      entries.push(entry);
    }
    return entries;
  }

  admissions(): readonly Admission[] {
    return this.#admissions;
  }

  /**
   * One transaction, durable when it returns. `also` runs inside it, to write
   * tables along with the entries. Throws JournalFailed if the disk refuses;
   * whatever is thrown from inside the transaction, nothing of it was
   * acknowledged and every further write fails.
   */
  write(write: JournalWrite, also?: () => void): void {
    if (this.#failure !== null) throw this.#failure;
    invariant(!this.database.isTransaction, "one transaction at a time");
    const { hardState, truncateFrom, entries = [] } = write;
    if (hardState !== undefined) this.#expectPromiseKept(hardState);
    if (truncateFrom !== undefined) this.#expectTruncatable(truncateFrom);
    let position = truncateFrom === undefined ? this.lastPosition : truncateFrom - 1;
    let digest = this.#digestAt(position);
    const admissions = [
      ...this.#admissions.filter((kept) => kept.position < (truncateFrom ?? Infinity)),
      ...entries.map(admissionIn).filter((admission) => admission !== null),
    ];
    const onCommit: (() => void)[] = [];
    this.#onCommit = onCommit;
    try {
      this.#statements.begin.run();
      if (truncateFrom !== undefined) this.#statements.truncate.run(truncateFrom);
      for (const entry of entries) {
        position++;
        invariant(entry.position === position, "entries are consecutive", {
          expected: position,
          position: entry.position,
        });
        digest = this.#statements.insert(digest, entry);
      }
      const end = { position, digest, admissions: admissions.length };
      if (hardState !== undefined || truncateFrom !== undefined || entries.length > 0) {
        this.#statements.updateMeta(hardState ?? this.#hardState, end);
      }
      onCommit.push(() => {
        this.#hardState = hardState ?? this.#hardState;
        if (truncateFrom !== undefined) this.#epochs.truncateFrom(truncateFrom);
        for (const entry of entries) this.#epochs.push(entry.position, entry.epoch);
        this.#admissions = admissions;
        this.#end = end;
      });
      also?.();
      this.#statements.commit.run();
    } catch (error) {
      throw this.#fail(error);
    }
    // Only now, since memory must never hold what the disk may not (R2).
    this.#onCommit = null;
    for (const callback of onCommit) callback();
  }

  /** Runs `read` in one read transaction. It must not write; inside a write there is nothing to begin. */
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

  /** Calls back once the write under way is committed. Only inside `also`. */
  onCommit(callback: () => void): void {
    invariant(this.#onCommit !== null, "only inside a write");
    this.#onCommit.push(callback);
  }

  /** Records that the write under way brings the tables up to `position`, and to what. Only inside `also`. */
  setApplied(position: number, totals: TableTotals = this.applied): void {
    invariant(position <= this.lastPosition, "only durable entries are applied", {
      position,
      lastPosition: this.lastPosition,
    }); // R1
    this.onCommit(this.#applied.write({ ...totals, position }));
  }

  /**
   * Verifies about `bytesMax` bytes more of the entries that were applied when
   * the file was opened, oldest first, and shows each to `visit`. To be called
   * while there is nothing better to do, until it is done. Throws JournalCorrupt.
   */
  scrub(bytesMax: number, visit?: (entry: Entry) => void): ScrubProgress {
    let bytes = 0;
    let { position, digest } = this.#scrubbed;
    if (position < this.#scrubThrough) {
      for (const chained of this.#table.after(position, digest)) {
        digest = chained.digest;
        position = chained.entry.position;
        bytes += sizeOf(chained.entry);
        visit?.(chained.entry);
        if (bytes >= bytesMax || position === this.#scrubThrough) break;
      }
      this.#scrubbed = { position, digest };
    }
    const done = position === this.#scrubThrough;
    return { done, verifiedThrough: done ? this.lastPosition : position };
  }

  close(): void {
    if (this.database.isOpen) this.database.close();
  }

  #digestAt(position: number): Uint8Array {
    if (position === this.lastPosition) return this.#end.digest;
    return this.#table.verifiedDigest(position);
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

  /** R1: neither a lower epoch nor, in the same one, another nominee. */
  #expectPromiseKept({ promise: after }: HardState): void {
    const { promise: before } = this.#hardState;
    invariant(
      after.epoch > before.epoch ||
        (after.epoch === before.epoch && after.nominee === before.nominee),
      "a promise never goes back",
      { before, after },
    );
  }

  /** R1: what is applied is committed, and stays. */
  #expectTruncatable(from: number): void {
    invariant(
      from > this.appliedPosition && from <= this.lastPosition + 1,
      "only entries above the applied position are dropped",
      { from, appliedPosition: this.appliedPosition, lastPosition: this.lastPosition },
    );
  }
}

type Statements = ReturnType<typeof prepareStatements>;

function prepareStatements(database: DatabaseSync, identity: JournalIdentity) {
  return {
    begin: database.prepare("BEGIN IMMEDIATE"),
    beginReading: database.prepare("BEGIN DEFERRED"),
    commit: database.prepare("COMMIT"),
    rollback: database.prepare("ROLLBACK"),
    truncate: database.prepare("DELETE FROM entries WHERE position >= ?"),
    insert: prepareInsert(database),
    updateMeta: prepareMetaUpdate(database, identity),
  };
}

function sizeOf({ body }: Entry): number {
  return ENTRY_OVERHEAD_BYTES + (body.kind === "command" ? body.bytes.byteLength : 0);
}
