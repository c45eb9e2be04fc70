// A replica's journal: an append-only file in segments, over whatever holds files.
//
//   S5. Durable when write() returns: one write and one sync of space that is there
//       already. What is found at a start counts only once it was written again and
//       synced: the crash before may have come between the two, or the sync failed,
//       and then the system takes for written what isn't on disk.
//   S6. A segment is on disk under its name before the one before it is ended, and
//       that end is on disk before anything is written to it. So a segment that is
//       missing is damage, and no entry ever stands behind a gap.
//   S7. A promise never goes back, and what is applied is never dropped.
//   S8. Memory changes after the disk. A write that fails is the last: after a
//       failed sync nobody knows what is on disk.
//
// Entries are dropped by beginning a new segment, whose base says after which one
// it goes on: so each segment holds one ascending run, no frame undoes another,
// and an index of a few positions finds every entry. A segment's base also repeats
// what all before it amount to, so that old ones can be removed one day.
//
// Longer than 400 lines because what is written is what opening finds again.
//
// Opening reads the newest segments only, the newest entries' digests among them;
// whatever is read later is verified as it is read; scrub() reads the rest.

import { invariant } from "../invariant.ts";
import type { Admission } from "../replication/admissions.ts";
import type { Entry, HardState } from "../replication/types.ts";
import {
  admissionIn,
  areEqual,
  type EntryRow,
  firstDigest,
  isChained,
  RecentEpochs,
  rowOf,
} from "./entries.ts";
import { type JournalOptions, JournalReader, type Segment, segmentName } from "./reader.ts";
import {
  type Base,
  BatchWriter,
  END_BATCH_BYTES,
  encodeHeader,
  FIRST_LINK,
  type Frame,
  HEADER_BYTES,
  type JournalIdentity,
  knowsSettled,
  type Link,
  seedOf,
} from "./segment.ts";

/** One durable step. All of it or nothing; durable when write() returns. */
export interface JournalWrite {
  readonly hardState?: HardState;
  /** Drop entries from this position on, before `entries` are added. Never at or below what is applied. */
  readonly truncateFrom?: number;
  /** Consecutive, the first following the last kept. */
  readonly entries?: readonly Entry[];
}

/** How far scrub() has come. */
export interface ScrubProgress {
  /** Every entry of the file has been verified since it was opened. */
  readonly done: boolean;
  /** Entries 1 to this one have been verified since. */
  readonly verifiedThrough: number;
}

/** The first segment is small, as most clusters are; each is twice as large as the one before it … */
const SEGMENT_BYTES_MIN = 256 * 1024;
/** … up to some seconds of trades at full speed: making one takes milliseconds, in which nothing else is done. */
const SEGMENT_BYTES_MAX = 4 * 1024 * 1024;
/** Newest entries that opening verifies, though the tables hold them: what a damaged disk hits first. */
const ENTRIES_VERIFIED_MIN = 1_000;
/** Makes the first segment of a journal. `entries` are 1, 2, 3 …; there must be no segment. */
export function createJournal(
  options: JournalOptions,
  identity: JournalIdentity,
  hardState: HardState,
  entries: readonly Entry[],
): void {
  invariant(options.files.list().length === 0, "a journal is never made over another");
  const digest = firstDigest(options.hashes, identity.cluster);
  const base: Base = { position: 0, epoch: 0, digest, hardState, admissions: [] };
  new SegmentWriter(options, identity, FIRST_LINK).begin(1, base, entries);
}

/** The journal as its one writer has it. */
export class SegmentJournal extends JournalReader {
  /** Entries whose digests opening verified. */
  readonly entriesVerified: number;
  readonly #epochs = new RecentEpochs();
  #writer: SegmentWriter;
  #end: Base;
  /** Through where the tables are applied, as far as they told. */
  #applied = 0;
  #scrubbed = 0;
  /** What was applied when it was opened: what came later was verified as it was applied. */
  #scrubThrough: number | null = null;
  #failure: unknown = null;

  /** Opens a journal, and verifies what is newest. Throws what `damage` makes. */
  constructor(options: JournalOptions) {
    super(options);
    const { end, link, scanned, offset, verified, tail } = this.#scan();
    this.#end = end;
    this.entriesVerified = verified;
    const { files } = options;
    files.write(tail.name, tail.offset, files.read(tail.name, tail.offset, tail.end - tail.offset));
    for (const { name } of scanned) options.files.sync(name); // S5, of the end before a new one too
    const segment = scanned.at(-1) as Segment;
    this.#writer = new SegmentWriter(options, this.identity, link, { segment, offset });
  }

