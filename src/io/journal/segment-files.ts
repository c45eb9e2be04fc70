// The folder of a replica's segments on a disk: what core/journal/journal.ts asks
// for, done at once, with errors that say what the operator does next.
//
// Space is filled with zeros when a file is made, and not merely reserved: to write
// into reserved space changes what the file system remembers of it, and then
// fdatasync waits for two writes instead of one.

import { hash, randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  readdirSync,
  readSync,
  renameSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Hashes } from "../../core/journal/entries.ts";
import type { JournalOptions, SegmentFiles } from "../../core/journal/reader.ts";
import { SALT_BYTES, SEGMENT_FORMAT } from "../../core/journal/segment.ts";
import { openPrivateFile, UnusablePath } from "../private-files.ts";
import {
  DataFileError,
  DataFileTooNew,
  DataFileTooOld,
  JournalCorrupt,
  JournalFailed,
  JournalRefused,
} from "./errors.ts";
import { syncPath } from "./sqlite.ts";

export const HASHES: Hashes = {
  crc32: (bytes, seed) => crc32(bytes, seed),
  sha256: (bytes) => hash("sha256", bytes, "buffer"),
};

/** Files held open; the newest is written to, the others are read by who catches up. */
const OPEN_MAX = 8;
const ZEROS = new Uint8Array(256 * 1024);
/** What the system says when there is no room. */
const FULL: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT"]);

/** What a journal in `folder` needs besides. */
export function segmentsIn(folder: string): JournalOptions {
  return {
    files: new DiskFiles(folder),
    hashes: HASHES,
    salt: () => randomBytes(SALT_BYTES),
    damage: (name, position, what) =>
      new JournalCorrupt(name === null ? folder : join(folder, name), position, what),
    otherFormat(name, format) {
      const Other = format > SEGMENT_FORMAT ? DataFileTooNew : DataFileTooOld;
      return new Other(join(folder, name), format, SEGMENT_FORMAT);
    },
  };
}

class DiskFiles implements SegmentFiles {
  readonly #folder: string;
  /** By name; the one used last stands last. */
  readonly #open = new Map<string, number>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  list(): readonly string[] {
    return this.#trying("", () => readdirSync(this.#folder));
  }

  size(name: string): number {
    return this.#trying(name, () => fstatSync(this.#descriptor(name)).size);
  }

  read(name: string, offset: number, length: number): Uint8Array {
    return this.#trying(name, () => {
      const file = this.#descriptor(name);
      const bytes = new Uint8Array(Math.max(0, Math.min(length, fstatSync(file).size - offset)));
      let filled = 0;
      while (filled < bytes.length) {
        const count = readSync(file, bytes, filled, bytes.length - filled, offset + filled);
        if (count === 0) break;
        filled += count;
      }
      return bytes.subarray(0, filled);
    });
  }

  create(name: string, bytes: Uint8Array, size: number): void {
    this.#trying(name, () => {
      this.#close(name);
      const { O_CREAT, O_TRUNC, O_RDWR } = constants;
      const file = openPrivateFile(join(this.#folder, name), O_CREAT | O_TRUNC | O_RDWR);
      this.#open.set(name, file);
      writeAll(file, bytes, 0);
      for (let offset = bytes.length; offset < size; offset += ZEROS.length) {
        writeAll(file, ZEROS.subarray(0, size - offset), offset);
      }
    });
  }

  write(name: string, offset: number, bytes: Uint8Array): void {
    this.#trying(name, () => writeAll(this.#descriptor(name), bytes, offset));
  }

  trim(name: string, size: number): void {
    this.#trying(name, () => ftruncateSync(this.#descriptor(name), size));
  }

  sync(name: string): void {
    this.#trying(name, () => fdatasyncSync(this.#descriptor(name)));
  }

  rename(from: string, to: string): void {
    this.#trying(to, () => {
      this.#close(from);
      this.#close(to);
      renameSync(join(this.#folder, from), join(this.#folder, to));
    });
  }

  syncFolder(): void {
    this.#trying("", () => syncPath(this.#folder));
  }

  close(): void {
    for (const name of [...this.#open.keys()]) this.#close(name);
  }

  #close(name: string): void {
    const file = this.#open.get(name);
    this.#open.delete(name);
    if (file !== undefined) closeSync(file);
  }

  #descriptor(name: string): number {
    const held = this.#open.get(name);
    this.#open.delete(name);
    const file = held ?? openPrivateFile(join(this.#folder, name), constants.O_RDWR);
    this.#open.set(name, file);
    const [oldest] = this.#open.keys();
    if (this.#open.size > OPEN_MAX && oldest !== undefined) this.#close(oldest);
    return file;
  }

  #trying<T>(name: string, run: () => T): T {
    try {
      return run();
    } catch (error) {
      throw explained(join(this.#folder, name), error);
    }
  }
}

function writeAll(file: number, bytes: Uint8Array, offset: number): void {
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(file, bytes, written, bytes.length - written, offset + written);
  }
}

/** What an error of the system means for the operator. */
function explained(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof DataFileError || error instanceof UnusablePath)
    return error;
  const { code } = error as NodeJS.ErrnoException;
  if (FULL.has(code)) {
    return new JournalRefused(`${path}: the disk is full; free some space, then start again`, {
      cause: error,
    });
  }
  return new JournalFailed(`${path}: ${error.message}; check the disk, then start again`, {
    cause: error,
  });
}
