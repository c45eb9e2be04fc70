// A log file that stays small: full, it becomes NAME.1, the one before NAME.2
// and so on, the oldest is deleted, and NAME is begun anew.
//
//   1. NAME is always the newest, so `tail -F NAME` follows it over a roll.
//   2. A line is with the operating system when write() returns: neither an exit
//      nor a kill -9 loses one. (At 5 µs a line there is no need to buffer.)
//   3. A disk that is full or fails costs log lines, never the process.
//
// pino-roll was measured and left: it brings date-fns, 16 MB and 140 ms a
// process (29 MB as a worker thread), and numbers the newest file, not the old.

import { closeSync, constants, fstatSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { openPrivateFile, privateFolder } from "../private-files.ts";

/** Size at which a log file is rolled, in bytes: a day at level info, opened by any editor. */
export const LOG_FILE_BYTES_MAX = 10 * 1024 * 1024;
/** Files kept of one log, the newest included. */
export const LOG_FILES_MAX = 5;
const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;

export interface RollingFileOptions {
  readonly path: string;
  readonly fileBytesMax?: number;
  readonly filesMax?: number;
  /** Told of failures, one a line or a roll at most; default: a line on stderr, the first time. */
  readonly onError?: (error: Error) => void;
}

export class RollingFile {
  readonly #path: string;
  readonly #fileBytesMax: number;
  readonly #filesMax: number;
  readonly #onError: (error: Error) => void;
  #file: number;
  /** In the newest file. */
  #bytes: number;
  /** A disk that became full took the beginning of a line. */
  #endsInLine = false;

  /**
   * Opens or makes the file and its folder, for this user alone. Throws
   * UnusablePath or the system's error when that can't be done.
   */
  constructor(options: RollingFileOptions) {
    this.#path = options.path;
    this.#fileBytesMax = options.fileBytesMax ?? LOG_FILE_BYTES_MAX;
    this.#filesMax = options.filesMax ?? LOG_FILES_MAX;
    this.#onError = options.onError ?? onceToStderr(options.path);
    privateFolder(dirname(this.#path));
    this.#file = openPrivateFile(this.#path, APPEND);
    this.#bytes = fstatSync(this.#file).size;
  }

  /** Appends a line, its newline included. */
  write(line: string): void {
    const bytes = Buffer.from(this.#endsInLine ? `\n${line}` : line);
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#file, bytes, written);
    } catch (error) {
      this.#failed(error);
    }
    if (written > 0) this.#endsInLine = written < bytes.length;
    this.#bytes += bytes.length; // what was lost, too: the next file may be on a disk with room
    if (this.#bytes >= this.#fileBytesMax) this.#roll();
  }

  close(): void {
    closeSync(this.#file);
  }

  #roll(): void {
    // Begun from 0 whatever happens: a roll that fails is tried again a file's worth later.
    this.#bytes = 0;
    try {
      // Renaming over the last name is what deletes the oldest.
      for (let number = this.#filesMax - 1; number >= 1; number -= 1) {
        renameIfThere(
          number === 1 ? this.#path : `${this.#path}.${number - 1}`,
          `${this.#path}.${number}`,
        );
      }
      const next = openPrivateFile(this.#path, APPEND);
      closeSync(this.#file);
      this.#file = next;
      this.#endsInLine = false;
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    this.#onError(error instanceof Error ? error : new Error(String(error)));
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}

function onceToStderr(path: string): (error: Error) => void {
  let told = false;
  return (error) => {
    if (told) return;
    told = true;
    process.stderr.write(`${path}: log lines are being lost: ${error.message}\n`);
  };
}
