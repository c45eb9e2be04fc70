// The words of replication: entries, messages, events, effects.
//
// Commands are opaque bytes here: replication knows nothing of stocks.

/** A replica's identity, unique in the cluster; its port, unless told otherwise. Higher ids are preferred as leader. */
export type ReplicaId = number;

/**
 * Which file of a replica speaks: 1 for a file made with the cluster, a later
 * and ever greater number for each replacement of a lost one. Only the newest
 * admitted incarnation of a replica counts towards a quorum.
 */
export type Incarnation = number;

/** What an entry records. `command` bytes are the layer's above; the others are replication's own. */
export type EntryBody =
  /** The first entry of every journal, made by the format step: all replicas of the cluster, ascending. */
  | { readonly kind: "members"; readonly members: readonly ReplicaId[] }
  | {
      readonly kind: "reign";
      readonly leader: ReplicaId;
      /** What the entries before it amount to at the leader, by its judge; empty where that isn't told. */
      readonly state: string;
    }
  | { readonly kind: "admit"; readonly replica: ReplicaId; readonly incarnation: Incarnation }
  | { readonly kind: "command"; readonly bytes: Uint8Array };

/** One entry of the journal. Two journals with the same (position, epoch) are the same up to there (R3). */
export interface Entry {
  /** 1, 2, 3 … without gaps. */
  readonly position: number;
  /** The reign under which it was first appended; 0 for the entries made by the format step. */
  readonly epoch: number;
  /** When the leader decided it, milliseconds since 1970 by the leader's clock. For people only. */
  readonly at: number;
  readonly body: EntryBody;
}

/** A committed entry as it is shown to whoever isn't replication. */
export interface CommittedEntry {
  readonly position: number;
  readonly epoch: number;
  readonly at: number;
  /** Null for replication's own entries. */
  readonly command: Uint8Array | null;
}

export function toCommitted({ position, epoch, at, body }: Entry): CommittedEntry {
  return { position, epoch, at, command: body.kind === "command" ? body.bytes : null };
}

/** The promise not to follow lower epochs, nor another nominee in this one. */
export interface EpochPromise {
  readonly epoch: number;
  readonly nominee: ReplicaId;
}

/** What a replica must find again after a crash, beside its entries. */
export interface HardState {
  readonly promise: EpochPromise;
  /** False in a replacement until its admission is committed; a replica that is no voter answers no prepare. */
  readonly voter: boolean;
}

/** Messages between replicas. Each travels in an {@link Envelope}. */
export type Message =
  /** Would you promise? Stores nothing. `token` names the candidacy. */
  | { readonly kind: "canvass"; readonly token: number }
  | {
      readonly kind: "canvass-answer";
      readonly token: number;
      readonly willing: boolean;
      /** The answerer's promised epoch: a candidacy must go above it. */
      readonly epoch: number;
      /** The leader it follows, if it refuses because of one. */
      readonly leader: ReplicaId | null;
    }
  | { readonly kind: "prepare"; readonly epoch: number }
  | {
      readonly kind: "promise";
      readonly epoch: number;
      readonly lastEpoch: number;
      readonly lastPosition: number;
    }
  /** Refused: the sender has promised `epoch`, which is higher, or equal for another nominee. */
  | { readonly kind: "refuse"; readonly epoch: number }
  /** An append of this epoch isn't acknowledged, nor will any more be: by the sender's state that entry can't be. */
  | {
      readonly kind: "misfit";
      readonly epoch: number;
      readonly position: number;
      readonly reason: string;
    }
  /** A nominee asks for entries after (prevPosition, prevEpoch). */
  | {
      readonly kind: "fetch";
      readonly epoch: number;
      readonly prevPosition: number;
      readonly prevEpoch: number;
    }
  | {
      readonly kind: "fetched";
      readonly epoch: number;
      readonly prevPosition: number;
      readonly prevEpoch: number;
      /** Set when prev doesn't match: fetch again from at most this position. */
      readonly goBackTo: number | null;
      readonly entries: readonly Entry[];
    }
  | {
      readonly kind: "append";
      readonly epoch: number;
      readonly round: number;
      readonly prevPosition: number;
      readonly prevEpoch: number;
      readonly entries: readonly Entry[];
      readonly commit: number;
    }
  | {
      readonly kind: "ack";
      readonly epoch: number;
      readonly round: number;
      /** prevPosition + the entries of the append that this answers; meaningless when goBackTo is set. */
      readonly position: number;
      /** Set when prev doesn't match: append again from at most this position. */
      readonly goBackTo: number | null;
    };

/** A message with who speaks: the receiver checks both against the journal's admissions. */
export interface Envelope {
  readonly from: ReplicaId;
  readonly incarnation: Incarnation;
  readonly message: Message;
}
