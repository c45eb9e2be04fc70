// The bytes of a segment: a header, then batches one after another, then zeros.
//
//   S1. A batch is one write, and counts as a whole or not at all: its checksum
//       is its last four bytes, over everything before.
//   S2. A crash tears only what wasn't on disk yet. Each batch says through which
//       one all were on disk before it was written; so a wrong batch that a later
//       one knew to be on disk is damage, and any other is a write cut short.
//   S3. One flipped bit is damage, also in the last batch: a write that is cut
//       short loses whole sectors. In a large batch some bit makes the checksum of
//       a write that was cut short right by chance; then its entries aren't chained.
//   S4. Bytes of an earlier use of the space are never taken for new ones. Every
//       checksum begins with that of the segment's header, which has a number and
//       a random salt; and a batch names the checksum of the one before it.
//
// A batch and not a frame has the checksum, since half a batch is worth nothing;
// an entry has its digest besides. What is more than one bit wrong in the last
// batch can't be told from a torn write.
//
// Longer than 400 lines because what is written is read beside it.
//
// Numbers are little-endian; positions, epochs, sequence numbers and times are
// float64, which every number in the program is.

import { invariant } from "../invariant.ts";
import type { Admission } from "../replication/admissions.ts";
import type { HardState, Incarnation, ReplicaId } from "../replication/types.ts";
import { DIGEST_BYTES, type EntryRow, type Hashes } from "./entries.ts";

/** Whose files these are. Written by the format step, never changed. */
export interface JournalIdentity {
  /** Random name of the cluster, the same in all its files. */
  readonly cluster: string;
  /** All its replicas, ascending; the journal's first entry names them, too. */
  readonly members: readonly ReplicaId[];
  readonly replica: ReplicaId;
  readonly incarnation: Incarnation;
}

export interface SegmentHeader {
  /** 1, 2, 3 … */
  readonly number: number;
  readonly identity: JournalIdentity;
}

/** Version of everything in this file. */
export const SEGMENT_FORMAT = 3;
/** A sector, so that no batch is written into one that the header is in. */
export const HEADER_BYTES = 512;
export const SALT_BYTES = 8;
const MAGIC = "bazjrnl\n";
/** Magic, format, number, salt, length of the identity. */
const IDENTITY_AT = 28;

/** Body length, checksum of the batch before, sequence number, settled, checksum of these. */
const BATCH_HEADER_BYTES = 28;
const CHECKSUM_BYTES = 4;
/** Batches begin at multiples of it, so that no checksum lies in two sectors. */
const ALIGNMENT = 8;
/** Kind and length. */
const FRAME_HEADER_BYTES = 5;
const ADMISSION_BYTES = 24;
const HARD_STATE_BYTES = 17;
/** Position, epoch, time, kind, digest. */
const ENTRY_HEAD_BYTES = 25 + DIGEST_BYTES;

/** Kinds of frames. Add numbers, never change one. */
const BASE = 1;
const PROMISE = 2;
const ENTRY = 3;
const END = 4;

/** What all segments before this one amount to; entries after `position` in them are dropped. */
export interface Base {
  readonly position: number;
  /** Of the entry there; 0 at position 0. */
  readonly epoch: number;
  /** The running digest there. */
  readonly digest: Uint8Array;
  readonly hardState: HardState;
  readonly admissions: readonly Admission[];
}

/** One thing that a batch says. The first frame of a segment, and no other, is its base. */
export type Frame =
  | ({ readonly kind: "base" } & Base)
  | { readonly kind: "hard-state"; readonly hardState: HardState }
  | { readonly kind: "entry"; readonly row: EntryRow }
  /** The journal goes on in the next segment. */
  | { readonly kind: "end" };

/** The end of a chain of batches; another one follows it. */
export interface Link {
  /** 0 before the first batch of a journal. */
  readonly sequence: number;
  readonly checksum: number;
}

export const FIRST_LINK: Link = { sequence: 0, checksum: 0 };

