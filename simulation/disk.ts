// A replica's disk: what was written and what is still on its way. Writes land
// in order and whole, as SQLite's transactions do; a crash keeps those that were
// reported, and any number of the following ones, in order.

import type { Admission } from "../src/core/replication/admissions.ts";
import type { StoredEntries } from "../src/core/replication/entry-log.ts";
import { entryBytes } from "../src/core/replication/entry-log.ts";
import type { Write } from "../src/core/replication/events.ts";
import type { Entry, HardState } from "../src/core/replication/types.ts";

export class SimulatedDisk implements StoredEntries {
  hardState: HardState;
  /** Through where the tables are applied. */
  applied = 0;
  #entries: Entry[];
  #pending: Write[] = [];

  constructor(hardState: HardState, entries: readonly Entry[]) {
    this.hardState = hardState;
    this.#entries = [...entries];
  }

  get lastPosition(): number {
    return this.#entries.length;
  }

  epochAt(position: number): number {
    if (position === 0) return 0;
    const entry = this.#entries[position - 1];
    if (!entry)
      throw new Error(`read past the end of the disk: ${position} of ${this.#entries.length}`);
    return entry.epoch;
  }

  entries(position: number, bytesMax: number): readonly Entry[] {
    const entries: Entry[] = [];
    let bytes = 0;
    for (const entry of this.#entries.slice(position, position + 64)) {
      bytes += entryBytes(entry);
      if (entries.length > 0 && bytes > bytesMax) break;
      entries.push(entry);
    }
    return entries;
  }

  admissions(): readonly Admission[] {
    return this.#entries.flatMap(({ position, body }) =>
      body.kind === "admit"
        ? [{ position, replica: body.replica, incarnation: body.incarnation }]
        : [],
    );
  }

  get underWay(): number {
    return this.#pending.length;
  }

  begin(write: Write): void {
    this.#pending.push(write);
  }

  /** The oldest `count` writes under way have landed. */
  land(count: number): void {
    for (const write of this.#pending.splice(0, count)) {
      if (write.hardState) this.hardState = write.hardState;
      if (write.truncateFrom !== undefined) this.#entries.length = write.truncateFrom - 1;
      if (write.entries) this.#entries.push(...write.entries);
    }
  }

  /** Power is gone: `kept` of the unreported writes happened to land, the others never did. */
  crash(kept: (pending: number) => number): void {
    this.land(kept(this.#pending.length));
    this.#pending = [];
  }
}
