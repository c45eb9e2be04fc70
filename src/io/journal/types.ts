// What the journal of one replica promises to the log that drives it.

import type { JournalWrite } from "../../core/journal/journal.ts";
import type { JournalIdentity } from "../../core/journal/segment.ts";
import type { Admission } from "../../core/replication/admissions.ts";
import type { Entry, HardState, ReplicaId } from "../../core/replication/types.ts";

export type { JournalIdentity, JournalWrite };

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
  /** All of it or nothing; durable when it returns. Throws JournalFailed if the disk refuses, and from then on always. */
  write(write: JournalWrite): void;
  close(): void;
}

/** Whose file is expected. */
export interface JournalOptions {
  readonly replica: ReplicaId;
  /** The cluster it must belong to; left out, any. */
  readonly cluster?: string;
  /** Whether each write is on disk when it returns; default true, as a log demands whose only copy is in such files. */
  readonly syncsEachWrite?: boolean;
  /** Newest entries to verify at least; default 1,000. */
  readonly entriesVerifiedMin?: number;
  /** Size of a new segment; the default is that of core/journal. */
  readonly segmentBytes?: number;
}
