// A replica's disk: what was written and what is still on its way. Writes land
// in order and whole, as SQLite's transactions do; a crash keeps those that were
// reported, and any number of the following ones, in order.

import { type Admission, FIRST_INCARNATION } from "../src/core/replication/admissions.ts";
import type { StoredEntries } from "../src/core/replication/entry-log.ts";
import { entryBytes } from "../src/core/replication/entry-log.ts";
import type { Write } from "../src/core/replication/events.ts";
import type {
  Entry,
  HardState,
  Incarnation,
  Message,
  ReplicaId,
} from "../src/core/replication/types.ts";
import type { Random } from "./random.ts";
import { Tables } from "./tables.ts";
import { Violation } from "./violation.ts";

export interface DiskOptions {
  /** As the file says; default: none. */
  readonly members?: readonly ReplicaId[];
  readonly incarnation?: Incarnation;
  readonly replaces?: SimulatedDisk;
  /** In which epoch this very entry was committed; null if it wasn't. */
  readonly committedIn?: (entry: Entry) => number | null;
}

export class SimulatedDisk implements StoredEntries {
  hardState: HardState;
  readonly tables = new Tables();
  readonly incarnation: Incarnation;
  readonly members: readonly ReplicaId[];
  /** The lost one; what it vouched for counts until this one is admitted. */
  readonly replaces: SimulatedDisk | null;
  readonly #committedIn: (entry: Entry) => number | null;
  #entries: Entry[];
  #pending: Write[] = [];

  constructor(hardState: HardState, entries: readonly Entry[], options: DiskOptions = {}) {
    this.hardState = hardState;
    this.#entries = [...entries];
    this.incarnation = options.incarnation ?? FIRST_INCARNATION;
    this.members = options.members ?? [];
    this.replaces = options.replaces ?? null;
    this.#committedIn = options.committedIn ?? (() => null);
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

  /** All of them. */
  entriesAfter(position: number): readonly Entry[] {
    return this.#entries.slice(position);
  }

  /** Where entries are a view of others': a crash may take some of the newest, and the tables with them. */
  loseSome(random: Random): void {
    const { appliedPosition } = this.tables;
    this.#entries.length -= random.below(this.#entries.length - appliedPosition + 1);
  }

  admissions(): readonly Admission[] {
    return this.#entries.flatMap(({ position, body }) =>
      body.kind === "admit"
        ? [{ position, replica: body.replica, incarnation: body.incarnation }]
        : [],
    );
  }

  /** Whether the tables are what the journal says, as a check of the whole file shows. */
  get isRight(): boolean {
    return this.tables.isRight(this.#entries.slice(0, this.tables.appliedPosition));
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
      if (write.hardState) this.#keep(write.hardState);
      if (write.truncateFrom !== undefined) this.#truncateFrom(write.truncateFrom);
      if (write.entries) this.#entries.push(...write.entries);
    }
  }

  #keep(hardState: HardState): void {
    const { promise: before } = this.hardState;
    const { promise } = hardState;
    if (promise.epoch < before.epoch)
      throw new Violation(`R1: a promise goes back, from ${before.epoch} to ${promise.epoch}`);
    if (promise.epoch === before.epoch && promise.nominee !== before.nominee) {
      throw new Violation(
        `R1: epoch ${promise.epoch} is promised to ${before.nominee}, then to ${promise.nominee}`,
      );
    }
    this.hardState = hardState;
  }

  /**
   * A disk that hasn't promised the epoch in which an entry was committed wasn't
   * counted for it: it may have it from an older leader, and lose it to another
   * older one.
   */
  #truncateFrom(position: number): void {
    const promised = this.hardState.promise.epoch;
    const committed = this.#entries
      .slice(position - 1)
      .find((entry) => (this.#committedIn(entry) ?? Number.POSITIVE_INFINITY) <= promised);
    if (committed) throw new Violation(`R1: the committed entry ${committed.position} is dropped`);
    this.#entries.length = position - 1;
  }

  holds({ position, epoch }: Entry): boolean {
    return this.#entries[position - 1]?.epoch === epoch;
  }

  /** Power is gone: `kept` of the unreported writes happened to land, the others never did. */
  crash(kept: (pending: number) => number): void {
    this.land(kept(this.#pending.length));
    this.#pending = [];
  }
}

/** R2, seen from outside: what this message vouches for is on its sender's disk. */
export function checkDurable(sender: string, disk: SimulatedDisk, message: Message): void {
  const { kind } = message;
  if (kind === "ack" && message.goBackTo === null && message.position > disk.lastPosition) {
    throw new Violation(
      `R2: ${sender} acknowledges ${message.position}, its disk ends at ${disk.lastPosition}`,
    );
  }
  if (
    (kind === "ack" || kind === "promise" || kind === "prepare") &&
    disk.hardState.promise.epoch < message.epoch
  ) {
    throw new Violation(
      `R2: ${sender} sends ${kind} in epoch ${message.epoch}, its promise isn't on disk`,
    );
  }
}
