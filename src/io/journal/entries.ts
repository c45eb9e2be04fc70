// The `entries` table: entries as rows in a chain, each verified as it is read.
//
// The digest of an entry is SHA-256 over the previous entry's digest and all
// fields of this one, from a start that names the cluster. So one value is the
// row's checksum, proof that everything before is unchanged, and what two
// replicas compare to know that their journals are equal.
//
// Reading needs no more memory than one entry, so the whole history can be gone
// through by whoever holds a connection: the journal itself, a scrub, an audit.

import { hash } from "node:crypto";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { invariant } from "../../core/invariant.ts";
import type { Admission } from "../../core/replication/admissions.ts";
import { areSameMembers } from "../../core/replication/members.ts";
import type { Entry, EntryBody, ReplicaId } from "../../core/replication/types.ts";
import type { ChainedEntry } from "../../core/table-log/types.ts";
import { JournalCorrupt } from "./errors.ts";
import { bytesOf, numberOf, reading } from "./sqlite.ts";

/** Kinds of entries on disk. Add numbers, never change one. */
const REIGN = 0;
export const ADMIT = 1;
const COMMAND = 2;
const MEMBERS = 3;

/** Bytes of the digested fields: previous digest, position, epoch, at, kind. */
const DIGEST_BYTES = 32;
const HEAD_BYTES = DIGEST_BYTES + 8 + 8 + 8 + 1;

/** An entry as the `entries` table holds it. */
export interface EntryRow {
  readonly position: number;
  readonly epoch: number;
  readonly at: number;
  readonly kind: number;
  readonly body: Uint8Array;
  readonly digest: Uint8Array;
}

/** The digest at position 0. */
export function firstDigest(cluster: string): Uint8Array {
  return hash("sha256", `journal of cluster ${cluster}`, "buffer");
}

/** The row of an entry that follows the entry with digest `previous`. */
export function rowOf(previous: Uint8Array, entry: Entry): EntryRow {
  const { kind, bytes } = encodeBody(entry.body);
  const row = { ...entry, kind, body: bytes };
  return { ...row, digest: digestOf(previous, row) };
}

/**
 * The entry of a row read from `path`, verified against the digest before it.
 * Throws JournalCorrupt; which of the two rows changed can't be told.
 */
export function verifiedEntry(
  path: string,
  previous: Uint8Array,
  columns: Readonly<Record<string, unknown>>,
): ChainedEntry {
  const row: EntryRow = {
    position: numberOf(columns.position),
    epoch: numberOf(columns.epoch),
    at: numberOf(columns.at),
    kind: numberOf(columns.kind),
    body: bytesOf(columns.body),
    digest: bytesOf(columns.digest),
  };
  if (!digestOf(previous, row).equals(row.digest)) {
    throw new JournalCorrupt(path, row.position, "the checksum is wrong");
  }
  return { entry: entryOf(path, row), digest: row.digest };
}

function digestOf(previous: Uint8Array, row: Omit<EntryRow, "digest">): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + row.body.byteLength);
  bytes.set(previous, 0);
  // As floats, which every number is: exact for positions and epochs, which are safe integers.
  let offset = bytes.writeDoubleBE(row.position, DIGEST_BYTES);
  offset = bytes.writeDoubleBE(row.epoch, offset);
  offset = bytes.writeDoubleBE(row.at, offset);
  offset = bytes.writeUInt8(row.kind, offset);
  bytes.set(row.body, offset);
  return hash("sha256", bytes, "buffer");
}

/** The columns `kind` and `body` of an entry's row. */
export function encodeBody(body: EntryBody): { readonly kind: number; readonly bytes: Uint8Array } {
  switch (body.kind) {
    case "reign": {
      const bytes = Buffer.alloc(8 + Buffer.byteLength(body.state));
      bytes.writeDoubleBE(body.leader, 0);
      bytes.write(body.state, 8);
      return { kind: REIGN, bytes };
    }
    case "admit": {
      const bytes = Buffer.alloc(16);
      bytes.writeDoubleBE(body.replica, 0);
      bytes.writeDoubleBE(body.incarnation, 8);
      return { kind: ADMIT, bytes };
    }
    case "members": {
      const bytes = Buffer.alloc(8 * body.members.length);
      body.members.forEach((id, index) => {
        bytes.writeDoubleBE(id, 8 * index);
      });
      return { kind: MEMBERS, bytes };
    }
    case "command":
      return { kind: COMMAND, bytes: body.bytes };
  }
}

/** The entry of a row from `path`, its digest not looked at. Throws JournalCorrupt for one of no known kind. */
export function entryOf(path: string, row: EntryRow): Entry {
  const { position, epoch, at } = row;
  return { position, epoch, at, body: decodeBody(path, row) };
}

function decodeBody(path: string, { kind, body, position }: EntryRow): EntryBody {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  switch (kind) {
    case REIGN:
      return { kind: "reign", leader: bytes.readDoubleBE(0), state: bytes.toString("utf8", 8) };
    case ADMIT:
      return { kind: "admit", replica: bytes.readDoubleBE(0), incarnation: bytes.readDoubleBE(8) };
    case MEMBERS: {
      const ids = Array.from({ length: bytes.length / 8 }, (_, index) =>
        bytes.readDoubleBE(8 * index),
      );
      return { kind: "members", members: ids };
    }
    case COMMAND:
      return { kind: "command", bytes: body };
    default:
      throw new JournalCorrupt(path, position, `there is no entry of kind ${kind}`);
  }
}

