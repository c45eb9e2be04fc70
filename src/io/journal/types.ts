// What the journal of one replica promises to the log that drives it.

import type { Admission } from "../../core/replication/admissions.ts";
import type {
  Entry,
  EntryBody,
  HardState,
  Incarnation,
  ReplicaId,
} from "../../core/replication/types.ts";
import type { Durability } from "./sqlite.ts";

export type { Entry, EntryBody };

/** Whose file this is. Written by the format step, never changed. */
export interface JournalIdentity {
  /** Random name of the cluster, the same in all its files. */
  readonly cluster: string;
  /** All its replicas, ascending; the journal's first entry names them, too. */
  readonly members: readonly ReplicaId[];
  readonly replica: ReplicaId;
  readonly incarnation: Incarnation;
}

/** One durable step. All of it or nothing; durable when write() returns. */
export interface JournalWrite {
  readonly hardState?: HardState;
  /** Drop entries from this position on, before `entries` are added. Never at or below what is applied. */
  readonly truncateFrom?: number;
  /** Consecutive, the first following the last kept. */
  readonly entries?: readonly Entry[];
}

export interface Journal {
  readonly identity: JournalIdentity;
  readonly hardState: HardState;
  /** Position of the newest entry; 0 when empty. */
  readonly lastPosition: number;
  /** Epoch of the entry at `position`; 0 at position 0. */
  epochAt(position: number): number;
  /** Entries after `position`, about `bytesMax` bytes of them, at least one if there is any; checksums verified. */
  entries(position: number, bytesMax: number): readonly Entry[];
  /** Every `admit` entry of the journal, ascending; few, and found without reading the others. */
  admissions(): readonly Admission[];
  /** One transaction, fsynced. `also` runs inside it, to write tables along with the entries. */
  write(write: JournalWrite, also?: () => void): void;
  close(): void;
}

/** Whose file is expected. */
export interface JournalOptions {
  readonly replica: ReplicaId;
  /** The cluster it must belong to; left out, any. */
  readonly cluster?: string;
  /** How much of a crash its commits outlive; default "each-commit", as a log demands whose only copy is in such files. */
  readonly durability?: Durability;
  /** Newest entries to verify at least; default 1,000. */
  readonly entriesVerifiedMin?: number;
}

/** How far scrub() has come. */
export interface ScrubProgress {
  /** Every entry of the file has been verified since it was opened. */
  readonly done: boolean;
  /** Entries 1 to this one have been verified since. */
  readonly verifiedThrough: number;
}
