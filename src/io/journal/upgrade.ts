// `bazaar format --upgrade`: files of formats 1 and 2 become files of today's.
//
// Both had the journal in tables of order.db. Promise, vote and incarnation stay;
// the tables are made again from the journal. Format 1 didn't say which replicas a
// cluster has: every journal gets a first entry that names them, which moves all
// others on by one, in each replica alike. A catalog's file of format 1 becomes an
// empty one: it holds nothing that isn't in a journal. That of format 2 is today's.
//
// New files are built and audited beside the old one, which keeps a name of its own
// and is read no more. They take their names with the tables last: after a crash
// either are there, whole, and the next run goes on with what is still old. Nothing
// may run meanwhile.

import { hash } from "node:crypto";
import { constants, copyFileSync, existsSync, readdirSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { decodeCommands } from "../../core/market/codec.ts";
import { FIRST_INCARNATION } from "../../core/replication/admissions.ts";
import { areSameMembers, membersText } from "../../core/replication/members.ts";
import type { Entry, HardState, ReplicaId } from "../../core/replication/types.ts";
import { auditOrderFile } from "./audit.ts";
import { createCatalogFile } from "./catalog-store.ts";
import {
  type ClusterRoles,
  catalogFile,
  lockRole,
  orderFile,
  type RoleLock,
} from "./data-directory.ts";
import { oldEntries } from "./entries.ts";
import { ClusterUnknown, DataFileForeign, JournalCorrupt } from "./errors.ts";
import {
  createJournalFile,
  type FileJournal,
  openJournal,
  placeJournalFile,
  removeJournalFile,
} from "./journal.ts";
import { Ledger } from "./ledger.ts";
import { readApplied } from "./order-file.ts";
import { bytesOf, numberOf, placeDatabase, reading, removeDatabase, textOf } from "./sqlite.ts";
import type { JournalIdentity } from "./types.ts";
import { checkWriteAheadLog } from "./wal.ts";

const FORMAT_1 = 1;
const FORMAT_2 = 2;
/** Entries written in one transaction: few enough to hold, many enough that fsyncs don't count. */
const ENTRIES_PER_WRITE = 1_000;

/**
 * Converts the files of all configured roles that are in the data directory;
 * returns the names of the roles whose files were of an older format. Throws
 * DirectoryLocked while one of them runs, DataFileForeign when the configured
 * replicas can't be all those of the cluster, JournalCorrupt for damage. What
 * isn't converted then is as it was.
 */
export function upgradeCluster(config: ClusterRoles): string[] {
  const { data, replicas } = config;
  const held = filesOf(config);
  if (held.length === 0) {
    throw new ClusterUnknown(
      `${data} holds no file of a configured role: give the right --data directory`,
    );
  }
  const members = replicas.map(({ id }) => id).sort((a, b) => a - b);
  refuseStrangers(data, members);
  const locks: RoleLock[] = [];
  try {
    for (const { role } of held) locks.push(lockRole(data, role));
    const upgraded: string[] = [];
    // Catalogs last: their files need nothing but the cluster's name.
    for (const { role, path } of held) {
      const replica = replicas.find(({ name }) => name === role)?.id;
      const format = formatOf(path);
      if (replica !== undefined && (format === FORMAT_1 || format === FORMAT_2)) {
        upgradeReplica(path, format, replica, members);
      } else if (replica === undefined && format === FORMAT_1) upgradeCatalog(path, members);
      else continue;
      upgraded.push(role);
    }
    return upgraded;
  } finally {
    for (const lock of locks) lock.release();
  }
}

function filesOf({ data, replicas, catalogs }: ClusterRoles) {
  return [
    ...replicas.map(({ name }) => ({ role: name, path: orderFile(data, name) })),
    ...catalogs.map(({ name }) => ({ role: name, path: catalogFile(data, name) })),
  ].filter(({ path }) => existsSync(path));
}

/** A replica's file that no configured replica has: then the configuration names too few, or others. */
function refuseStrangers(data: string, members: readonly ReplicaId[]): void {
  const names = new Set(members.map((id) => `order-${id}`));
  for (const folder of readdirSync(data)) {
    if (!folder.startsWith("order-") || names.has(folder)) continue;
    if (existsSync(orderFile(data, folder))) throw strangerIn(orderFile(data, folder), members);
  }
}

function strangerIn(path: string, members: readonly ReplicaId[]): DataFileForeign {
  return new DataFileForeign(
    `${path} is, or speaks, of a replica that isn't one of ${membersText(members)}: give all replicas of this cluster with --replicas`,
  );
}

function formatOf(path: string): number {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return reading(path, null, () =>
      numberOf(database.prepare("PRAGMA user_version").get()?.user_version),
    );
  } finally {
    database.close();
  }
}

