// The `entries` table: rows in a chain, each verified as it is read.
//
// Needs no more memory than one entry, so the whole history can be gone through
// by whoever holds a connection: the journal itself, a scrub, an audit.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Admission } from "../../core/replication/admissions.ts";
import { areSameMembers } from "../../core/replication/members.ts";
import type { Entry, ReplicaId } from "../../core/replication/types.ts";
import { ADMIT, type ChainedEntry, firstDigest, rowOf, verifiedEntry } from "./chain.ts";
import { JournalCorrupt } from "./errors.ts";
import { bytesOf, numberOf, reading } from "./sqlite.ts";

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
