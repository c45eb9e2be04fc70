// Those who read /events. Nobody waits for them: what one doesn't take in time
// lies in its socket's buffer, and after a while, or above a limit, the reader is
// dropped. When all places are taken, who comes gets that of the longest there:
// one that reads nothing can't be told from one that reads while the system's
// buffers take what it is sent. A reader that lost its place connects again by
// itself, and resumes where it was.

import type { ServerResponse } from "node:http";
import {
  READER_PLACE_MS,
  READER_UNREAD_BYTES_MAX,
  READER_UNREAD_MS,
  READERS_MAX,
} from "./events-limits.ts";
import type { Sent } from "./events-ring.ts";

/** What is needed of a response. */
export type ReaderSocket = Pick<
  ServerResponse,
  "write" | "end" | "destroy" | "destroyed" | "writableLength" | "once"
>;

interface Reader {
  readonly joinedMs: number;
  readonly mayRead: () => boolean;
  /** Whether it has had the first message. */
  hasBegun: boolean;
  /** Since when there has been something unread; null when there is nothing. */
  unreadSinceMs: number | null;
}

export class Readers {
  /** In the order in which they were let in. */
  readonly #readers = new Map<ReaderSocket, Reader>();
  readonly #unreadMax: number;
  readonly #nowMs: () => number;
  #dropped = 0;

  /** `nowMs`: milliseconds of a clock that never goes back. */
  constructor(options: { readonly nowMs: () => number; readonly unreadBytesMax?: number }) {
    this.#nowMs = options.nowMs;
    this.#unreadMax = options.unreadBytesMax ?? READER_UNREAD_BYTES_MAX;
  }

  get count(): number {
    return this.#readers.size;
  }

  /** Whether there is a place for one more, or one that can be taken. */
  get isOpen(): boolean {
    const oldest = this.#oldest;
    return (
      this.#readers.size < READERS_MAX ||
      (oldest !== null && this.#nowMs() - oldest.joinedMs >= READER_PLACE_MS)
    );
  }

  /** Readers that were too slow, or gave their place up, since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Lets it in, if isOpen: it has its place, and gets nothing before begin(). */
  join(reader: ReaderSocket, mayRead: () => boolean = () => true): void {
    if (reader.destroyed) return;
    const oldest = this.#oldest;
    if (this.#readers.size >= READERS_MAX && oldest) this.#drop(oldest.reader);
    const joinedMs = this.#nowMs();
    this.#readers.set(reader, { joinedMs, mayRead, hasBegun: false, unreadSinceMs: null });
    reader.once("close", () => this.#readers.delete(reader));
    reader.once("error", () => this.#readers.delete(reader));
  }

  /** From now on it gets every message, after `first`; if it is still there. */
  begin(reader: ReaderSocket, first: string): void {
    const known = this.#readers.get(reader);
    if (!known) return;
    known.hasBegun = true;
    this.#write(reader, known, first);
  }

  send(message: Sent): void {
    for (const [reader, known] of this.#readers) {
      if (known.hasBegun) this.#write(reader, known, message.text);
    }
  }

  /** Ends those that may read no more, though nothing be said. */
  endUnwanted(): void {
    for (const [reader, { mayRead }] of this.#readers) if (!mayRead()) this.#end(reader);
  }

  /** Ends all of them. */
  close(): void {
    for (const reader of this.#readers.keys()) reader.end();
    this.#readers.clear();
  }

  get #oldest(): { readonly reader: ReaderSocket; readonly joinedMs: number } | null {
    const { value } = this.#readers.entries().next();
    return value ? { reader: value[0], joinedMs: value[1].joinedMs } : null;
  }

  #end(reader: ReaderSocket): void {
    this.#readers.delete(reader);
    reader.end();
  }

  #write(reader: ReaderSocket, known: Reader, text: string): void {
    if (!known.mayRead()) {
      this.#end(reader);
      return;
    }
    if (reader.destroyed) {
      this.#readers.delete(reader);
      return;
    }
    if (this.#isSlow(reader, known)) {
      this.#drop(reader);
      return;
    }
    reader.write(text);
  }

  #isSlow(reader: ReaderSocket, known: Reader): boolean {
    if (reader.writableLength === 0) {
      known.unreadSinceMs = null;
      return false;
    }
    const nowMs = this.#nowMs();
    known.unreadSinceMs ??= nowMs;
    return (
      reader.writableLength > this.#unreadMax || nowMs - known.unreadSinceMs >= READER_UNREAD_MS
    );
  }

  #drop(reader: ReaderSocket): void {
    this.#readers.delete(reader);
    this.#dropped += 1;
    reader.destroy();
  }
}
