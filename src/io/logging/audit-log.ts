// The audit log: who did what, from where, and what was refused, a JSON line each.
//
// Unlike the log of a process it is never rolled away or shortened here: whoever
// moves the file away, to keep or to ship it, finds the next lines in a new one of
// its name. Several processes of one machine may share it: lines are appended whole.
//
//   L1. Nothing is done that couldn't be recorded: while the file can't be written,
//       `isWritable` is false, and its owner lets nobody in. What was under way when
//       that showed is done, and recorded once the file can be written again.
//   L2. Nothing waits for it: the lines of one turn of the event loop are written
//       together at its end.
//   L3. No secret stands in it: it is given names and numbers, never headers.

import { closeSync, fstatSync, openSync, statSync, writeSync } from "node:fs";
import type { Logger } from "pino";

/** Lines that wait while the file can't be written: those of what was under way, and few more. */
const LINES_WAITING_MAX = 10_000;
/** How often a file that couldn't be written is tried again, and one that was moved away is looked for. */
const RETRY_MS = 1_000;
const OWNER_ONLY = 0o600;

/** What one line says beside when and which process. Absent fields are left out. */
export interface AuditRecord {
  /** `trade`, `refused`, or the route or command. */
  readonly what: string;
  /** Name of the key; null: nobody in particular. */
  readonly who: string | null;
  /** Address of the client. */
  readonly from?: string | undefined;
  readonly [more: string]: string | number | null | undefined;
}

export class AuditLog {
  readonly #path: string;
  readonly #role: string;
  readonly #log: Logger;
  #file: number | null = null;
  #hasFailed = false;
  #isClosed = false;
  #lines: string[] = [];
  #dropped = 0;
  #isScheduled = false;
  #checkedMs = 0;
  readonly #timer: NodeJS.Timeout;

  /** Opens the file, or makes it. Throws the system's error when that can't be. */
  constructor(path: string, role: string, log: Logger) {
    this.#path = path;
    this.#role = role;
    this.#log = log;
    this.#file = openSync(path, "a", OWNER_ONLY);
    this.#timer = setInterval(() => this.#write(), RETRY_MS).unref();
  }

  /** Whether what is done now can be recorded. L1 */
  get isWritable(): boolean {
    return !this.#hasFailed;
  }

  record(record: AuditRecord): void {
    if (this.#lines.length >= LINES_WAITING_MAX) this.#dropped += 1;
    else this.#lines.push(this.#line(record));
    if (this.#isScheduled || this.#hasFailed) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#write();
    }); // L2
  }

  /** Writes what waits, and closes the file. */
  close(): void {
    clearInterval(this.#timer);
    this.#write();
    this.#isClosed = true;
    this.#closeFile();
  }

  #line(record: Readonly<Record<string, unknown>>): string {
    return `${JSON.stringify({ at: new Date().toISOString(), role: this.#role, ...record })}\n`;
  }

  #write(): void {
    if (this.#isClosed) return;
    try {
      this.#followMoved();
      this.#file ??= openSync(this.#path, "a", OWNER_ONLY);
      if (this.#dropped > 0) this.#lines.push(this.#line({ what: "lost", lines: this.#dropped }));
      this.#dropped = 0;
      // A full disk lets a file be opened: only a write tells.
      if (this.#hasFailed && this.#lines.length === 0) {
        this.#lines.push(this.#line({ what: "written again" }));
      }
      if (this.#lines.length > 0) this.#writeAll(this.#file);
    } catch (error) {
      this.#closeFile();
      if (!this.#hasFailed) {
        const what = "The audit log can't be written: nobody is let in until it can";
        this.#log.error({ err: error, path: this.#path }, what);
      }
      this.#hasFailed = true;
      return;
    }
    if (this.#hasFailed) this.#log.info({ path: this.#path }, "The audit log is written again");
    this.#hasFailed = false;
  }

  /** What isn't written when it throws stays for the next time. */
  #writeAll(file: number): void {
    const bytes = Buffer.from(this.#lines.join(""));
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(file, bytes, written);
    } finally {
      this.#lines = written < bytes.length ? [bytes.toString("utf8", written)] : [];
    }
  }

  /** Looks now and then whether the file was moved away. */
  #followMoved(): void {
    const nowMs = performance.now();
    if (this.#file === null || nowMs - this.#checkedMs < RETRY_MS) return;
    this.#checkedMs = nowMs;
    const there = statSync(this.#path, { throwIfNoEntry: false });
    if (there?.ino !== fstatSync(this.#file).ino) this.#closeFile();
  }

  #closeFile(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }
}
