// Refuses a write-ahead log in which SQLite would drop acknowledged transactions.
//
// SQLite reads its log up to the first frame whose checksum is wrong and drops
// the rest without a word. That is right for the transaction that a crash tore,
// the last one. But each commit is on disk before the next one begins
// (synchronous = FULL), so a wrong frame with a further transaction behind it
// can't be a torn write: it is damage, and what would be dropped may have been
// acknowledged. So this looks before SQLite opens the file.
//
// What it can't tell is damage in the very last transaction from a torn write.
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
 * damaged before its last transaction. Without a log there is nothing to check.
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
  let offset = HEADER_BYTES;
  /** The first wrong frame, 1, 2, 3 …; 0 while there was none. */
  let wrong = 0;
  let commitsAfterWrong = 0;
  for (let index = 1; readSync(file, frame, 0, frame.length, offset) === frame.length; index++) {
    // The header was durable before this frame was written.
    if (!headerIsRight) throw damaged(path, "its header is wrong");
    offset += frame.length;
    const isOfThisLog =
      frame.readUInt32BE(8) === header.readUInt32BE(16) &&
      frame.readUInt32BE(12) === header.readUInt32BE(20);
    if (wrong === 0) {
      sum.add(frame, 0, 8);
      sum.add(frame, FRAME_HEADER_BYTES, pageBytes);
      if (!isOfThisLog || !sum.is(frame, 16)) wrong = index;
    }
    // Frames of an earlier log, long copied into the main file, may follow the last of this one.
    if (wrong === 0 || !isOfThisLog) continue;
    if (commitsAfterWrong > 0) throw damaged(path, `frame ${wrong} is wrong`);
    if (frame.readUInt32BE(4) !== 0) commitsAfterWrong++;
  }
}

function damaged(path: string, what: string): JournalCorrupt {
  return new JournalCorrupt(`${path}-wal`, null, `${what}, with committed writes behind it`);
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
