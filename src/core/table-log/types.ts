// The words between the log over two SQL tables and whatever runs its statements.
//
// `logs` has one row a log: its epoch and that epoch's leader, the position of the
// last entry, and up to where the leader knew entries to be acknowledged. `entries`
// has the entries, each with the running digest of all up to it.

import type { LeadResult } from "../replication/events.ts";
import type { Entry, ReplicaId } from "../replication/types.ts";

/** An entry with the running digest of all entries up to it, by which two histories are told apart. */
export interface ChainedEntry {
  readonly entry: Entry;
  readonly digest: Uint8Array;
}

/** The row of `logs`. committed <= last. */
export interface Head {
  readonly epoch: number;
  /** Who won that epoch; null before the first. */
  readonly leader: ReplicaId | null;
  readonly last: number;
  readonly committed: number;
}

/** One SQL statement, a transaction of its own. */
export type Statement =
  /** The head, the digest at `after`, and entries after it, about so many bytes, at least one if there is any; all of one moment. */
  | { readonly kind: "look"; readonly after: number; readonly bytesMax: number }
  /** Where epoch and last position are still the ones seen: a new epoch with its first entry. */
  | {
      readonly kind: "claim";
      readonly seen: { readonly epoch: number; readonly last: number };
      readonly leader: ReplicaId;
      readonly committed: number;
      readonly reign: ChainedEntry;
    }
  /** Where epoch and last position are still the leader's: further entries. With none, it writes the head alone. */
  | {
      readonly kind: "append";
      readonly epoch: number;
      readonly last: number;
      readonly committed: number;
      readonly entries: readonly ChainedEntry[];
    };

/** How a statement ended. */
export type Answer =
  | {
      readonly kind: "looked";
      /** Null if there is no log of this name. */
      readonly head: Head | null;
      /** The digest at `after`; null if there is no such entry. */
      readonly digest: Uint8Array | null;
      readonly entries: readonly ChainedEntry[];
    }
  /** `rows`: inserted, or, where none was to be, updated. `isWarned`: the server said a WARNING before its success. */
  | { readonly kind: "done"; readonly rows: number; readonly isWarned: boolean }
  /** The server refused it: nothing was done. */
  | { readonly kind: "failed"; readonly reason: string };

/** What a leader says on the replicas' own connections, and once more when it leads no more. */
export interface Beat {
  readonly leads: boolean;
  readonly epoch: number;
  /** Up to where entries may be read in the tables. */
  readonly committed: number;
}

/** Something happened. */
export type TableEvent =
  /** At least every HEARTBEAT_MS / 2. */
  | { readonly kind: "tick" }
  /** A connection to the database is there; the one before, if any, is given up. */
  | { readonly kind: "opened" }
  /** It is gone: nothing more will be heard of a statement on its way. */
  | { readonly kind: "closed" }
  | { readonly kind: "answered"; readonly id: number; readonly answer: Answer }
  /** Win an epoch, if no leader is heard. Answered by a `lead-outcome` effect; several may wait for one. */
  | { readonly kind: "lead" }
  /** Append commands, one entry each; only while leading. They leave with the next round. */
  | { readonly kind: "append"; readonly commands: readonly Uint8Array[] }
  /** Send what was appended; with `confirm`, a `confirmed` effect of that token tells whether it still led after this. */
  | { readonly kind: "round"; readonly confirm: number | null }
  /** A connection to another replica opened, or closed, or brought a beat. */
  | { readonly kind: "connected"; readonly peer: ReplicaId }
  | { readonly kind: "disconnected"; readonly peer: ReplicaId }
  | { readonly kind: "heard"; readonly from: ReplicaId; readonly beat: Beat };

/** Something to do, in this order. */
export type TableEffect =
  /** Run this, and report `answered` with this id. Never before the one before has ended. */
  | { readonly kind: "run"; readonly id: number; readonly statement: Statement }
  /** Give this connection up, whatever is on its way, and make another, to the primary there is then. */
  | { readonly kind: "reconnect"; readonly reason: string }
  | { readonly kind: "send"; readonly to: ReplicaId; readonly beat: Beat }
  /** These are committed. Ascending, without gaps; `own`: this replica decided them in the reign that lasts. */
  | { readonly kind: "committed"; readonly entries: readonly Entry[]; readonly own: boolean }
  | { readonly kind: "leading"; readonly epoch: number }
  /** It leads no more. What it appended and hasn't seen committed has an unknown fate. */
  | { readonly kind: "deposed"; readonly reason: string }
  | { readonly kind: "lead-outcome"; readonly outcome: LeadResult }
  | { readonly kind: "confirmed"; readonly token: number; readonly leads: boolean }
  /** The tables hold another history than this replica: stop. */
  | { readonly kind: "foreign"; readonly reason: string }
  /** The tables don't hold what this replica knows to be committed: an older primary's, or a backup brought back. */
  | { readonly kind: "behind"; readonly position: number; readonly committed: number }
  /** For logs; nothing depends on it. */
  | {
      readonly kind: "following";
      readonly leader: ReplicaId;
      readonly epoch: number;
      readonly behind: number;
    };
