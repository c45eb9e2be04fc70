// Those who read /events. Nobody waits for them: what one doesn't take in time
// lies in its socket's buffer, and above a limit the reader is dropped. It
// connects again by itself, and resumes where it was.

import type { ServerResponse } from "node:http";
import { READER_UNREAD_BYTES_MAX, READERS_MAX } from "./events-limits.ts";
import type { Sent } from "./events-ring.ts";

/** What is needed of a response. */
export type ReaderSocket = Pick<
  ServerResponse,
  "write" | "end" | "destroy" | "destroyed" | "writableLength" | "once"
>;

export class Readers {
  /** Those that have been let in, and whether they have had the first message. */
  readonly #readers = new Map<ReaderSocket, boolean>();
  readonly #unreadMax: number;
  #dropped = 0;

  constructor(options: { readonly unreadBytesMax?: number } = {}) {
    this.#unreadMax = options.unreadBytesMax ?? READER_UNREAD_BYTES_MAX;
  }

  get count(): number {
    return this.#readers.size;
  }

  get isFull(): boolean {
    return this.#readers.size >= READERS_MAX;
  }

  /** Readers that were too slow, since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Lets it in: it has its place, and gets nothing before begin(). */
  join(reader: ReaderSocket): void {
    if (reader.destroyed) return;
    this.#readers.set(reader, false);
    reader.once("close", () => this.#readers.delete(reader));
    reader.once("error", () => this.#readers.delete(reader));
  }

  /** From now on it gets every message, after `first`; if it is still there. */
  begin(reader: ReaderSocket, first: string): void {
    if (!this.#readers.has(reader)) return;
    this.#readers.set(reader, true);
    this.#write(reader, first);
  }

  send(message: Sent): void {
    for (const [reader, hasBegun] of this.#readers) {
      if (hasBegun) this.#write(reader, message.text);
    }
  }

  /** Ends all of them. */
  close(): void {
    for (const reader of this.#readers.keys()) reader.end();
    this.#readers.clear();
  }

  #write(reader: ReaderSocket, text: string): void {
    if (reader.destroyed) {
      this.#readers.delete(reader);
      return;
    }
    if (reader.writableLength > this.#unreadMax) {
      this.#readers.delete(reader);
      this.#dropped += 1;
      reader.destroy();
      return;
    }
    reader.write(text);
  }
}
