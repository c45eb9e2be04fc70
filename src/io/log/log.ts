// The seam between the order role and whatever makes its commands durable.
//
// A ReplicatedLog is a fenced, durable, ordered journal of opaque commands.
// The order role knows nothing of quorums; the log knows nothing of stocks.
// Built in is quorum-log.ts; an existing engine could serve the same interface.
//
// All callbacks run on the event loop's turn in which the log learned of the
// fact, in journal order, never inside a call of the role into the log.

import type { CommittedEntry } from "../../core/replication/types.ts";

/** What the log tells the role. */
export interface LogListener {
  /** Entries were committed; also called for those replayed after a start. Ascending, without gaps. */
  committed(entries: readonly CommittedEntry[]): void;
  /** This replica leads `epoch`, and everything before it is committed and was delivered. It may decide now. */
  leading(epoch: number): void;
  /** This replica leads no more: what it appended and hasn't seen committed has an unknown fate. */
  deposed(): void;
}

/** How an attempt to lead ended. */
export type LeadOutcome =
  | { readonly kind: "leading"; readonly epoch: number }
  /** A live leader is heard; follow that one. */
  | { readonly kind: "follows"; readonly leader: number; readonly epoch: number }
  /** Not now: no quorum would promise, or a competitor was faster. Try another, or later. */
  | { readonly kind: "lost"; readonly reason: string };

/** Where this replica stands. commitPosition <= lastPosition. */
export interface LogStatus {
  readonly phase: "following" | "standing" | "leading";
  /** The leader it follows or is; null when it knows none. */
  readonly leader: number | null;
  /** The epoch it has promised. */
  readonly epoch: number;
  readonly lastPosition: number;
  readonly commitPosition: number;
  /** While leading: what leases are measured by, in milliseconds of performance.now(). */
  readonly reign: {
    /** When it won: nobody older can have been confirmed after that. */
    readonly wonAt: number;
    /** When the newest confirmation began; -Infinity before the first. */
    readonly confirmedAt: number;
  } | null;
}

export interface ReplicatedLog {
  status(): LogStatus;
  /** Tries to win an epoch. Joins an attempt already under way. Settles within a few seconds. */
  lead(): Promise<LeadOutcome>;
  /**
   * Appends commands as one entry each and returns the position of the last.
   * Only while leading. They are durable once `committed` has delivered them.
   */
  append(commands: readonly Uint8Array[]): number;
  /** True once a quorum has confirmed, after this call, that this replica still leads; false when it doesn't. */
  confirm(): Promise<boolean>;
  /** Committed entries after `position`, at most about `bytesMax` bytes, at least one if there is any. */
  read(position: number, bytesMax: number): readonly CommittedEntry[];
  close(): void;
}