/** Runs `work` on a file of an older format, whose write-ahead log is in the file itself afterwards. */
function withOldFile<T>(path: string, work: (database: DatabaseSync) => T): T {
  checkWriteAheadLog(path);
  const database = new DatabaseSync(path);
  try {
    return reading(path, null, () => {
      database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      return work(database);
    });
  } finally {
    database.close();
  }
}

/** What an older file holds beside its entries. */
interface OldReplica {
  readonly identity: JournalIdentity;
  readonly hardState: HardState;
  /** Through where its tables are applied, by its own positions. */
  readonly applied: number;
  /** By how much its positions are less than those of the new file. */
  readonly shift: 0 | 1;
}

function upgradeReplica(
  path: string,
  format: number,
  replica: ReplicaId,
  members: readonly ReplicaId[],
): void {
  const made = `${path}.new`;
  removeJournalFile(made);
  withOldFile(path, (database) => {
    const old =
      format === FORMAT_1
        ? readFormat1(path, database, members)
        : readFormat2(path, database, members);
    if (old.identity.replica !== replica) throw strangerIn(path, [replica]);
    createJournalFile(made, old.identity, old.hardState, []);
    copyEntries(path, made, database, old);
  });
  // Not a second name, of which a start after a crash would complain.
  copyFileSync(path, `${path}.format-${format}`, constants.COPYFILE_FICLONE);
  placeJournalFile(made, path);
}

/** Fills the new files at `made` from the old journal, and brings their tables up to what the old ones held. */
function copyEntries(path: string, made: string, database: DatabaseSync, old: OldReplica): void {
  const { identity, applied, shift } = old;
  const { cluster, members, replica, incarnation } = identity;
  const appliedAfter = applied === 0 ? 0 : applied + shift;
  const journal = openJournal(made, { replica });
  try {
    const ledger = new Ledger(journal);
    let batch: Entry[] = [];
    const write = (): void => {
      journal.write({ entries: batch });
      for (const { position, body } of batch) {
        if (position > appliedAfter) break;
        ledger.queue(position, body.kind === "command" ? decodeCommands(body.bytes) : []);
      }
      ledger.flush();
      batch = [];
    };
    const add = (entry: Entry): void => {
      batch.push(entry);
      if (batch.length === ENTRIES_PER_WRITE) write();
    };
    const first: Entry = { position: 1, epoch: 0, at: 0, body: { kind: "members", members } };
    // A replacement that has received nothing yet receives this entry, too.
    if (shift > 0 && incarnation === FIRST_INCARNATION) add(first);
    for (const { entry } of oldEntries(database, path, cluster)) {
      const { body, position } = entry;
      if (shift > 0 && position === 1 && incarnation !== FIRST_INCARNATION) add(first);
      const named = body.kind === "reign" ? body.leader : body.kind === "admit" && body.replica;
      if (named !== false && !members.includes(named)) throw strangerIn(path, members);
      add({ ...entry, position: position + shift });
    }
    write();
    if (journal.appliedPosition !== appliedAfter) {
      throw new JournalCorrupt(path, applied, "applied entries are gone");
    }
    if (shift === 0) expectEnd(path, database, journal);
  } finally {
    journal.close();
  }
  const { problems } = auditOrderFile({ path: made, position: appliedAfter, stocksAt: [] });
  const [problem] = problems;
  if (problem !== undefined) throw new JournalCorrupt(path, null, problem);
}

