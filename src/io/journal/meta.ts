// The one row that says whose file this is and what it has promised.
//
// Its checksum covers every field and the format of the file: a promise that
// changed by itself could let two leaders into one epoch.

import { hash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import type { HardState } from "../../core/replication/types.ts";
import { JournalCorrupt } from "./errors.ts";
import { ORDER_FILE } from "./order-file.ts";
import { bytesOf, numberOf, openReadOnly, reading, textOf } from "./sqlite.ts";
import type { JournalIdentity } from "./types.ts";

/** The content of the `meta` table. */
export interface Meta {
  readonly identity: JournalIdentity;
  readonly hardState: HardState;
}

/** Writes the first row. */
export function insertMeta(database: DatabaseSync, { identity, hardState }: Meta): void {
  database
    .prepare("INSERT INTO meta VALUES (1, ?, ?, ?, ?, ?, ?, ?)")
    .run(
      identity.cluster,
      identity.replica,
      identity.incarnation,
      hardState.promise.epoch,
      hardState.promise.nominee,
      hardState.voter ? 1 : 0,
      checksumOf({ identity, hardState }),
    );
}

/** Prepares the change of promise and vote; the identity never changes. */
export function prepareMetaUpdate(
  database: DatabaseSync,
  identity: JournalIdentity,
): (hardState: HardState) => void {
  const update = database.prepare(
    "UPDATE meta SET promise_epoch = ?, promise_nominee = ?, voter = ?, checksum = ?",
  );
  return (hardState) => {
    update.run(
      hardState.promise.epoch,
      hardState.promise.nominee,
      hardState.voter ? 1 : 0,
      checksumOf({ identity, hardState }),
    );
  };
}

/** Reads the row and verifies it. Throws JournalCorrupt. */
export function readMeta(database: DatabaseSync, path: string): Meta {
  return reading(path, null, () => {
    const row = database.prepare("SELECT * FROM meta").get();
    if (row === undefined) throw new JournalCorrupt(path, null, "the row of meta is gone");
    const meta: Meta = {
      identity: {
        cluster: textOf(row.cluster),
        replica: numberOf(row.replica),
        incarnation: numberOf(row.incarnation),
      },
      hardState: {
        promise: { epoch: numberOf(row.promise_epoch), nominee: numberOf(row.promise_nominee) },
        voter: numberOf(row.voter) === 1,
      },
    };
    if (!checksumOf(meta).equals(bytesOf(row.checksum))) {
      throw new JournalCorrupt(path, null, "the checksum of meta is wrong");
    }
    return meta;
  });
}

/** The cluster that a replica's file belongs to. Throws a DataFileError for one that can't be read. */
export function clusterOfOrderFile(path: string): string {
  const database = openReadOnly(path, ORDER_FILE);
  try {
    return readMeta(database, path).identity.cluster;
  } finally {
    database.close();
  }
}

function checksumOf({ identity, hardState }: Meta): Buffer {
  const fields = [
    ORDER_FILE.schemaVersion,
    identity.cluster,
    identity.replica,
    identity.incarnation,
    hardState.promise.epoch,
    hardState.promise.nominee,
    hardState.voter,
  ];
  return hash("sha256", JSON.stringify(fields), "buffer");
}