  /** Reads the newest segments, to where the last write ended. */
  #scan() {
    const { damage, hashes } = this.options;
    const newest = this.segments.findLast(({ base }) => base !== null);
    const min = this.options.entriesVerifiedMin ?? ENTRIES_VERIFIED_MIN;
    const enough = Math.max(0, (newest?.base?.position ?? 0) - min);
    const first = Math.max(
      0,
      this.segments.findLastIndex(({ base }) => base !== null && base.position <= enough),
    );
    let segment = this.segments[first] as Segment;
    let offset = HEADER_BYTES;
    let link: Link | null = null;
    let end: Base | null = null;
    let verified = 0;
    /** Where the batches begin of which none that was found says that they were on disk; all in one segment. */
    const unsettled: {
      readonly name: string;
      readonly offset: number;
      readonly sequence: number;
    }[] = [];
    let tailEnd = 0;
    for (let index = first; ; ) {
      const found = this.batchAt(segment, offset, link);
      const isTorn = found.kind === "flipped" && !this.#follows(end, found.frames);
      if (found.kind === "nothing" || isTorn) break;
      if (found.kind !== "batch") throw damage(segment.name, end && end.position + 1, found.what);
      let isEnd = false;
      for (const frame of found.frames) {
        isEnd = frame.kind === "end";
        const after: Base = this.#after(segment, end, frame);
        if (frame.kind === "entry") {
          if (!isChained(hashes, (end as Base).digest, frame.row)) {
            throw damage(segment.name, frame.row.position, "the checksum is wrong");
          }
          verified++;
        }
        end = after;
      }
      while ((unsettled[0]?.sequence ?? Number.POSITIVE_INFINITY) <= found.settled)
        unsettled.shift();
      unsettled.push({ name: segment.name, offset, sequence: found.link.sequence });
      ({ link, end: offset } = found);
      tailEnd = offset;
      if (!isEnd) continue;
      const next = this.segments[++index];
      if (next === undefined) throw damage(segment.name, null, "the segment after it is gone"); // S6
      [segment, offset] = [next, HEADER_BYTES];
    }
    this.#expectTorn(segment, offset, (link?.sequence ?? 0) + 1);
    const [tail] = unsettled;
    if (end === null || link === null || tail === undefined) {
      throw damage(segment.name, null, "it has no base");
    }
    const scanned = this.segments.slice(first, this.segments.indexOf(segment) + 1);
    return { end, link, scanned, offset, verified, tail: { ...tail, end: tailEnd } };
  }

  /** S3: whether the entries among these frames are chained to what is before them. */
  #follows(before: Base | null, frames: readonly Frame[]): boolean {
    let digest = before?.digest;
    return frames.every((frame) => {
      if (frame.kind === "base") ({ digest } = frame);
      if (frame.kind !== "entry" || digest === undefined) return true;
      const { row } = frame;
      const isNext = isChained(this.options.hashes, digest, row);
      ({ digest } = row);
      return isNext;
    });
  }

  /** What the journal amounts to after this frame. */
  #after(segment: Segment, end: Base | null, frame: Frame): Base {
    const { damage } = this.options;
    if (frame.kind === "base") {
      const isNext =
        end === null ||
        frame.position < end.position ||
        (frame.position === end.position && areEqual(frame.digest, end.digest));
      if (!isNext)
        throw damage(segment.name, frame.position, "it doesn't follow what is before it");
      this.#epochs.truncateFrom(frame.position + 1);
      if (frame.position > 0) this.#epochs.push(frame.position, frame.epoch);
      return frame;
    }
    if (end === null) throw damage(segment.name, null, "it has no base");
    if (frame.kind === "hard-state") return { ...end, hardState: frame.hardState };
    if (frame.kind === "end") return end;
    const { position, epoch, digest } = frame.row;
    if (position !== end.position + 1) throw damage(segment.name, position, "an entry is gone");
    this.#epochs.push(position, epoch);
    const admission = admissionIn(this.entryOf(frame.row));
    const admissions = admission ? [...end.admissions, admission] : end.admissions;
    return { ...end, position, epoch, digest, admissions };
  }

  /** S2: what ends here was cut short in its last write, or never begun, and nothing behind it says otherwise. */
  #expectTorn(segment: Segment, offset: number, sequence: number): void {
    const { files, hashes, damage } = this.options;
    for (const each of this.segments.filter(({ number }) => number >= segment.number)) {
      const from = each === segment ? offset : HEADER_BYTES;
      const bytes = files.read(each.name, 0, files.size(each.name));
      if (!knowsSettled(hashes, { bytes, seed: each.seed }, from, sequence)) continue;
      throw damage(segment.name, null, "a write is wrong, with later ones behind it");
    }
  }

  get hardState(): HardState {
    return this.#end.hardState;
  }

  /** Position of the newest entry; 0 when empty. */
  get lastPosition(): number {
    return this.#end.position;
  }

  /** Epoch of the entry at `position`; 0 at position 0. */
  epochAt(position: number): number {
    if (position === 0) return 0;
    if (position === this.lastPosition) return this.#end.epoch;
    this.#expectHeld(position);
    return this.#epochs.at(position) ?? this.#row(position).epoch;
  }

  /** The running digest of the entries 1 to `position`: equal for equal journals of one cluster. */
  digestAt(position: number): Uint8Array {
    if (position === this.lastPosition) return this.#end.digest;
    if (position === 0) return firstDigest(this.options.hashes, this.identity.cluster);
    this.#expectHeld(position);
    return this.#row(position).digest;
  }

  #expectHeld(position: number): void {
    invariant(position >= 1 && position <= this.lastPosition, "the entry is in the journal", {
      position,
      lastPosition: this.lastPosition,
    });
  }

  #row(position: number): EntryRow {
    for (const row of this.rows(position - 1, position)) return row;
    throw this.options.damage(null, position, "the entry is gone");
  }

  /** Entries after `position` up to `last`, about `bytesMax` bytes of them, at least one if there is any; verified. */
  entries(position: number, bytesMax: number, last = this.lastPosition): readonly Entry[] {
    return this.entriesBetween(position, last, bytesMax);
  }

  /** Every `admit` entry of the journal, ascending. */
  admissions(): readonly Admission[] {
    return this.#end.admissions;
  }

  /** The tables hold the entries up to here: they are never dropped. */
  applied(position: number): void {
    invariant(position <= this.lastPosition, "only durable entries are applied", {
      position,
      lastPosition: this.lastPosition,
    });
    this.#applied = position;
    this.#scrubThrough ??= position;
  }

  /** All of it or nothing; durable when it returns, if each write is synced. Throws what the disk says, and then always. */
  write(write: JournalWrite): void {
    const { hardState, truncateFrom, entries = [] } = write;
    if (hardState === undefined && truncateFrom === undefined && entries.length === 0) return;
    if (hardState !== undefined) this.#expectPromiseKept(hardState);
    const kept = truncateFrom === undefined ? this.#end : this.#baseBefore(truncateFrom);
    const base: Base = { ...kept, hardState: hardState ?? kept.hardState };
    const before = this.#writer.place;
    const after = this.#unlessFailed(() =>
      this.#writer.write(base, entries, hardState, base.position < this.lastPosition),
    );
    this.forgetWindow();
    const { segment } = this.#writer.place;
    if (segment !== before.segment) {
      // In the place of one that was made and never used.
      while ((this.segments.at(-1)?.number ?? 0) >= segment.number) this.segments.pop();
      this.segments.push(segment);
      this.begins(segment, base);
    }
    this.#epochs.truncateFrom(base.position + 1);
    for (const entry of entries) this.#epochs.push(entry.position, entry.epoch);
    this.#end = after;
  }

  /** What was written is on disk. */
  sync(): void {
    this.#unlessFailed(() => {
      this.#writer.sync();
    });
  }

  /** S8 */
  #unlessFailed<T>(change: () => T): T {
    if (this.#failure !== null) throw this.#failure;
    try {
      return change();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  /** S7 */
  #baseBefore(from: number): Base {
    const { lastPosition } = this;
    invariant(
      from > this.#applied && from <= lastPosition + 1,
      "only entries above the applied position are dropped",
      { from, applied: this.#applied, lastPosition },
    );
    const position = from - 1;
    return {
      position,
      epoch: this.epochAt(position),
      digest: this.digestAt(position),
      hardState: this.#end.hardState,
      admissions: this.#end.admissions.filter((admission) => admission.position < from),
    };
  }

  /** S7: neither a lower epoch nor, in the same one, another nominee. */
  #expectPromiseKept({ promise: after }: HardState): void {
    const { promise: before } = this.hardState;
    invariant(
      after.epoch > before.epoch ||
        (after.epoch === before.epoch && after.nominee === before.nominee),
      "a promise never goes back",
      { before, after },
    );
  }

  /**
   * Verifies about `bytesMax` bytes more of the entries that were applied when it was
   * opened, oldest first, and shows each to `visit`. To be called while there is
   * nothing better to do, until it is done. Throws what `damage` makes.
   */
  scrub(bytesMax: number, visit?: (entry: Entry) => void): ScrubProgress {
    const through = this.#scrubThrough ?? 0;
    const entries = this.entriesBetween(this.#scrubbed, through, bytesMax);
    for (const entry of entries) visit?.(entry);
    this.#scrubbed = entries.at(-1)?.position ?? this.#scrubbed;
    const done = this.#scrubbed >= through;
    return { done, verifiedThrough: done ? this.lastPosition : this.#scrubbed };
  }
}

/** Writes batches to the newest segment, and makes the next one when it is full. */
class SegmentWriter {
  readonly #options: JournalOptions;
  readonly #identity: JournalIdentity;
  #place: { readonly segment: Segment; readonly offset: number; readonly size: number } | null =
    null;
  #link: Link;
  /** The newest batch that is known to be on disk. */
  #settled: number;

  constructor(
    options: JournalOptions,
    identity: JournalIdentity,
    link: Link,
    at?: { readonly segment: Segment; readonly offset: number },
  ) {
    this.#options = options;
    this.#identity = identity;
    this.#link = link;
    this.#settled = link.sequence;
    if (at) this.#place = { ...at, size: options.files.size(at.segment.name) };
  }

  /** Where the next batch goes. */
  get place(): { readonly segment: Segment; readonly offset: number; readonly size: number } {
    invariant(this.#place !== null, "there is a segment");
    return this.#place;
  }

  /** Adds what changes to `base`, in one batch; gives what the journal amounts to then. */
  write(
    base: Base,
    entries: readonly Entry[],
    hardState: HardState | undefined,
    drops: boolean,
  ): Base {
    const { segment, offset, size } = this.place;
    // Its first write was cut short: it is made again, since only the first has a base.
    if (offset === HEADER_BYTES) return this.begin(segment.number, base, entries);
    const { frames, end } = this.#framesOf(base, entries);
    const promise: Frame[] = hardState ? [{ kind: "hard-state", hardState }] : [];
    const batch = new BatchWriter([...promise, ...frames]);
    const isFull = offset + batch.bytes + END_BATCH_BYTES > size;
    if (drops || isFull) return this.begin(segment.number + 1, base, entries);
    this.#append(batch);
    return end;
  }

  /** Makes a segment, ends the one before it, and goes on in the new one. S6 */
  begin(number: number, base: Base, entries: readonly Entry[]): Base {
    const { files, hashes, salt, segmentBytes = usualBytes(number) } = this.#options;
    const { frames, end } = this.#framesOf(base, entries);
    const batch = new BatchWriter([{ kind: "base", ...base }, ...frames]);
    const size = Math.max(segmentBytes, HEADER_BYTES + batch.bytes + END_BATCH_BYTES);
    const header = encodeHeader(hashes, { number, identity: this.#identity }, salt());
    const name = segmentName(number);
    const made = `${name}.new`;
    files.create(made, header, size);
    files.sync(made);
    files.rename(made, name);
    files.syncFolder();
    if (this.#place !== null && this.#place.segment.number < number) {
      this.#append(new BatchWriter([{ kind: "end" }]));
      this.sync();
      files.trim(this.#place.segment.name, this.#place.offset);
    }
    const seed = seedOf(header);
    this.#place = { segment: { number, name, seed, base }, offset: HEADER_BYTES, size };
    this.#append(batch);
    return end;
  }

  sync(): void {
    this.#options.files.sync(this.place.segment.name);
    this.#settled = this.#link.sequence;
  }

  #append(batch: BatchWriter): void {
    const { files, hashes, syncsEachWrite = true } = this.#options;
    const { segment, offset } = this.place;
    const { bytes, link } = batch.encode(hashes, segment.seed, this.#link, this.#settled);
    files.write(segment.name, offset, bytes);
    this.#link = link;
    this.#place = { ...this.place, offset: offset + bytes.length };
    if (syncsEachWrite) this.sync();
  }

  #framesOf(base: Base, entries: readonly Entry[]): { frames: Frame[]; end: Base } {
    const { hashes } = this.#options;
    let { position, epoch, digest } = base;
    const frames = entries.map((entry): Frame => {
      invariant(entry.position === position + 1, "entries are consecutive", {
        expected: position + 1,
        position: entry.position,
      });
      const row = rowOf(hashes, digest, entry);
      ({ position, epoch, digest } = row);
      return { kind: "entry", row };
    });
    const admitted = entries.map(admissionIn).filter((admission) => admission !== null);
    const admissions = admitted.length > 0 ? [...base.admissions, ...admitted] : base.admissions;
    return { frames, end: { ...base, position, epoch, digest, admissions } };
  }
}

function usualBytes(number: number): number {
  return Math.min(SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN * 2 ** (number - 1));
}
