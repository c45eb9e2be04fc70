// The seam between what a replica answers and whatever makes its commands durable.
//
// A ReplicatedLog is a fenced, durable, ordered journal of opaque commands. Who
// decides them knows nothing of quorums; the log knows nothing of stocks. Built
// in is io/log/quorum-log.ts; an existing engine could serve the same interface.

import type { LeadResult } from "./events.ts";
import type { CommittedEntry, ReplicaId } from "./types.ts";

/**
 * What the log tells. All comes on the event loop's turn in which the log learned
 * of the fact, in journal order, never inside a call of the listener into the log.
 */
export interface LogListener {
  /** Entries were committed; also called for those replayed after a start. Ascending, without gaps. */
  committed(entries: readonly CommittedEntry[]): void;
  /** This replica leads `epoch`, and everything before it is committed and was delivered. It may decide now. */
  leading(epoch: number): void;
  /** This replica leads no more: what it appended and hasn't seen committed has an unknown fate. */
  deposed(): void;
  /** How the attempt to lead ended that lead() began, or joined. */
  leadEnded(result: LeadResult): void;
  /** Another leader is followed, or heard no more. */
  changed(): void;
}

/** Where this replica stands. commitPosition <= lastPosition. */
export interface LogStatus {
  /** It leads, and its reign is committed. */
  readonly leads: boolean;
  /** The leader it follows, or is; null when it knows none. */
  readonly leader: ReplicaId | null;
  /** The epoch it has promised. */
  readonly epoch: number;
  readonly lastPosition: number;
  readonly commitPosition: number;
  /** Once it has won: what leases are measured by, in milliseconds of its own clock. */
  readonly reign: {
    /** When it won: nobody older can have been confirmed after that. */
    readonly wonAt: number;
    /** When the newest confirmation began; -Infinity before the first. */
    readonly confirmedAt: number;
  } | null;
}

export interface ReplicatedLog {
  status(): LogStatus;
  /** Tries to win an epoch, or joins an attempt under way: its listener is told how that ended, within a few seconds. */
  lead(): void;
  /**
   * Appends commands as one entry each and returns the position of the last.
   * Only while leading. They are durable once `committed` has delivered them.
   */
  append(commands: readonly Uint8Array[]): number;
  /** Settles once: whether a quorum has confirmed, after this call, that this replica still leads. */
  confirm(settled: (leads: boolean) => void): void;
  /** Committed entries after `position`, at most about `bytesMax` bytes, at least one if there is any. */
  read(position: number, bytesMax: number): readonly CommittedEntry[];
}
