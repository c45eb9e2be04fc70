// The one row that says whose file this is, what it has promised, and where its
// journal ends.
//
// Its checksum covers every field and the format of the file: a promise that
// changed by itself could let two leaders into one epoch, and a journal whose
// newest entries a flipped bit hides would vote as if it had never acknowledged
// them. Every write changes it.

import { hash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { type FileCluster, membersText } from "../../core/replication/members.ts";
import type { HardState } from "../../core/replication/types.ts";
import { JournalCorrupt } from "./errors.ts";
import { ORDER_FILE } from "./order-file.ts";
import { bytesOf, numberOf, openReadOnly, reading, textOf } from "./sqlite.ts";
import type { JournalIdentity } from "./types.ts";

/** Where a journal ends. */
export interface JournalEnd {
  /** Of the newest entry; 0 when there is none. */
  readonly position: number;
  /** The running digest there. */
  readonly digest: Uint8Array;
  /** How many entries of kind `admit` there are. */
  readonly admissions: number;
}

/** The content of the `meta` table. */
export interface Meta {
  readonly identity: JournalIdentity;
  readonly hardState: HardState;
  readonly end: JournalEnd;
}

/** Writes the first row. */
export function insertMeta(database: DatabaseSync, meta: Meta): void {
  const { cluster, members, replica, incarnation } = meta.identity;
  database
    .prepare("INSERT INTO meta VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    .run(cluster, membersText(members), replica, incarnation, ...changingValues(meta));
}

/** Prepares the change of all but the identity, which never changes. */
export function prepareMetaUpdate(
  database: DatabaseSync,
  identity: JournalIdentity,
): (hardState: HardState, end: JournalEnd) => void {
  const update = database.prepare(
    "UPDATE meta SET promise_epoch = ?, promise_nominee = ?, voter = ?, " +
      "last_position = ?, last_digest = ?, admissions = ?, checksum = ?",
  );
  return (hardState, end) => {
    update.run(...changingValues({ identity, hardState, end }));
  };
}

function changingValues(meta: Meta) {
  const { promise, voter } = meta.hardState;
  const { position, digest, admissions } = meta.end;
  return [
    promise.epoch,
    promise.nominee,
    voter ? 1 : 0,
    position,
    digest,
    admissions,
    checksumOf(meta),
  ] as const;
}

/** Reads the row and verifies it. Throws JournalCorrupt. */
export function readMeta(database: DatabaseSync, path: string): Meta {
  return reading(path, null, () => {
    const row = database.prepare("SELECT * FROM meta").get();
    if (row === undefined) throw new JournalCorrupt(path, null, "the row of meta is gone");
    const meta: Meta = {
      identity: {
        cluster: textOf(row.cluster),
        members: textOf(row.members).split(",").map(Number),
        replica: numberOf(row.replica),
        incarnation: numberOf(row.incarnation),
      },
      hardState: {
        promise: { epoch: numberOf(row.promise_epoch), nominee: numberOf(row.promise_nominee) },
        voter: numberOf(row.voter) === 1,
      },
      end: {
        position: numberOf(row.last_position),
        digest: bytesOf(row.last_digest),
        admissions: numberOf(row.admissions),
      },
    };
    if (!checksumOf(meta).equals(bytesOf(row.checksum))) {
      throw new JournalCorrupt(path, null, "the checksum of meta is wrong");
    }
    return meta;
  });
}

/** The cluster that a replica's file belongs to. Throws a DataFileError for one that can't be read. */
export function clusterOfOrderFile(path: string): FileCluster {
  const database = openReadOnly(path, ORDER_FILE);
  try {
    const { cluster, members } = readMeta(database, path).identity;
    return { name: cluster, members };
  } finally {
    database.close();
  }
}

function checksumOf({ identity, hardState, end }: Meta): Buffer {
  const fields = [
    ORDER_FILE.schemaVersion,
    identity.cluster,
    identity.members,
    identity.replica,
    identity.incarnation,
    hardState.promise.epoch,
    hardState.promise.nominee,
    hardState.voter,
    end.position,
    Buffer.from(end.digest).toString("hex"),
    end.admissions,
  ];
  return hash("sha256", JSON.stringify(fields), "buffer");
}
