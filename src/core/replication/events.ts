// What goes into a replica's step function, and what comes out.

import type { Misfit } from "./judge.ts";
import type { Entry, Envelope, HardState, Message, ReplicaId } from "./types.ts";

/** When a step happens; read after its event was, so that a message is never judged by an older time. */
export interface StepTime {
  /** Monotonic milliseconds. */
  readonly now: number;
  /** Milliseconds since 1970, for people only. */
  readonly wallMs: number;
}

/** Something happened. */
export type ReplicaEvent =
  | { readonly kind: "receive"; readonly envelope: Envelope }
  /** A connection on which messages to `peer` can be sent opened, or closed. */
  | { readonly kind: "connected"; readonly peer: ReplicaId }
  | { readonly kind: "disconnected"; readonly peer: ReplicaId }
  /** Every `tickMs` of the replica, about. */
  | { readonly kind: "tick" }
  /** The write of this id, and all before it, are durable. */
  | { readonly kind: "persisted"; readonly id: number }
  /** Win an epoch, if no leader is heard. Answered by a `lead-outcome` effect; several may wait for one. */
  | { readonly kind: "lead" }
  /** Append commands, one entry each; only while leading. They are sent with the next round. */
  | { readonly kind: "append"; readonly commands: readonly Uint8Array[] }
  /**
   * Begin a round: every follower gets what it lacks. With `confirm`, a
   * `confirmed` effect of that token tells whether a quorum acknowledged it.
   */
  | { readonly kind: "round"; readonly confirm: number | null }
  /** What a `verify` effect asked for is done: this replica's files are what they should be. */
  | { readonly kind: "verified" };

/** How an attempt to lead ended. */
export type LeadResult =
  | { readonly kind: "leading"; readonly epoch: number }
  | { readonly kind: "follows"; readonly leader: ReplicaId; readonly epoch: number }
  | { readonly kind: "lost"; readonly reason: string };

/** One durable step: all of it or nothing. */
export interface Write {
  readonly hardState?: HardState;
  /** Drop the entries from this position on, before adding `entries`. */
  readonly truncateFrom?: number;
  readonly entries?: readonly Entry[];
}

/** Something to do, in this order. */
export type ReplicaEffect =
  | { readonly kind: "send"; readonly to: ReplicaId; readonly message: Message }
  /** Make this durable, then report `persisted`. Ids ascend; writes are carried out in order. */
  | { readonly kind: "persist"; readonly id: number; readonly write: Write }
  /** Everything through `position` is committed, and durable here. Ascending. */
  | { readonly kind: "committed"; readonly position: number }
  /** This replica leads `epoch`: its reign is committed. */
  | { readonly kind: "leading"; readonly epoch: number }
  /** It leads no more. What it appended and hasn't seen committed has an unknown fate. */
  | { readonly kind: "deposed" }
  | { readonly kind: "lead-outcome"; readonly outcome: LeadResult }
  | { readonly kind: "confirmed"; readonly token: number; readonly leads: boolean }
  /**
   * Either this replica's state is wrong or another's. Compare what is on its
   * disk with its journal: stop if that is damaged, else report `verified`.
   */
  | { readonly kind: "verify" }
  /** For logs and metrics; nothing depends on them. */
  | {
      readonly kind: "following";
      readonly leader: ReplicaId;
      readonly epoch: number;
      readonly behind: number;
    }
  | { readonly kind: "stored"; readonly entries: readonly Entry[] }
  | { readonly kind: "already-held"; readonly entries: readonly Entry[] }
  | { readonly kind: "replicated"; readonly peer: ReplicaId; readonly position: number }
  /** What `from` sent can't follow here, and isn't taken. */
  | { readonly kind: "refuses"; readonly from: ReplicaId; readonly misfit: Misfit }
  /** While leading: `by` says so of what was sent to it. */
  | { readonly kind: "refused"; readonly by: ReplicaId; readonly misfit: Misfit }
  | { readonly kind: "truncated"; readonly from: number; readonly through: number }
  | { readonly kind: "admitted"; readonly replica: ReplicaId; readonly incarnation: number };
