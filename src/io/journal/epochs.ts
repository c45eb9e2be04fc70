// The epochs of the newest entries, without a look at the disk.
//
// A reign is many entries long, so what is kept is where each epoch begins: a
// few numbers, however long the journal. Bounded all the same: a cluster that
// changes its leader for ever must not fill the memory.

import { invariant } from "../../core/invariant.ts";

/** Beginnings of epochs kept; with one leader change a second they cover the last quarter of an hour. */
const EPOCHS_MAX = 1_024;

interface Beginning {
  readonly position: number;
  readonly epoch: number;
}

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