export class EntryTable {
  readonly #path: string;
  readonly #firstDigest: Uint8Array;
  readonly #after: StatementSync;
  readonly #digest: StatementSync;
  readonly #admissions: StatementSync;

  constructor(database: DatabaseSync, path: string, cluster: string) {
    this.#path = path;
    this.#firstDigest = firstDigest(cluster);
    this.#after = database.prepare("SELECT * FROM entries WHERE position > ? ORDER BY position");
    this.#digest = database.prepare("SELECT digest FROM entries WHERE position = ?");
    // The kind stands in the text, not in a parameter, so that the index of admissions serves it.
    this.#admissions = database.prepare(
      `SELECT position FROM entries WHERE kind = ${ADMIT} ORDER BY position`,
    );
  }

  /**
   * The entries after `position` to the end of the table, each verified as it
   * comes, from the digest at `position`: the one given, or else the one on disk.
   * Throws JournalCorrupt. Only one of these may be under way.
   */
  *after(position: number, digest = this.storedDigest(position)): Generator<ChainedEntry> {
    const rows = this.#after.iterate(position);
    let previous = digest;
    try {
      for (let expected = position + 1; ; expected++) {
        const chained = reading(this.#path, expected, () => {
          const next = rows.next();
          if (next.done) return null;
          if (next.value.position !== expected) {
            throw new JournalCorrupt(this.#path, expected, "the entry is gone");
          }
          return verifiedEntry(this.#path, previous, next.value);
        });
        if (chained === null) return;
        previous = chained.digest;
        yield chained;
      }
    } finally {
      // An unfinished read would keep the write-ahead log from being reused.
      rows.return?.();
    }
  }

  /** The entry at `position`, verified. Throws JournalCorrupt, also if there is none. */
  read(position: number): ChainedEntry {
    for (const chained of this.after(position - 1)) return chained;
    throw new JournalCorrupt(this.#path, position, "the entry is gone");
  }

  /** Throws JournalCorrupt if the first entry, which the chain proves, names others than `members`. */
  expectMembers(members: readonly ReplicaId[]): void {
    const { body } = this.read(1).entry;
    if (body.kind !== "members" || areSameMembers(body.members, members)) return;
    throw new JournalCorrupt(this.#path, 1, "it names other members than the file");
  }

  /** Every `admit` entry that an index of their own shows, ascending, verified; `meta` says how many there are. */
  admissions(): readonly Admission[] {
    const rows = reading(this.#path, null, () => this.#admissions.all());
    let before = 0;
    return rows.map(({ position: at }) => {
      // With a flipped pointer it shows one of them twice, in place of another.
      const isNext = numberOf(at) > before;
      before = numberOf(at);
      const admission = admissionIn(this.read(numberOf(at)).entry);
      if (isNext && admission !== null) return admission;
      throw new JournalCorrupt(this.#path, numberOf(at), "the index of admissions is wrong");
    });
  }

  /** The running digest at `position`, verified to be that of the entry there. */
  verifiedDigest(position: number): Uint8Array {
    return position === 0 ? this.#firstDigest : this.read(position).digest;
  }

  /** The running digest at `position` as it stands on disk: an entry after it can be verified with it. */
  storedDigest(position: number): Uint8Array {
    if (position === 0) return this.#firstDigest;
    return reading(this.#path, position, () => bytesOf(this.#digest.get(position)?.digest));
  }
}

/** What an entry admits; null for one of another kind. */
export function admissionIn({ position, body }: Entry): Admission | null {
  if (body.kind !== "admit") return null;
  return { position, replica: body.replica, incarnation: body.incarnation };
}

/** Prepares the adding of an entry to the one with digest `previous`; gives the entry's digest back. */
export function prepareInsert(
  database: DatabaseSync,
): (previous: Uint8Array, entry: Entry) => Uint8Array {
  const insert = database.prepare("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)");
  return (previous, entry) => {
    const { position, epoch, at, kind, body, digest } = rowOf(previous, entry);
    insert.run(position, epoch, at, kind, body, digest);
    return digest;
  };
}

/** Beginnings of epochs kept; with one leader change a second they cover the last quarter of an hour. */
const EPOCHS_MAX = 1_024;

interface Beginning {
  readonly position: number;
  readonly epoch: number;
}

/**
 * The epochs of the newest entries, without a look at the disk. A reign is many entries long, so
 * what is kept is where each epoch begins; bounded, since a cluster that changes its leader for
 * ever must not fill the memory.
 */
export class RecentEpochs {
  /** Ascending by position. */
  #beginnings: Beginning[] = [];

  /** Tells of the next entry. */
  push(position: number, epoch: number): void {
    const newest = this.#beginnings.at(-1);
    if (newest?.epoch === epoch) return;
    invariant(newest === undefined || newest.position < position, "epochs begin one after another");
    this.#beginnings.push({ position, epoch });
    if (this.#beginnings.length > EPOCHS_MAX) this.#beginnings.shift();
  }

  /** Forgets the entries from `position` on. */
  truncateFrom(position: number): void {
    while ((this.#beginnings.at(-1)?.position ?? 0) >= position) this.#beginnings.pop();
  }

  /** The epoch of the entry at `position`, which must exist; undefined for one older than what is kept. */
  at(position: number): number | undefined {
    return this.#beginnings.findLast((beginning) => beginning.position <= position)?.epoch;
  }
}
