// Entries as rows of SQL tables, in the chain of digests that core/journal makes.

import type { DatabaseSync } from "node:sqlite";
import * as chain from "../../core/journal/entries.ts";
import { type EntryRow, isChained } from "../../core/journal/entries.ts";
import type { Entry } from "../../core/replication/types.ts";
import type { ChainedEntry } from "../../core/table-log/types.ts";
import { JournalCorrupt } from "./errors.ts";
import { HASHES } from "./segment-files.ts";
import { bytesOf, numberOf, reading } from "./sqlite.ts";

/** The digest at position 0. */
export function firstDigest(cluster: string): Uint8Array {
  return chain.firstDigest(HASHES, cluster);
}

/** The row of an entry that follows the entry with digest `previous`. */
export function rowOf(previous: Uint8Array, entry: Entry): EntryRow {
  return chain.rowOf(HASHES, previous, entry);
}

/** The entry of a row from `path`, its digest not looked at. Throws JournalCorrupt for one of no known kind. */
export function entryOf(path: string, row: EntryRow): Entry {
  const entry = chain.entryOf(row);
  if (entry !== null) return entry;
  throw new JournalCorrupt(path, row.position, `there is no entry of kind ${row.kind}`);
}

/**
 * All entries of the `entries` table that formats 1 and 2 had, each verified as it
 * comes. Throws JournalCorrupt.
 */
export function* oldEntries(
  database: DatabaseSync,
  path: string,
  cluster: string,
): Generator<ChainedEntry> {
  const rows = database.prepare("SELECT * FROM entries ORDER BY position").iterate();
  let digest = firstDigest(cluster);
  for (let position = 1; ; position++) {
    const row = reading(path, position, () => {
      const next = rows.next();
      return next.done ? null : rowIn(next.value);
    });
    if (row === null) return;
    if (row.position !== position) throw new JournalCorrupt(path, position, "the entry is gone");
    if (!isChained(HASHES, digest, row)) {
      throw new JournalCorrupt(path, position, "the checksum is wrong");
    }
    digest = row.digest;
    yield { entry: entryOf(path, row), digest };
  }
}

function rowIn(columns: Readonly<Record<string, unknown>>): EntryRow {
  return {
    position: numberOf(columns.position),
    epoch: numberOf(columns.epoch),
    at: numberOf(columns.at),
    kind: numberOf(columns.kind),
    body: bytesOf(columns.body),
    digest: bytesOf(columns.digest),
  };
}
