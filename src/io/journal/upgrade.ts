// `bazaar format --upgrade`: files of format 1 become files of today's format.
//
// Format 1 didn't say which replicas a cluster has. So every journal gets a first
// entry that names them, which moves all others on by one, in each replica alike;
// promise, vote and incarnation stay. The tables are made again from the journal.
// A catalog's file holds nothing that isn't in a journal: it becomes an empty one.
//
// A new file is built and audited beside the old one, and takes its name in one
// step: after a crash either is there, whole, and the next run goes on with what
// is still old. Nothing may run meanwhile.

import { hash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { decodeCommands } from "../../core/market/codec.ts";
import { FIRST_INCARNATION } from "../../core/replication/admissions.ts";
import { membersText } from "../../core/replication/members.ts";
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
import { EntryTable } from "./entries.ts";
import { ClusterUnknown, DataFileForeign, JournalCorrupt } from "./errors.ts";
import { createJournalFile, openJournal } from "./journal.ts";
import { Ledger } from "./ledger.ts";
import { bytesOf, numberOf, placeDatabase, reading, removeDatabase, textOf } from "./sqlite.ts";
import type { JournalIdentity } from "./types.ts";
import { checkWriteAheadLog } from "./wal.ts";

const OLD_FORMAT = 1;
/** Entries written in one transaction: few enough to hold, many enough that fsyncs don't count. */
const ENTRIES_PER_WRITE = 1_000;

/**
 * Converts the files of all configured roles that are in the data directory;
 * returns the names of the roles whose files were of format 1. Throws
 * DirectoryLocked while one of them runs, DataFileForeign when the configured
 * replicas can't be all those of the cluster, JournalCorrupt for damage. What
 * isn't converted then is as it was.
 */
export function upgradeCluster(config: ClusterRoles): string[] {
  const { data, replicas, catalogs } = config;
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
    const old = held.filter(({ path }) => formatOf(path) === OLD_FORMAT);
    // Catalogs last: their files need nothing but the cluster's name.
    for (const { role, path } of old) {
      const replica = replicas.find(({ name }) => name === role)?.id;
      if (replica !== undefined) upgradeReplica(path, replica, members);
    }
    for (const { role, path } of old) {
      if (catalogs.some(({ name }) => name === role)) upgradeCatalog(path, members);
    }
    return old.map(({ role }) => role);
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

/** Runs `work` on a file of format 1, whose write-ahead log is in the file itself afterwards. */
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

function upgradeReplica(path: string, replica: ReplicaId, members: readonly ReplicaId[]): void {
  const made = `${path}.new`;
  removeDatabase(made);
  withOldFile(path, (database) => {
    const { identity, hardState } = readOldMeta(path, database, members);
    if (identity.replica !== replica) throw strangerIn(path, [replica]);
    const table = new EntryTable(database, path, identity.cluster);
    createJournalFile(made, identity, hardState, []);
    copyEntries(path, made, table, { identity, applied: readOldApplied(path, database) });
  });
  placeDatabase(made, path);
}

/** Fills the new file at `made` from the old journal, and brings its tables up to what the old ones held. */
function copyEntries(
  path: string,
  made: string,
  table: EntryTable,
  { identity, applied }: { readonly identity: JournalIdentity; readonly applied: number },
): void {
  const { members, replica, incarnation } = identity;
  const journal = openJournal(made, { replica });
  try {
    const ledger = new Ledger(journal);
    let batch: Entry[] = [];
    const write = (): void => {
      journal.write({ entries: batch });
      for (const { position, body } of batch) {
        // The old position is one less.
        if (position > applied + 1) break;
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
    if (incarnation === FIRST_INCARNATION) add(first);
    for (const { entry } of table.after(0)) {
      const { body, position } = entry;
      if (position === 1 && incarnation !== FIRST_INCARNATION) add(first);
      const named = body.kind === "reign" ? body.leader : body.kind === "admit" && body.replica;
      if (named !== false && !members.includes(named)) throw strangerIn(path, members);
      add({ ...entry, position: position + 1 });
    }
    write();
    if (applied > 0 && journal.appliedPosition !== applied + 1) {
      throw new JournalCorrupt(path, applied, "applied entries are gone");
    }
  } finally {
    journal.close();
  }
  const position = applied === 0 ? 0 : applied + 1;
  const { problems } = auditOrderFile({ path: made, position, stocksAt: [] });
  const [problem] = problems;
  if (problem !== undefined) throw new JournalCorrupt(path, null, problem);
}

function readOldMeta(
  path: string,
  database: DatabaseSync,
  members: readonly ReplicaId[],
): { readonly identity: JournalIdentity; readonly hardState: HardState } {
  const row = database.prepare("SELECT * FROM meta").get();
  if (row === undefined) throw new JournalCorrupt(path, null, "the row of meta is gone");
  const [cluster, replica] = [textOf(row.cluster), numberOf(row.replica)];
  const incarnation = numberOf(row.incarnation);
  const promise = { epoch: numberOf(row.promise_epoch), nominee: numberOf(row.promise_nominee) };
  const voter = numberOf(row.voter) === 1;
  const fields = [
    OLD_FORMAT,
    ...[cluster, replica, incarnation, promise.epoch, promise.nominee, voter],
  ];
  if (!hash("sha256", JSON.stringify(fields), "buffer").equals(bytesOf(row.checksum))) {
    throw new JournalCorrupt(path, null, "the checksum of meta is wrong");
  }
  if (!members.includes(promise.nominee)) throw strangerIn(path, members);
  return { identity: { cluster, members, replica, incarnation }, hardState: { promise, voter } };
}

function readOldApplied(path: string, database: DatabaseSync): number {
  const row = database.prepare("SELECT position, checksum FROM applied").get();
  const position = numberOf(row?.position);
  if (numberOf(row?.checksum) !== crc32(`applied ${position}`)) {
    throw new JournalCorrupt(path, null, "the checksum of the applied position is wrong");
  }
  return position;
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
