// Refuses a write-ahead log in which SQLite would drop acknowledged transactions.
//
// SQLite reads its log up to the first frame whose checksum is wrong and drops
// the rest without a word. That is right for the transaction that a crash tore,
// the last one. But each commit is on disk before the next one begins
// (synchronous = FULL), so a wrong frame with a further transaction behind it
// can't be a torn write: it is damage, and what would be dropped may have been
// acknowledged. So this looks before SQLite opens the file.
//
// In the last transaction a wrong frame is a torn write, unless one flipped bit
// makes it right: a write that a power cut tears loses whole sectors. What it
// can't tell from a torn write is more damage than that in the last transaction.
//
// Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log

import { closeSync, openSync, readSync } from "node:fs";
import { JournalCorrupt } from "./errors.ts";

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The last bit of the magic number says in which order checksums read their words. */
const MAGIC = 0x377f0682;
const FORMAT_VERSION = 3_007_000;

/**
 * Throws JournalCorrupt if the write-ahead log of the database at `path` is
 * damaged before its last transaction, or by one bit in it. Without a log there
 * is nothing to check.
 * Call it while no connection is open.
 */
export function checkWriteAheadLog(path: string): void {
  const file = openIfThere(`${path}-wal`);
  if (file === null) return;
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    // The header is made durable before the first frame is written: without all of it there was no commit.
    if (readSync(file, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return;
    checkFrames(path, file, header);
  } finally {
    closeSync(file);
  }
}

function checkFrames(path: string, file: number, header: Buffer): void {
  const magic = header.readUInt32BE(0);
  const pageBytes = header.readUInt32BE(8);
  const sum = new WalChecksum((magic & 1) === 1);
  sum.add(header, 0, 24);
  const headerIsRight =
    (magic & ~1) >>> 0 === MAGIC && header.readUInt32BE(4) === FORMAT_VERSION && sum.is(header, 24);
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + (headerIsRight ? pageBytes : 1));
  const isOfThisLog = (): boolean => frame.compare(header, 16, 24, 8, 16) === 0;
  let offset = HEADER_BYTES;
  let wrong: WrongFrame | null = null;
  let commitsAfterWrong = 0;
  for (let index = 1; readSync(file, frame, 0, frame.length, offset) === frame.length; index++) {
    // The header was durable before this frame was written.
    if (!headerIsRight) throw damaged(path, "its header is wrong, with committed writes behind it");
    offset += frame.length;
    if (wrong === null) {
      const before = sum.copy();
      sum.addFrame(frame);
      if (!isOfThisLog() || !sum.is(frame, 16))
        wrong = { index, bytes: Buffer.from(frame), before };
    }
    // Frames of an earlier log, long copied into the main file, may follow the last of this one.
    if (wrong === null || !isOfThisLog()) continue;
    if (commitsAfterWrong > 0) {
      throw damaged(path, `frame ${wrong.index} is wrong, with committed writes behind it`);
    }
    if (frame.readUInt32BE(4) !== 0) commitsAfterWrong++;
  }
  if (wrong !== null && isOneBitOff(wrong, header)) {
    throw damaged(path, `a bit of frame ${wrong.index} is wrong`);
  }
}

/** The first frame of a log that is wrong. */
interface WrongFrame {
  /** 1, 2, 3 … */
  readonly index: number;
  readonly bytes: Buffer;
  /** The checksum of all before it. */
  readonly before: WalChecksum;
}

/** Whether some single bit, flipped, makes a wrong frame right. */
function isOneBitOff({ bytes, before }: WrongFrame, header: Buffer): boolean {
  const saltBits = bitsBetween(bytes, 8, header, 16, 8);
  if (saltBits > 1) return false; // of an earlier log
  const isRight = (): boolean => {
    const sum = before.copy();
    sum.addFrame(bytes);
    return sum.is(bytes, 16);
  };
  if (saltBits === 1) return isRight();
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flip = (): void => {
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
    };
    flip();
    if (isRight()) return true;
    flip();
  }
  return false;
}

function bitsBetween(a: Buffer, aStart: number, b: Buffer, bStart: number, length: number): number {
  let bits = 0;
  for (let index = 0; index < length; index++) {
    for (
      let rest = a.readUInt8(aStart + index) ^ b.readUInt8(bStart + index);
      rest;
      rest &= rest - 1
    )
      bits++;
  }
  return bits;
}

function damaged(path: string, what: string): JournalCorrupt {
  return new JournalCorrupt(`${path}-wal`, null, what);
}

function openIfThere(path: string): number | null {
  try {
    return openSync(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/** SQLite's running checksum: two sums of 32 bits, each fed by the other. */
class WalChecksum {
  readonly #bigEndian: boolean;
  #first = 0;
  #second = 0;

  constructor(bigEndian: boolean) {
    this.#bigEndian = bigEndian;
  }

  copy(): WalChecksum {
    const copy = new WalChecksum(this.#bigEndian);
    copy.#first = this.#first;
    copy.#second = this.#second;
    return copy;
  }

  /** All of a frame that is summed: not its salt, nor the sum itself. */
  addFrame(frame: Buffer): void {
    this.add(frame, 0, 8);
    this.add(frame, FRAME_HEADER_BYTES, frame.length - FRAME_HEADER_BYTES);
  }

  /** `length` is a multiple of 8. */
  add(bytes: Buffer, start: number, length: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset + start, length);
    const littleEndian = !this.#bigEndian;
    let first = this.#first;
    let second = this.#second;
    for (let offset = 0; offset < length; offset += 8) {
      first = (first + view.getUint32(offset, littleEndian) + second) >>> 0;
      second = (second + view.getUint32(offset + 4, littleEndian) + first) >>> 0;
    }
    this.#first = first;
    this.#second = second;
  }

  /** Whether the sums are those stored at `offset`. */
  is(bytes: Buffer, offset: number): boolean {
    return (
      this.#first === bytes.readUInt32BE(offset) && this.#second === bytes.readUInt32BE(offset + 4)
    );
  }
}
