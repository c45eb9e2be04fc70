// Reads the segments of a journal, also while its replica writes to them: where each
// begins is read at first, everything else when it is asked for, and verified then.
//
// Entries are found by an index of a few positions, which grows by what is read.

import type { Entry } from "../replication/types.ts";
import {
  areEqual,
  type EntryRow,
  entryOf,
  firstDigest,
  type Hashes,
  isChained,
} from "./entries.ts";
import {
  type Base,
  type Batch,
  bytesOfBatchAt,
  decodeHeader,
  END_BATCH_BYTES,
  HEADER_BYTES,
  type JournalIdentity,
  type Link,
  readBatch,
} from "./segment.ts";

/** A folder of files. Every call returns when it is done, and throws what the disk says. */
export interface SegmentFiles {
  /** Names of the files in the folder. */
  list(): readonly string[];
  /** The size of a file, bytes. */
  size(name: string): number;
  /** The bytes from `offset` on, as many as asked for or there are. */
  read(name: string, offset: number, length: number): Uint8Array;
  /** A file of this size, with space for all of it, that begins with `bytes`; what is in the rest doesn't matter. One of that name is replaced. */
  create(name: string, bytes: Uint8Array, size: number): void;
  write(name: string, offset: number, bytes: Uint8Array): void;
  /** Cuts a file; it needn't be durable. */
  trim(name: string, size: number): void;
  /** What was written to this file is on disk. */
  sync(name: string): void;
  rename(from: string, to: string): void;
  /** The names in the folder are on disk. */
  syncFolder(): void;
  close(): void;
}

export interface JournalOptions {
  readonly files: SegmentFiles;
  readonly hashes: Hashes;
  /** Random bytes for a segment, never the same. */
  readonly salt: () => Uint8Array;
  /** What to throw for damage in this file, at this position if it is in an entry. */
  readonly damage: (name: string | null, position: number | null, what: string) => Error;
  /** What to throw for a file of another format. */
  readonly otherFormat: (name: string, format: number) => Error;
  /** Whether each write is synced; else sync() says when. Default true. */
  readonly syncsEachWrite?: boolean;
  /** Size of a segment, bytes, in place of the usual ones; a larger write gets a larger one. */
  readonly segmentBytes?: number;
  /** Newest entries whose digests opening verifies at least. */
  readonly entriesVerifiedMin?: number;
}

/** Between two places that are remembered in a segment: an entry is found by reading so much. */
const INDEX_EVERY_BYTES = 64 * 1024;
/** Read at once. */
const WINDOW_BYTES = 128 * 1024;
/** What an entry takes beside its command, for limits in bytes. */
const ENTRY_OVERHEAD_BYTES = 64;

const ENDING = ".segment";
const DIGITS = 8;

/** The file of a segment: `00000001.segment`. */
export function segmentName(number: number): string {
  return `${number}`.padStart(DIGITS, "0") + ENDING;
}

export interface Segment {
  readonly number: number;
  readonly name: string;
  readonly seed: number;
  /** Null while it has no batch. */
  base: Base | null;
}

/** Where a batch is whose entries, if any, begin at `position`. */
export interface Place {
  readonly position: number;
  readonly segment: Segment;
  readonly offset: number;
}

/** Reads a journal that may be written to meanwhile: all entries but the newest batch's are there to be found. */
export class JournalReader {
  readonly identity: JournalIdentity;
  protected readonly options: JournalOptions;
  /** Ascending by number, without gaps. */
  protected readonly segments: Segment[];
  /** Ascending by position; what isn't dropped is found from the last one before it. */
  protected places: Place[] = [];
  #window: { name: string; start: number; bytes: Uint8Array } | null = null;
  /** The batch that was read last: a large one is asked for in many pieces. It never changes. */
  #batch: { readonly name: string; readonly offset: number; readonly found: Batch } | null = null;

  constructor(options: JournalOptions) {
    this.options = options;
    const { files, damage } = options;
    const names = files
      .list()
      .filter((name) => name.endsWith(ENDING))
      .toSorted();
    const headers = names.map((name) => this.#header(name));
    const [first] = headers;
    if (first === undefined) throw damage(null, null, "no segment is there");
    this.identity = first.identity;
    this.segments = headers.map(({ number, seed, identity }, index) => {
      const name = names[index] as string;
      if (number !== index + 1) {
        throw damage(segmentName(index + 1), null, "the segment is gone");
      }
      if (name !== segmentName(number) || !isSame(identity, first.identity)) {
        throw damage(name, null, "it is another journal's segment");
      }
      return { number, name, seed, base: null };
    });
    let empty: Segment | null = null;
    for (const segment of this.segments) {
      const found = this.batchAt(segment, HEADER_BYTES, null);
      if (found.kind !== "batch") {
        empty = segment;
        continue;
      }
      if (empty !== null)
        throw damage(empty.name, null, "its first write is wrong, with later ones behind it"); // S6
      const [base] = found.frames;
      if (base?.kind !== "base") throw damage(segment.name, null, "it has no base");
      this.begins(segment, base);
    }
  }

  #header(name: string) {
    const { files, hashes, damage, otherFormat } = this.options;
    const header = decodeHeader(hashes, files.read(name, 0, HEADER_BYTES));
    if (header === null) throw damage(name, null, "the header of the segment is wrong");
    if (typeof header === "number") throw otherFormat(name, header);
    return header;
  }