export interface Batch {
  readonly link: Link;
  /** Sequence number of a batch that was on disk when this one was written, with all before it. */
  readonly settled: number;
  readonly frames: readonly Frame[];
  /** Where the next one begins. */
  readonly end: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The first bytes of a segment. */
export function encodeHeader(
  { crc32 }: Hashes,
  { number, identity }: SegmentHeader,
  salt: Uint8Array,
): Uint8Array {
  const { cluster, members, replica, incarnation } = identity;
  const text = encoder.encode(JSON.stringify({ cluster, members, replica, incarnation }));
  const bytes = new Uint8Array(HEADER_BYTES);
  invariant(IDENTITY_AT + text.length + CHECKSUM_BYTES <= HEADER_BYTES, "an identity is short");
  const view = viewOf(bytes);
  bytes.set(encoder.encode(MAGIC));
  view.setUint32(8, SEGMENT_FORMAT, true);
  view.setUint32(12, number, true);
  bytes.set(salt.subarray(0, SALT_BYTES), 16);
  view.setUint32(24, text.length, true);
  bytes.set(text, IDENTITY_AT);
  const end = HEADER_BYTES - CHECKSUM_BYTES;
  view.setUint32(end, crc32(bytes.subarray(0, end), 0), true);
  return bytes;
}

/** A segment's header, with the checksum that those of its batches begin with. */
export interface ReadHeader extends SegmentHeader {
  readonly seed: number;
}

/** The header of a segment; a number is another format's; null if it isn't right. */
export function decodeHeader({ crc32 }: Hashes, bytes: Uint8Array): ReadHeader | number | null {
  if (bytes.length < HEADER_BYTES) return null;
  const view = viewOf(bytes);
  const end = HEADER_BYTES - CHECKSUM_BYTES;
  const isRight = view.getUint32(end, true) === crc32(bytes.subarray(0, end), 0);
  if (!isRight || decoder.decode(bytes.subarray(0, 8)) !== MAGIC) return null;
  const format = view.getUint32(8, true);
  if (format !== SEGMENT_FORMAT) return format;
  const length = view.getUint32(24, true);
  const text = decoder.decode(bytes.subarray(IDENTITY_AT, IDENTITY_AT + length));
  const identity: JournalIdentity = JSON.parse(text);
  return { number: view.getUint32(12, true), identity, seed: seedOf(bytes) };
}

/**
 * What the checksums of a segment's batches begin with: the checksum of its header. Not one over
 * the header with that in it: CRC-32 over anything and its CRC-32 is always the same.
 */
export function seedOf(header: Uint8Array): number {
  return viewOf(header).getUint32(HEADER_BYTES - CHECKSUM_BYTES, true);
}

/** Frames of one batch, put together before it is known where they go. */
export class BatchWriter {
  readonly #parts: Uint8Array[] = [];
  #bodyBytes = 0;

  constructor(frames: readonly Frame[]) {
    for (const frame of frames) {
      const part = encodeFrame(frame);
      this.#parts.push(part);
      this.#bodyBytes += part.length;
    }
  }