/** Format 2 says where its journal ended, since a flipped bit can hide the newest rows. */
function expectEnd(path: string, database: DatabaseSync, journal: FileJournal): void {
  const row = database.prepare("SELECT last_position, last_digest FROM meta").get();
  const position = numberOf(row?.last_position);
  const digest = Buffer.from(bytesOf(row?.last_digest)).toString("hex");
  if (journal.lastPosition !== position || journal.digestAt(position) !== digest) {
    throw new JournalCorrupt(
      path,
      position,
      `the entries go to position ${journal.lastPosition}, not to where they ended`,
    );
  }
}

function readFormat1(
  path: string,
  database: DatabaseSync,
  members: readonly ReplicaId[],
): OldReplica {
  const { row, identity, hardState } = readMeta(path, database, members);
  const { cluster, replica, incarnation } = identity;
  const { promise, voter } = hardState;
  expectChecksum(path, row, [
    FORMAT_1,
    ...[cluster, replica, incarnation, promise.epoch, promise.nominee, voter],
  ]);
  if (!members.includes(promise.nominee)) throw strangerIn(path, members);
  const applied = database.prepare("SELECT position, checksum FROM applied").get();
  const position = numberOf(applied?.position);
  if (numberOf(applied?.checksum) !== crc32(`applied ${position}`)) {
    throw new JournalCorrupt(path, null, "the checksum of the applied position is wrong");
  }
  return { identity, hardState, applied: position, shift: 1 };
}

function readFormat2(
  path: string,
  database: DatabaseSync,
  configured: readonly ReplicaId[],
): OldReplica {
  const { row, identity, hardState } = readMeta(path, database, configured);
  const members = textOf(row.members).split(",").map(Number);
  const { cluster, replica, incarnation } = identity;
  const { promise, voter } = hardState;
  expectChecksum(path, row, [
    FORMAT_2,
    ...[cluster, members, replica, incarnation, promise.epoch, promise.nominee, voter],
    numberOf(row.last_position),
    Buffer.from(bytesOf(row.last_digest)).toString("hex"),
    numberOf(row.admissions),
  ]);
  if (!areSameMembers(members, configured)) throw strangerIn(path, configured);
  return { identity, hardState, applied: readApplied(database, path).position, shift: 0 };
}

function readMeta(path: string, database: DatabaseSync, members: readonly ReplicaId[]) {
  const row = database.prepare("SELECT * FROM meta").get();
  if (row === undefined) throw new JournalCorrupt(path, null, "the row of meta is gone");
  const identity: JournalIdentity = {
    cluster: textOf(row.cluster),
    members,
    replica: numberOf(row.replica),
    incarnation: numberOf(row.incarnation),
  };
  const hardState: HardState = {
    promise: { epoch: numberOf(row.promise_epoch), nominee: numberOf(row.promise_nominee) },
    voter: numberOf(row.voter) === 1,
  };
  return { row, identity, hardState };
}

function expectChecksum(
  path: string,
  row: Readonly<Record<string, unknown>>,
  fields: readonly unknown[],
): void {
  if (!hash("sha256", JSON.stringify(fields), "buffer").equals(bytesOf(row.checksum))) {
    throw new JournalCorrupt(path, null, "the checksum of meta is wrong");
  }
}

function upgradeCatalog(path: string, members: readonly ReplicaId[]): void {
  const name = withOldFile(path, (database) => {
    const row = database.prepare("SELECT cluster, position, checksum FROM view").get();
    const cluster = textOf(row?.cluster);
    if (numberOf(row?.checksum) !== crc32(`${cluster} ${numberOf(row?.position)}`)) {
      throw new JournalCorrupt(path, null, "the checksum of the view's position is wrong");
    }
    return cluster;
  });
  const made = `${path}.new`;
  removeDatabase(made);
  createCatalogFile(made, { name, members });
  placeDatabase(made, path);
}
