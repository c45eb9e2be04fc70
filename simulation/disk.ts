// A replica's disk: its journal in segments, as it ships, over files that a crash
// leaves torn; its tables; and what is on its way. All that is under way together
// is one write. A crash keeps what was reported, and of the write under way all or
// nothing: that is checked here, after each crash, by opening the journal again.
// So is that no damage of what was reported passes for a crash, on a copy.
//
// Where a database has the log, writes aren't synced one by one: then a power cut
// leaves what one of the writes left since the last sync. It may always take the
// newest of the tables, which are on disk only now and then, and never hold more
// than what is on disk of the journal.

import { hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { firstDigest, type Hashes } from "../src/core/journal/entries.ts";
import { createJournal, type JournalWrite, SegmentJournal } from "../src/core/journal/journal.ts";
import { mergeWrites } from "../src/core/journal/merge-writes.ts";
import type { JournalOptions } from "../src/core/journal/reader.ts";
import { HEADER_BYTES, readBatch, seedOf } from "../src/core/journal/segment.ts";
import { type Admission, FIRST_INCARNATION } from "../src/core/replication/admissions.ts";
import type { StoredEntries } from "../src/core/replication/entry-log.ts";
import type { Write } from "../src/core/replication/events.ts";
import type {
  CommittedEntry,
  Entry,
  HardState,
  Incarnation,
  Message,
  ReplicaId,
} from "../src/core/replication/types.ts";
import type { Random } from "./random.ts";
import { Interrupted, SimulatedFiles } from "./segment-files.ts";
import { Tables } from "./tables.ts";
import { Violation } from "./violation.ts";

/** So small that a run goes through many. */
const SEGMENT_BYTES = 2_048;
/** Changes of files that a write makes at most: those of a new segment. */
const CHANGES_MAX = 9;
const DAMAGED_BYTES_MAX = 700;
const EVERYTHING = Number.MAX_SAFE_INTEGER;

export const HASHES: Hashes = {
  crc32: (bytes, seed) => crc32(bytes, seed),
  sha256: (bytes) => hash("sha256", bytes, "buffer"),
};

/** What the journal says of files that aren't as they were written; a crash never leaves such. */
class Damaged extends Violation {}

export interface DiskOptions {
  /** As the file says; default: none. */
  readonly members?: readonly ReplicaId[];
  readonly incarnation?: Incarnation;
  readonly replaces?: SimulatedDisk;
  /** Default true; else only the tables see to it that what they are made from is on disk. */
  readonly syncsEachWrite?: boolean;
  /** In which epoch this very entry was committed; null if it wasn't. */
  readonly committedIn?: (entry: Entry) => number | null;
}

/** What is in a journal. */
interface State {
  readonly hardState: HardState;
  readonly entries: readonly Entry[];
}

export class SimulatedDisk implements StoredEntries {
  readonly tables = new Tables();
  readonly incarnation: Incarnation;
  readonly members: readonly ReplicaId[];
  /** The lost one; what it vouched for counts until this one is admitted. */
  readonly replaces: SimulatedDisk | null;
  readonly #committedIn: (entry: Entry) => number | null;
  readonly #files = new SimulatedFiles();
  readonly #options: JournalOptions;
  readonly #syncsEachWrite: boolean;
  #journal: SegmentJournal;
  /** What must be in the journal. */
  #entries: readonly Entry[];
  /** What a power cut may leave instead: what was there at the last sync, and since. */
  #unsynced: State[] = [];
  #pending: Write[] = [];

  constructor(hardState: HardState, entries: readonly Entry[], options: DiskOptions = {}) {
    this.#entries = entries;
    this.incarnation = options.incarnation ?? FIRST_INCARNATION;
    this.members = options.members ?? [];
    this.replaces = options.replaces ?? null;
    this.#committedIn = options.committedIn ?? (() => null);
    const { members, incarnation } = this;
    const identity = { cluster: "simulated", members, replica: 0, incarnation };
    this.#syncsEachWrite = options.syncsEachWrite ?? true;
    createJournal(optionsOver(this.#files), identity, hardState, entries);
    this.#options = { ...optionsOver(this.#files), syncsEachWrite: this.#syncsEachWrite };
    this.#journal = new SegmentJournal(this.#options);
  }

  get hardState(): HardState {
    return this.#journal.hardState;
  }

  get lastPosition(): number {
    return this.#journal.lastPosition;
  }

  epochAt(position: number): number {
    if (position > this.lastPosition)
      throw new Error(`read past the end of the disk: ${position} of ${this.lastPosition}`);
    return this.#journal.epochAt(position);
  }

  entries(position: number, bytesMax: number): readonly Entry[] {
    return this.#journal.entries(position, bytesMax);
  }

  /** All of them. */
  entriesAfter(position: number): readonly Entry[] {
    return this.#entries.slice(position);
  }

  /** The tables take these, and may be on disk from then on. */
  applyToTables(entries: readonly (Entry | CommittedEntry)[]): void {
    if (!this.#syncsEachWrite) this.#journal.sync();
    this.#unsynced = [];
    this.tables.apply(entries);
  }

  admissions(): readonly Admission[] {
    return this.#journal.admissions();
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
    const writes = this.#pending.splice(0, count);
    if (writes.length === 0) return;
    const merged = mergeWrites(writes);
    this.#check(merged);
    if (!this.#syncsEachWrite) this.#unsynced.push(this.#state);
    this.#journal.write(merged);
    this.#entries = after(this.#entries, merged);
  }

  #check({ hardState, truncateFrom }: JournalWrite): void {
    if (hardState) this.#expectKept(hardState);
    if (truncateFrom !== undefined) this.#expectDroppable(truncateFrom, hardState);
  }

  #expectKept({ promise }: HardState): void {
    const { promise: before } = this.hardState;
    if (promise.epoch < before.epoch)
      throw new Violation(`R1: a promise goes back, from ${before.epoch} to ${promise.epoch}`);
    if (promise.epoch === before.epoch && promise.nominee !== before.nominee) {
      throw new Violation(
        `R1: epoch ${promise.epoch} is promised to ${before.nominee}, then to ${promise.nominee}`,
      );
    }
  }

  /**
   * A disk that hasn't promised the epoch in which an entry was committed wasn't
   * counted for it: it may have it from an older leader, and lose it to another
   * older one.
   */
  #expectDroppable(position: number, hardState = this.hardState): void {
    const promised = hardState.promise.epoch;
    const committed = this.#entries
      .slice(position - 1)
      .find((entry) => (this.#committedIn(entry) ?? Number.POSITIVE_INFINITY) <= promised);
    if (committed) throw new Violation(`R1: the committed entry ${committed.position} is dropped`);
  }

  holds({ position, epoch }: Entry): boolean {
    return position <= this.#entries.length && this.#entries[position - 1]?.epoch === epoch;
  }

  /** The process is killed, perhaps in the middle of a write, and perhaps because the power went. */
  crash(random: Random): void {
    const before = summary(this.#state);
    const begun = mergeWrites(this.#pending.slice(0, random.below(this.#pending.length + 1)));
    this.#pending = [];
    const allowed = [before];
    const written = after(this.#entries, begun);
    this.#check(begun);
    // Mostly between the write and its sync, where it tears.
    this.#files.interruptAfter(random.chance(0.5) ? 1 : random.below(CHANGES_MAX));
    try {
      this.#journal.write(begun);
      allowed.length = 0;
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
    }
    allowed.push(summary({ hardState: begun.hardState ?? this.hardState, entries: written }));
    const isPowerCut = random.chance(0.5);
    if (isPowerCut) allowed.push(...this.#unsynced.map(summary));
    this.#unsynced = [];
    this.#files.end(isPowerCut ? random : null);
    this.#reopen();
    const found = summary(this.#state);
    if (!allowed.includes(found)) {
      throw new Violation(
        `S1: a crash left ${found}, not ${allowed.join(" or ")} ${isPowerCut ? "(power cut)" : ""}`,
      );
    }
    if (isPowerCut && random.chance(0.5)) {
      this.tables.goBackTo(random.below(this.tables.appliedPosition + 1), this.#entries);
    }
    if (!isPowerCut && random.chance(0.3)) this.#expectKeptThroughPowerCut(found, random);
    if (this.#syncsEachWrite && random.chance(0.2)) this.#expectDamageNoticed(found, random);
  }

  /** What a start found may be told before anything else is written. */
  #expectKeptThroughPowerCut(right: string, random: Random): void {
    this.#files.end(random);
    this.#reopen();
    const found = summary(this.#state);
    if (found !== right) throw new Violation(`S5: a power cut left ${found} of ${right}`);
  }

  #reopen(): void {
    this.#journal = new SegmentJournal(this.#options);
    this.#entries = readAll(this.#journal);
  }

  /** On a copy: a flipped bit anywhere, or more than that before the last write. */
  #expectDamageNoticed(right: string, random: Random): void {
    const batches = batchesIn(this.#files);
    const last = batches.at(-1) as WrittenBatch;
    const { name } = random.chance(0.5) ? last : random.pick(batches);
    const used = Math.max(...batches.map((each) => (each.name === name ? each.end : 0)));
    let copy = this.#files.flipped(name, random.below(8 * used));
    if (random.chance(0.5)) {
      const from = random.chance(0.3) ? 0 : HEADER_BYTES;
      const through = name === last.name ? last.offset : used;
      if (through <= from) return;
      const offset = from + random.below(through - from);
      const length = Math.min(through - offset, 1 + random.below(DAMAGED_BYTES_MAX));
      const bytes = Uint8Array.from({ length }, () => (random.chance(0.5) ? 0 : random.below(256)));
      copy = this.#files.spoiled(name, offset, bytes);
    }
    try {
      const journal = new SegmentJournal(optionsOver(copy));
      const read = summary({ hardState: journal.hardState, entries: readAll(journal) });
      if (read !== right) throw new Violation(`S2: damage of ${name} makes ${read} of ${right}`);
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
    }
  }

  get #state(): State {
    return { hardState: this.hardState, entries: this.#entries };
  }
}

function summary({ hardState: { promise, voter }, entries }: State): string {
  const { sha256 } = HASHES;
  const text = entries.map(({ position, epoch, body }) =>
    body.kind === "command"
      ? `${position}@${epoch} ${Buffer.from(body.bytes).toString("latin1")}`
      : `${position}@${epoch} ${JSON.stringify(body)}`,
  );
  const digest = Buffer.from(sha256(Buffer.from(text.join("\n")))).toString("hex", 0, 4);
  return `${entries.length} entries (${digest}), promise ${promise.epoch} to ${promise.nominee}, ${voter ? "voter" : "no voter"}`;
}

interface WrittenBatch {
  readonly name: string;
  readonly offset: number;
  readonly end: number;
}

/** All that was written, in order. */
function batchesIn(files: SimulatedFiles): WrittenBatch[] {
  const names = files.list().filter((name) => name.endsWith(".segment"));
  return names.toSorted().flatMap((name) => {
    const bytes = files.read(name, 0, EVERYTHING);
    const seed = seedOf(bytes);
    const batches: WrittenBatch[] = [];
    for (let offset = HEADER_BYTES; ; offset = (batches.at(-1) as WrittenBatch).end) {
      const found = readBatch(HASHES, { bytes, seed }, offset, null);
      if (found.kind !== "batch") return batches;
      batches.push({ name, offset, end: found.end });
    }
  });
}

export function optionsOver(files: SimulatedFiles): JournalOptions {
  let salts = 0;
  return {
    files,
    hashes: HASHES,
    salt: () => firstDigest(HASHES, `${files.list().join()} ${++salts}`),
    damage: (name, position, what) => new Damaged(`S2: ${name}, position ${position}: ${what}`),
    otherFormat: (name, format) => new Damaged(`S2: ${name} has format ${format}`),
    segmentBytes: SEGMENT_BYTES,
    entriesVerifiedMin: 20,
  };
}

export function readAll(journal: SegmentJournal): Entry[] {
  return [...journal.entries(0, EVERYTHING)];
}

export function after(entries: readonly Entry[], write: JournalWrite): Entry[] {
  const kept =
    write.truncateFrom === undefined ? entries : entries.slice(0, write.truncateFrom - 1);
  return [...kept, ...(write.entries ?? [])];
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
