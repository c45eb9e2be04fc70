// One connection to a Redis server, with no more of its protocol (RESP2) than
// copies need: commands one after the other, and of each reply the one form that
// it must have. No client library, since none bounds what a server may send: the
// header of nested lists alone ends a process that believes it.
//
//   - Whatever the server sends, no more is kept of it than one reply, a few
//     KiB. What can't be the reply that is due, and a reply that nothing was
//     asked for, end the connection.
//   - Commands end in the order in which they were sent, each once: with their
//     reply, refused, or lost with the connection.
//   - A reply that is late by COMMAND_LIMIT_MS ends the connection; what came
//     while this process was busy is read before it is judged late.
//
// https://redis.io/docs/latest/develop/reference/protocol-spec/

import { connect as connectPlain, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** A lookup waits this long for Redis before it goes on without. */
const COMMAND_LIMIT_MS = 200;
/** Bytes of a text in a reply: the longest copy is a fifth of it. */
export const TEXT_BYTES_MAX = 1_024;
/** Bytes of a line, as an error is. */
const LINE_BYTES_MAX = 512;
/** Texts in one reply: a setting is its name and its value. */
const TEXTS_MAX = 2;
/** Commands under way at once; further ones aren't sent. */
const COMMANDS_MAX = 10_000;
/** Bytes of commands that the server hasn't taken; further ones aren't sent. */
const UNSENT_BYTES_MAX = 8 * 1024 * 1024;

export interface RedisServerAddress {
  readonly host: string;
  readonly port: number;
  /** `rediss://` */
  readonly tls: boolean;
}

/** The form that a reply must have. A null text is one that isn't there. */
export interface Values {
  ok: true;
  count: number;
  text: string | null;
  texts: readonly string[];
}
export type Form = keyof Values;

/** How a command ended. */
export type Ended<F extends Form> =
  | { readonly kind: "replied"; readonly value: Values[F] }
  /** The server said no, in these words. */
  | { readonly kind: "refused"; readonly reason: string }
  /** It wasn't sent, or its fate is unknown. */
  | { readonly kind: "lost" };

interface Waiting {
  readonly form: Form;
  readonly sentAtMs: number;
  readonly ended: (end: Ended<Form>) => void;
}

const LOST = { kind: "lost" } as const;

export class RedisConnection {
  readonly #socket: Socket;
  readonly #onLost: (reason: string) => void;
  #isOpen = false;
  /** Oldest first. */
  #waiting: Waiting[] = [];
  #unsent = "";
  /** The beginning of the reply that is due. */
  #unread: Buffer = Buffer.alloc(0);
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** `onOpen` and `onLost` are called at most once each, neither after close(). */
  constructor(
    { host, port, tls }: RedisServerAddress,
    { onOpen, onLost }: { onOpen: () => void; onLost: (reason: string) => void },
  ) {
    this.#onLost = onLost;
    const servername = isIP(host) ? {} : { servername: host };
    this.#socket = tls ? connectTls({ host, port, ...servername }) : connectPlain({ host, port });
    this.#socket
      .setNoDelay(true)
      .once(tls ? "secureConnect" : "connect", () => {
        this.#isOpen = true;
        onOpen();
      })
      .on("data", (bytes) => this.#read(bytes as Buffer)) // there is no setEncoding()
      .on("error", (error: NodeJS.ErrnoException) => this.#lost(error.message || `${error.code}`))
      .on("close", () => this.#lost("the connection was closed"));
  }

  /** Sends a command at the end of the turn. `ended` may be called before this returns. */
  send<F extends Form>(form: F, args: readonly string[], ended: (end: Ended<F>) => void): void {
    const isFull =
      this.#waiting.length >= COMMANDS_MAX ||
      this.#unsent.length + this.#socket.writableLength > UNSENT_BYTES_MAX;
    if (!this.#isOpen || this.#isClosed || isFull) {
      ended(LOST);
      return;
    }
    if (this.#unsent === "") process.nextTick(() => this.#flush());
    this.#unsent += encoded(args);
    this.#waiting.push({
      form,
      sentAtMs: performance.now(),
      ended: ended as (end: Ended<Form>) => void, // #readReply() makes what the form says
    });
    if (this.#timer === undefined) this.#judgeIn(COMMAND_LIMIT_MS);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#socket.destroy();
    this.#unread = Buffer.alloc(0);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { ended } of waiting) ended(LOST);
  }

  #flush(): void {
    const text = this.#unsent;
    this.#unsent = "";
    if (!this.#isClosed) this.#socket.write(text);
  }

  #lost(reason: string): void {
    if (this.#isClosed) return;
    this.close();
    this.#onLost(reason);
  }

  // What comes back.

  #read(bytes: Buffer): void {
    const all = this.#unread.length > 0 ? Buffer.concat([this.#unread, bytes]) : bytes;
    let at = 0;
    while (at < all.length && !this.#isClosed) {
      const [first] = this.#waiting;
      const reply = first === undefined ? "wrong" : readReply(all, at, first.form);
      if (reply === "more") break;
      if (first === undefined || reply === "wrong") {
        this.#lost("it answered what is no answer");
        return;
      }
      at = reply.end;
      this.#waiting.shift();
      first.ended(reply.ended);
    }
    if (this.#isClosed) return;
    // A copy: what was read before it isn't kept along.
    this.#unread = Buffer.from(all.subarray(at));
  }

  #judgeIn(ms: number): void {
    // setImmediate runs once the sockets were read.
    this.#timer = setTimeout(() => setImmediate(() => this.#judge()), ms);
  }

  #judge(): void {
    this.#timer = undefined;
    const [oldest] = this.#waiting;
    if (oldest === undefined) return;
    const leftMs = oldest.sentAtMs + COMMAND_LIMIT_MS - performance.now();
    if (leftMs > 0) this.#judgeIn(leftMs);
    else this.#lost(`no answer within ${COMMAND_LIMIT_MS} ms`);
  }
}

/** A list of texts with their lengths: no text can be taken for another command. */
function encoded(args: readonly string[]): string {
  const texts = args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`);
  return `*${args.length}\r\n${texts.join("")}`;
}

type Reply = { readonly ended: Ended<Form>; readonly end: number } | "more" | "wrong";

/** The reply that begins at `at`, which is before the end of `bytes`. */
function readReply(bytes: Buffer, at: number, form: Form): Reply {
  const sign = String.fromCharCode(bytes[at] ?? 0);
  if (sign !== "-" && sign !== SIGNS[form]) return "wrong";
  const line = lineAt(bytes, at + 1);
  if (typeof line === "string") return line;
  const { text, end } = line;
  if (sign === "-") return { ended: { kind: "refused", reason: text }, end };
  switch (form) {
    case "ok":
      return text === "OK" ? { ended: { kind: "replied", value: true }, end } : "wrong";
    case "count":
      return /^\d{1,9}$/.test(text)
        ? { ended: { kind: "replied", value: Number(text) }, end }
        : "wrong";
    case "text":
      return textReply(bytes, at);
    case "texts": {
      const count = countIn(text, TEXTS_MAX);
      if (count === null) return "wrong";
      const values: string[] = [];
      let next = end;
      while (values.length < count) {
        const each = textAt(bytes, next);
        if (typeof each === "string") return each;
        if (each.text === null) return "wrong";
        values.push(each.text);
        next = each.end;
      }
      return { ended: { kind: "replied", value: values }, end: next };
    }
  }
}

const SIGNS: Readonly<Record<Form, string>> = { ok: "+", count: ":", text: "$", texts: "*" };

function textReply(bytes: Buffer, at: number): Reply {
  const read = textAt(bytes, at);
  if (typeof read === "string") return read;
  return { ended: { kind: "replied", value: read.text }, end: read.end };
}

/** `$5\r\nhello\r\n`, or `$-1\r\n` for a text that isn't there. */
function textAt(
  bytes: Buffer,
  at: number,
): { readonly text: string | null; readonly end: number } | "more" | "wrong" {
  if (at >= bytes.length) return "more";
  if (bytes[at] !== "$".charCodeAt(0)) return "wrong";
  const line = lineAt(bytes, at + 1);
  if (typeof line === "string") return line;
  if (line.text === "-1") return { text: null, end: line.end };
  const length = countIn(line.text, TEXT_BYTES_MAX);
  if (length === null) return "wrong";
  const end = line.end + length;
  if (bytes.length < end + 2) return "more";
  if (bytes.toString("latin1", end, end + 2) !== "\r\n") return "wrong";
  return { text: bytes.toString("utf8", line.end, end), end: end + 2 };
}

function countIn(text: string, max: number): number | null {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  return count <= max ? count : null;
}

function lineAt(
  bytes: Buffer,
  at: number,
): { readonly text: string; readonly end: number } | "more" | "wrong" {
  const window = bytes.subarray(at, at + LINE_BYTES_MAX);
  const length = window.indexOf("\r\n");
  if (length < 0) return window.length < LINE_BYTES_MAX ? "more" : "wrong";
  return { text: window.toString("utf8", 0, length), end: at + length + 2 };
}