  /** The journal goes on in this segment: what was there after its base is dropped. */
  protected begins(segment: Segment, base: Base): void {
    segment.base = base;
    this.places = this.places.filter(({ position }) => position <= base.position);
    this.places.push({ position: base.position + 1, segment, offset: HEADER_BYTES });
  }

  /** Entries after `position`, about `bytesMax` bytes of them, at least one if there is any. */
  entriesBetween(position: number, last: number, bytesMax: number): Entry[] {
    const entries: Entry[] = [];
    let bytes = 0;
    for (const row of this.rows(position, last)) {
      const entry = this.entryOf(row);
      bytes += ENTRY_OVERHEAD_BYTES + (entry.body.kind === "command" ? row.body.length : 0);
      if (bytes > bytesMax && entries.length > 0) break;
      entries.push(entry);
    }
    return entries;
  }

  /** The entries from `position + 1` to `last`, which are there, each verified as it comes. Throws what `damage` makes. */
  *rows(position: number, last: number): Generator<EntryRow> {
    const { hashes, damage } = this.options;
    let index = this.places.findLastIndex((place) => place.position <= Math.max(position, 1));
    let digest = position === 0 ? firstDigest(hashes, this.identity.cluster) : null;
    let at = position;
    while (at < last) {
      const place = this.places[index];
      if (place === undefined) throw damage(null, at + 1, "the entry is gone");
      const before = this.places[index + 1]?.position ?? Number.POSITIVE_INFINITY;
      const isFull = (): boolean => at >= last || (at + 1 >= before && digest !== null);
      let indexed = place.offset;
      let next = place.position;
      for (let offset = place.offset; !isFull(); ) {
        if (offset - indexed >= INDEX_EVERY_BYTES && next < before) {
          // To be found at once the next time, also what is before the entry that is looked for now.
          this.places.splice(++index, 0, { ...place, position: next, offset });
          indexed = offset;
        }
        const found = this.#heldBatchAt(place.segment, offset, at + 1);
        offset = found.end;
        for (const frame of found.frames) {
          if (frame.kind === "base" && frame.position === at) {
            if (digest !== null && !areEqual(digest, frame.digest)) {
              throw damage(place.segment.name, at, "the checksum is wrong");
            }
            digest = frame.digest;
          }
          if (frame.kind === "end") throw damage(place.segment.name, at + 1, "the entry is gone");
          if (frame.kind !== "entry") continue;
          const { row } = frame;
          next = row.position + 1;
          if (row.position > last || row.position >= before) continue;
          if (row.position === position) digest = row.digest;
          if (row.position <= at) continue;
          if (row.position !== at + 1)
            throw damage(place.segment.name, at + 1, "the entry is gone");
          if (digest === null || !isChained(hashes, digest, row)) {
            throw damage(place.segment.name, row.position, "the checksum is wrong");
          }
          digest = row.digest;
          at = row.position;
          yield row;
        }
      }
      index++;
    }
  }

  /** The entry of a row. */
  entryOf(row: EntryRow): Entry {
    const entry = entryOf(row);
    if (entry !== null) return entry;
    throw this.options.damage(null, row.position, `there is no entry of kind ${row.kind}`);
  }

  /** The batch at an offset, in which `position` is looked for. */
  #heldBatchAt(segment: Segment, offset: number, position: number): Batch {
    const { name } = segment;
    if (this.#batch?.name === name && this.#batch.offset === offset) return this.#batch.found;
    const found = this.batchAt(segment, offset, null);
    if (found.kind !== "batch") {
      const what = found.kind === "nothing" ? "the entry is gone" : found.what;
      throw this.options.damage(name, position, what);
    }
    this.#batch = { name, offset, found };
    return found;
  }

  /** The batch at an offset, read with what is around it. */
  protected batchAt(segment: Segment, offset: number, previous: Link | null) {
    const { hashes } = this.options;
    const { seed } = segment;
    let { bytes, at } = this.#windowAt(segment.name, offset, END_BATCH_BYTES);
    const length = bytesOfBatchAt(hashes, bytes, at, seed);
    if (length !== null && at + length > bytes.length) {
      ({ bytes, at } = this.#windowAt(segment.name, offset, length));
    }
    const found = readBatch(hashes, { bytes, seed }, at, previous);
    return found.kind === "batch" ? { ...found, end: offset + found.end - at } : found;
  }

  #windowAt(name: string, offset: number, length: number) {
    const held = this.#window;
    const isHeld =
      held?.name === name &&
      held.start <= offset &&
      offset + length <= held.start + held.bytes.length;
    if (isHeld) return { bytes: held.bytes, at: offset - held.start };
    const bytes = this.options.files.read(name, offset, Math.max(length, WINDOW_BYTES));
    this.#window = { name, start: offset, bytes };
    return { bytes, at: 0 };
  }

  /** What was read may have changed. */
  protected forgetWindow(): void {
    this.#window = null;
  }

  close(): void {
    this.options.files.close();
  }
}

/** Whether two segments are of one journal. */
function isSame(a: JournalIdentity, b: JournalIdentity): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
