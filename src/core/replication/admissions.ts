// Which incarnation of each replica counts, as this journal says.
//
// A replica whose disk was lost comes back as a new incarnation. What the old
// one promised or acknowledged died with its disk, so it must not count; what
// the new one says counts once an `admit` entry for it is committed by a quorum
// that doesn't include it: that quorum holds everything the old one helped to
// commit. Viewstamped Replication Revisited, §4.3, solves the same by recovery.

import type { Incarnation, ReplicaId } from "./types.ts";

/** The incarnation of a file made with the cluster: admitted from the start, by no entry. */
export const FIRST_INCARNATION: Incarnation = 1;

/** An `admit` entry of the journal. */
export interface Admission {
  readonly position: number;
  readonly replica: ReplicaId;
  readonly incarnation: Incarnation;
}

export class Admissions {
  /** Ascending by position. Few: one for each disk ever lost. */
  #all: Admission[];

  /** Of each replica, the last of them: asked for with every message. */
  readonly #newest = new Map<ReplicaId, Admission>();

  constructor(admissions: readonly Admission[]) {
    this.#all = [];
    for (const admission of admissions) this.add(admission);
  }

  /** The newest admission of `replica` in the journal; the one it was made with has position 0. */
  of(replica: ReplicaId): Admission {
    let newest = this.#newest.get(replica);
    if (!newest) {
      newest = { position: 0, replica, incarnation: FIRST_INCARNATION };
      this.#newest.set(replica, newest);
    }
    return newest;
  }

  /** Whether what this incarnation promises or acknowledges counts, given what is known to be committed. */
  counts(replica: ReplicaId, incarnation: Incarnation, commit: number): boolean {
    const admission = this.of(replica);
    return admission.incarnation === incarnation && admission.position <= commit;
  }

  add(admission: Admission): void {
    this.#all.push(admission);
    this.#newest.set(admission.replica, admission);
  }

  truncateFrom(position: number): void {
    const kept = this.#all.filter((admission) => admission.position < position);
    this.#all = [];
    this.#newest.clear();
    for (const admission of kept) this.add(admission);
  }
}