  /** What it takes in a segment. */
  get bytes(): number {
    return batchBytes(this.#bodyBytes);
  }

  /** The batch after `previous`; `settled`: the newest batch that is known to be on disk, as are all before it. */
  encode(
    { crc32 }: Hashes,
    seed: number,
    previous: Link,
    settled: number,
  ): { readonly bytes: Uint8Array; readonly link: Link } {
    const bytes = new Uint8Array(this.bytes);
    const view = viewOf(bytes);
    const sequence = previous.sequence + 1;
    view.setUint32(0, this.#bodyBytes, true);
    view.setUint32(4, previous.checksum, true);
    view.setFloat64(8, sequence, true);
    view.setFloat64(16, settled, true);
    view.setUint32(24, crc32(bytes.subarray(0, 24), seed), true); // with which that of the body goes on
    let at = BATCH_HEADER_BYTES;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    const end = bytes.length - CHECKSUM_BYTES;
    const checksum = crc32(bytes.subarray(BATCH_HEADER_BYTES, end), view.getUint32(24, true));
    view.setUint32(end, checksum, true);
    return { bytes, link: { sequence, checksum } };
  }
}

function batchBytes(bodyBytes: number): number {
  const bytes = BATCH_HEADER_BYTES + bodyBytes + CHECKSUM_BYTES;
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** Room that is kept at a segment's end for the batch that says so. */
export const END_BATCH_BYTES = batchBytes(FRAME_HEADER_BYTES);

function encodeFrame(frame: Frame): Uint8Array {
  switch (frame.kind) {
    case "base": {
      const { position, epoch, digest, hardState, admissions } = frame;
      const length = 16 + DIGEST_BYTES + HARD_STATE_BYTES + ADMISSION_BYTES * admissions.length;
      const { bytes, view } = newFrame(BASE, length);
      view.setFloat64(FRAME_HEADER_BYTES, position, true);
      view.setFloat64(FRAME_HEADER_BYTES + 8, epoch, true);
      bytes.set(digest, FRAME_HEADER_BYTES + 16);
      let at = FRAME_HEADER_BYTES + 16 + DIGEST_BYTES;
      putHardState(view, at, hardState);
      at += HARD_STATE_BYTES;
      for (const admission of admissions) {
        view.setFloat64(at, admission.position, true);
        view.setFloat64(at + 8, admission.replica, true);
        view.setFloat64(at + 16, admission.incarnation, true);
        at += ADMISSION_BYTES;
      }
      return bytes;
    }
    case "hard-state": {
      const { bytes, view } = newFrame(PROMISE, HARD_STATE_BYTES);
      putHardState(view, FRAME_HEADER_BYTES, frame.hardState);
      return bytes;
    }
    case "entry": {
      const { position, epoch, at, kind, body, digest } = frame.row;
      const { bytes, view } = newFrame(ENTRY, ENTRY_HEAD_BYTES + body.length);
      view.setFloat64(FRAME_HEADER_BYTES, position, true);
      view.setFloat64(FRAME_HEADER_BYTES + 8, epoch, true);
      view.setFloat64(FRAME_HEADER_BYTES + 16, at, true);
      bytes[FRAME_HEADER_BYTES + 24] = kind;
      bytes.set(digest, FRAME_HEADER_BYTES + 25);
      bytes.set(body, FRAME_HEADER_BYTES + ENTRY_HEAD_BYTES);
      return bytes;
    }
    case "end":
      return newFrame(END, 0).bytes;
  }
}

function newFrame(kind: number, length: number) {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + length);
  const view = viewOf(bytes);
  bytes[0] = kind;
  view.setUint32(1, length, true);
  return { bytes, view };
}

function putHardState(view: DataView, at: number, { promise, voter }: HardState): void {
  view.setFloat64(at, promise.epoch, true);
  view.setFloat64(at + 8, promise.nominee, true);
  view.setUint8(at + 16, voter ? 1 : 0);
}

function hardStateAt(view: DataView, at: number): HardState {
  return {
    promise: { epoch: view.getFloat64(at, true), nominee: view.getFloat64(at + 8, true) },
    voter: view.getUint8(at + 16) === 1,
  };
}

/** The frames of a body whose checksum is right; null if they aren't what a writer makes. */
function decodeFrames(body: Uint8Array): Frame[] | null {
  const view = viewOf(body);
  const frames: Frame[] = [];
  for (let at = 0; at < body.length; ) {
    if (at + FRAME_HEADER_BYTES > body.length) return null;
    const end = at + FRAME_HEADER_BYTES + view.getUint32(at + 1, true);
    if (end > body.length) return null;
    const frame = decodeFrame(body[at] as number, body.subarray(at + FRAME_HEADER_BYTES, end));
    if (frame === null) return null;
    frames.push(frame);
    at = end;
  }
  return frames;
}

function decodeFrame(kind: number, bytes: Uint8Array): Frame | null {
  const view = viewOf(bytes);
  switch (kind) {
    case BASE: {
      const at = 16 + DIGEST_BYTES;
      const rest = bytes.length - at - HARD_STATE_BYTES;
      if (rest < 0 || rest % ADMISSION_BYTES !== 0) return null;
      const admissions: Admission[] = [];
      for (let next = at + HARD_STATE_BYTES; next < bytes.length; next += ADMISSION_BYTES) {
        admissions.push({
          position: view.getFloat64(next, true),
          replica: view.getFloat64(next + 8, true),
          incarnation: view.getFloat64(next + 16, true),
        });
      }
      return {
        kind: "base",
        position: view.getFloat64(0, true),
        epoch: view.getFloat64(8, true),
        digest: bytes.slice(16, at),
        hardState: hardStateAt(view, at),
        admissions,
      };
    }
    case PROMISE:
      if (bytes.length !== HARD_STATE_BYTES) return null;
      return { kind: "hard-state", hardState: hardStateAt(view, 0) };
    case ENTRY: {
      if (bytes.length < ENTRY_HEAD_BYTES) return null;
      const row: EntryRow = {
        position: view.getFloat64(0, true),
        epoch: view.getFloat64(8, true),
        at: view.getFloat64(16, true),
        kind: bytes[24] as number,
        digest: bytes.slice(25, ENTRY_HEAD_BYTES),
        body: bytes.slice(ENTRY_HEAD_BYTES),
      };
      return { kind: "entry", row };
    }
    case END:
      return { kind: "end" };
    default:
      return null;
  }
}

interface BatchHeader {
  readonly bytes: number;
  readonly bodyBytes: number;
  readonly previous: number;
  readonly sequence: number;
  readonly settled: number;
  /** Of these fields; the batch's own goes on from it. */
  readonly checksum: number;
}

/** What a batch's header says if its checksum is right; else null. */
function headerAt(
  { crc32 }: Hashes,
  bytes: Uint8Array,
  offset: number,
  seed: number,
): BatchHeader | null {
  const header = bytes.subarray(offset, offset + BATCH_HEADER_BYTES);
  if (header.length < BATCH_HEADER_BYTES) return null;
  const view = viewOf(header);
  const bodyBytes = view.getUint32(0, true);
  // Space that was never used, which there is much of.
  if (bodyBytes === 0) return null;
  const checksum = view.getUint32(24, true);
  if (crc32(header.subarray(0, 24), seed) !== checksum) return null;
  return {
    bytes: batchBytes(bodyBytes),
    bodyBytes,
    previous: view.getUint32(4, true),
    sequence: view.getFloat64(8, true),
    settled: view.getFloat64(16, true),
    checksum,
  };
}

/** How many bytes the batch at `offset` takes, as its header says; null if that isn't right. */
export function bytesOfBatchAt(
  hashes: Hashes,
  bytes: Uint8Array,
  offset: number,
  seed: number,
): number | null {
  return headerAt(hashes, bytes, offset, seed)?.bytes ?? null;
}

/** What is where a batch may be. */
export type Found =
  | ({ readonly kind: "batch" } & Batch)
  /** No batch, or one that was cut short, unless a later one says that it was on disk. */
  | { readonly kind: "nothing" }
  | { readonly kind: "damage"; readonly what: string }
  /** Damage, if these are frames that follow what is before them; they are the batch's but for one bit. */
  | { readonly kind: "flipped"; readonly what: string; readonly frames: readonly Frame[] };

const FLIPPED = "a bit of a batch is wrong";

/**
 * Reads the batch at `offset`, which must follow `previous`; with null, whatever
 * batch is there.
 */
export function readBatch(
  hashes: Hashes,
  { bytes, seed }: { readonly bytes: Uint8Array; readonly seed: number },
  offset: number,
  previous: Link | null,
): Found {
  const header = headerAt(hashes, bytes, offset, seed);
  if (header === null) {
    const flipped = flippedBit(hashes, bytes, offset, offset + BATCH_HEADER_BYTES, seed); // S3
    return flipped === null ? { kind: "nothing" } : { kind: "damage", what: FLIPPED };
  }
  const { sequence, settled, bodyBytes } = header;
  const isNext =
    previous === null ||
    (sequence === previous.sequence + 1 && header.previous === previous.checksum);
  if (!isNext) return { kind: "nothing" }; // S4
  const end = offset + header.bytes;
  if (end > bytes.length) return { kind: "nothing" };
  const body = offset + BATCH_HEADER_BYTES;
  const checksum = viewOf(bytes).getUint32(end - CHECKSUM_BYTES, true);
  if (hashes.crc32(bytes.subarray(body, end - CHECKSUM_BYTES), header.checksum) !== checksum) {
    const flipped = flippedBit(hashes, bytes, body, end, header.checksum); // S3
    if (flipped === null) return { kind: "nothing" }; // S1
    const righted = bytes.slice(body, end);
    righted[flipped >> 3] = (righted[flipped >> 3] as number) ^ (1 << (flipped & 7));
    const frames = decodeFrames(righted.subarray(0, bodyBytes));
    return frames === null ? { kind: "nothing" } : { kind: "flipped", what: FLIPPED, frames };
  }
  const frames = decodeFrames(bytes.subarray(body, body + bodyBytes));
  if (frames === null) return { kind: "damage", what: "a batch says what no batch says" };
  return { kind: "batch", link: { sequence, checksum }, settled, frames, end };
}

/** S2: whether a batch behind `from` was written when `sequence` was on disk. */
export function knowsSettled(
  hashes: Hashes,
  { bytes, seed }: { readonly bytes: Uint8Array; readonly seed: number },
  from: number,
  sequence: number,
): boolean {
  const view = viewOf(bytes);
  for (let offset = from; offset + BATCH_HEADER_BYTES <= bytes.length; offset += ALIGNMENT) {
    if (view.getUint32(offset, true) === 0) continue; // as in most of the space
    const header = headerAt(hashes, bytes, offset, seed);
    if (header !== null && header.settled >= sequence && header.settled < header.sequence) {
      return true;
    }
  }
  return false;
}

const CRC_POLYNOMIAL = 0xedb88320;

/**
 * Which single bit, flipped, makes the bytes from `start` right, whose last four are
 * their checksum; null if none does. The checksum is linear: a flipped bit changes it
 * by a value that only tells how far from the end that bit is.
 */
function flippedBit(
  { crc32 }: Hashes,
  bytes: Uint8Array,
  start: number,
  end: number,
  seed: number,
): number | null {
  if (end > bytes.length) return null;
  const at = end - CHECKSUM_BYTES;
  const change = (crc32(bytes.subarray(start, at), seed) ^ viewOf(bytes).getUint32(at, true)) >>> 0;
  if ((change & (change - 1)) === 0) return 8 * (at - start) + 31 - Math.clz32(change);
  let effect = CRC_POLYNOMIAL;
  for (let bit = 8 * (at - start); bit > 0; bit--) {
    if (effect === change) return bit - 1;
    effect = ((effect >>> 1) ^ (effect & 1 ? CRC_POLYNOMIAL : 0)) >>> 0;
  }
  return null;
}
