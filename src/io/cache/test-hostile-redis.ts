// A Redis for tests that can't be trusted: it carries out what it is told, as a
// real one does, and then answers in one of many wrong ways. Which one can be
// changed while it runs.

import { type AddressInfo, createServer, type Socket } from "node:net";
import type { StockCopies, StockCopy } from "./types.ts";

/** One command, and what a good server would say to it. */
export interface HostileAsked {
  readonly command: string;
  readonly args: readonly string[];
  readonly honest: string;
  /** Every value ever set, by key, oldest first. */
  readonly history: ReadonlyMap<string, readonly string[]>;
  readonly socket: Socket;
  /** Bytes from the server's seed. */
  readonly random: (bytes: number) => Buffer;
}

/** What is answered; null says nothing, now or ever. */
type Answer = string | Buffer | null;

export interface Hostility {
  readonly what: string;
  readonly answer: (asked: HostileAsked) => Answer;
  /** Told of each connection before anything is asked. */
  readonly greets?: (socket: Socket, random: HostileAsked["random"]) => void;
}

/** Instead of a text, where one is asked for; everything else is honest. */
function instead(what: string, answer: (asked: HostileAsked) => Answer): Hostility {
  return { what, answer: (asked) => (asked.command === "GET" ? answer(asked) : asked.honest) };
}

function always(what: string, answer: (asked: HostileAsked) => Answer): Hostility {
  return { what, answer };
}

function on(command: string, what: string, answer: (asked: HostileAsked) => Answer): Hostility {
  return { what, answer: (asked) => (asked.command === command ? answer(asked) : asked.honest) };
}

export function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

/** What was set under the key that is asked for, changed; honest where there was nothing. */
function spoilt(change: (value: string) => string): (asked: HostileAsked) => Answer {
  return ({ args, history, honest }) => {
    const value = history.get(args[0] ?? "")?.at(-1);
    return value === undefined ? honest : bulk(change(value));
  };
}

/** Bytes written for as long as somebody takes them. */
function endless(socket: Socket, bytes: () => Buffer): null {
  const write = (): void => {
    while (!socket.destroyed && socket.write(bytes())) {}
  };
  socket.on("drain", write);
  write();
  return null;
}

const MEBIBYTE = Buffer.alloc(1 << 20, "x");
/** `FishCo` in `bazaar:…:1:FishCo`. */
const stockOf = (key: string): string => key.slice(key.lastIndexOf(":") + 1);

export const HOSTILITIES: readonly Hostility[] = [
  // Of the right form, and not what was put there.
  instead("a page of HTML as the text", () => bulk("<html><body>502 Bad Gateway</body></html>")),
  instead("another stock's copy", ({ args: [key = ""], history, honest }) => {
    const other = [...history].find(([each]) => stockOf(each) !== stockOf(key));
    return other ? bulk(other[1].at(-1) ?? "") : honest;
  }),
  instead("an earlier copy of the same stock", ({ args: [key = ""], history, honest }) => {
    const [earliest] = history.get(key) ?? [];
    return earliest === undefined ? honest : bulk(earliest);
  }),
  instead(
    "a copy of the stock from an earlier session",
    ({ args: [key = ""], history, honest }) => {
      const earlier = [...history].find(([each]) => each !== key && stockOf(each) === stockOf(key));
      return earlier ? bulk(earlier[1].at(-1) ?? "") : honest;
    },
  ),
  instead("an empty text", () => bulk("")),
  instead("a space", () => bulk(" ")),
  instead("nothing, ever", () => "$-1\r\n"),
  instead(
    "a body without its seal",
    spoilt((value) => value.slice(value.indexOf(" ") + 1)),
  ),
  instead(
    "a body with a bit turned",
    spoilt((value) => value.replace('"quantity":', '"quantity":1')),
  ),
  instead(
    "half a body",
    spoilt((value) => value.slice(0, value.length / 2)),
  ),
  instead(
    "a body with more behind it",
    spoilt((value) => `${value} `),
  ),
  instead(
    "a later position",
    spoilt((value) => value.replace(/ \d+ /, " 9007199254740991 ")),
  ),
  instead(
    "a seal without a body",
    spoilt((value) => value.slice(0, value.indexOf(" "))),
  ),
  instead("a text of zeros", () => bulk("\0".repeat(100))),
  instead("a text that is no UTF-8", () => Buffer.from("$4\r\n\xff\xfe\xc3\x28\r\n", "latin1")),
  // Of another form.
  always("a page of HTML", () => "HTTP/1.1 400 Bad Request\r\n\r\n<html></html>\r\n"),
  instead("a whole number", () => ":1\r\n"),
  instead("a number below zero", () => ":-1\r\n"),
  instead("a status", () => "+OK\r\n"),
  instead("a map", () => "%1\r\n+a\r\n+b\r\n"),
  instead("a set", () => "~1\r\n+a\r\n"),
  instead("a push", () => ">1\r\n+a\r\n"),
  instead("true", () => "#t\r\n"),
  instead("a null of RESP3", () => "_\r\n"),
  instead("a fraction", () => ",1.5\r\n"),
  instead("a large number of RESP3", () => "(123456789012345678901234567890\r\n"),
  instead("an error of RESP3", () => "!5\r\nERR a\r\n"),
  instead("a verbatim text", ({ honest }) => `=${honest.slice(1)}`),
  instead("an attribute before the text", ({ honest }) => `|1\r\n+a\r\n+b\r\n${honest}`),
  instead("a streamed text", () => "$?\r\n;4\r\nabcd\r\n;0\r\n"),
  instead("a list with the text in it", ({ honest }) => `*1\r\n${honest}`),
  instead("an empty list", () => "*0\r\n"),
  instead("a null list", () => "*-1\r\n"),
  instead("a million lists in each other", () => "*1\r\n".repeat(1_000_000)),
  instead("a list of four billion lists of four billion", () => "*4294967295\r\n".repeat(10)),
  instead("ends of lines without carriage returns", ({ honest }) => honest.replaceAll("\r", "")),
  // Lengths.
  instead("a text of half a gigabyte, of which some comes", ({ socket }) => {
    socket.write("$536870912\r\n");
    return endless(socket, () => MEBIBYTE);
  }),
  instead("a length that is too short", ({ honest }) => honest.replace(/^\$\d+/, "$5")),
  instead("a length that is too long", ({ honest }) => honest.replace(/^\$\d+/, "$1000")),
  instead("a length below nothing", () => "$-2\r\n"),
  instead("a length past all numbers", () => `$${"9".repeat(400)}\r\n`),
  instead("a length that is no number", () => "$abc\r\n"),
  instead("a length in exponents", () => "$1e3\r\n"),
  instead("no length", () => "$\r\n"),
  instead("half a reply, and then silence", ({ honest }) => honest.slice(0, honest.length / 2)),
  instead("a line without end", ({ socket }) => endless(socket, () => MEBIBYTE)),
  instead("an error without end", ({ socket }) => {
    socket.write("-ERR ");
    return endless(socket, () => MEBIBYTE);
  }),
  // Errors.
  always("no to everything", () => "-ERR no\r\n"),
  instead("an error that a terminal obeys", () => "-ERR \x1b[2J\x1b]0;owned\x07\r\n"),
  instead("that the key is elsewhere", () => "-MOVED 3999 127.0.0.1:6381\r\n"),
  instead("that the key holds something else", () => "-WRONGTYPE Operation against a key\r\n"),
  on("SET", "no to every copy", () => "-OOM command not allowed\r\n"),
  on("DEL", "no to every drop", () => "-NOPERM no permissions to run the 'del' command\r\n"),
  // Drops and copies that it lies about; see what it does with them below.
  on("DEL", "a list for a drop", () => "*1\r\n:1\r\n"),
  on("DEL", "a drop of less than nothing", () => ":-5\r\n"),
  on("DEL", "a drop of more than there was", () => ":999999999\r\n"),
  on("DEL", "a drop of more than can be counted", () => `:${"9".repeat(30)}\r\n`),
  on("SET", "a text for a copy", () => bulk("OK")),
  on("SET", "another status for a copy", () => "+QUEUED\r\n"),
  on(
    "CONFIG",
    "a setting of a megabyte",
    () => `*2\r\n${bulk("maxmemory")}${bulk("9".repeat(1 << 20))}`,
  ),
  on("CONFIG", "settings in each other", () => "*2\r\n*2\r\n*2\r\n"),
  on("CONFIG", "a hundred settings", () => `*100\r\n${bulk("a").repeat(100)}`),
  // Order and number.
  always("every reply twice", ({ honest }) => honest + honest),
  always("every reply with one more behind it", ({ honest }) => `${honest}$-1\r\n`),
  {
    what: "replies before anything is asked",
    answer: ({ honest }) => honest,
    greets: (socket) => socket.write("+OK\r\n*0\r\n$5\r\nhello\r\n"),
  },
  {
    what: "a greeting of another protocol",
    answer: ({ honest }) => honest,
    greets: (socket) => socket.write("SSH-2.0-OpenSSH_9.6\r\n"),
  },
  // The connection.
  always("nothing at all", () => null),
  instead("the text byte by byte", ({ honest, socket }) => {
    for (const byte of Buffer.from(honest)) socket.write(Buffer.of(byte));
    return null;
  }),
  instead("a reset", ({ socket }) => {
    socket.resetAndDestroy();
    return null;
  }),
  instead("the end of the connection in the middle of a reply", ({ socket, honest }) => {
    socket.end(honest.slice(0, 4));
    return null;
  }),
  {
    what: "the end of each connection at once",
    answer: () => null,
    greets: (socket) => socket.destroy(),
  },
  // Chance.
  always("bytes by chance", ({ random }) => random(200)),
  instead("bytes by chance instead of a text", ({ random }) => random(4_000)),
  instead("a text of bytes by chance", ({ random }) =>
    Buffer.concat([Buffer.from("$100\r\n"), random(100), Buffer.from("\r\n")]),
  ),
  instead("the text with bytes changed by chance", ({ honest, random }) => {
    const bytes = Buffer.from(honest);
    const [at = 0, value = 0] = random(2);
    if (bytes.length > 0) bytes[at % bytes.length] = value;
    return bytes;
  }),
  {
    what: "bytes by chance without end",
    answer: () => null,
    greets: (socket, random) => endless(socket, () => random(1 << 16)),
  },
];

/** Drops are confirmed and not done; copies are kept as they were set first. */
export const LIES: readonly Hostility[] = [
  on("DEL", "that it dropped what it keeps", () => ":1\r\n"),
];

export interface HostileRedis {
  readonly port: number;
  readonly url: string;
  /** Commands that it was sent. */
  readonly commands: number;
  /** From now on, on connections that are open as well. */
  be(hostility: Hostility): void;
  close(): Promise<void>;
}

/** Listens on a free port; honest until told otherwise. */
export async function hostileRedis(seed = 1): Promise<HostileRedis> {
  let hostility: Hostility = HONEST;
  let commands = 0;
  const random = randomBytes(seed);
  const values = new Map<string, string>();
  const history = new Map<string, string[]>();
  const sockets = new Set<Socket>();

  function honestly(command: string, args: readonly string[]): string {
    const [key = "", value = ""] = args;
    switch (command) {
      case "GET": {
        const found = values.get(key);
        return found === undefined ? "$-1\r\n" : bulk(found);
      }
      case "SET":
        values.set(key, value);
        history.set(key, [...(history.get(key) ?? []), value].slice(-100));
        return "+OK\r\n";
      case "DEL": {
        const count = args.filter((each) => values.has(each)).length;
        if (!LIES.includes(hostility)) for (const each of args) values.delete(each);
        return `:${count}\r\n`;
      }
      case "CONFIG":
        return key === "GET" ? `*2\r\n${bulk(value)}${bulk("0")}` : "+OK\r\n";
      default:
        return "+OK\r\n";
    }
  }

  const server = createServer((socket) => {
    sockets.add(socket);
    let unread = "";
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    hostility.greets?.(socket, random);
    socket.setEncoding("latin1").on("data", (text) => {
      unread += text;
      for (let read = commandIn(unread); read !== null; read = commandIn(unread)) {
        unread = read.rest;
        commands++;
        const [command = "", ...args] = read.args;
        const honest = honestly(command, args);
        const answer = hostility.answer({ command, args, honest, history, socket, random });
        if (answer !== null && socket.writable) socket.write(answer);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get commands() {
      return commands;
    },
    be(next) {
      hostility = next;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

export const HONEST: Hostility = { what: "what is so", answer: ({ honest }) => honest };

function commandIn(text: string): { args: string[]; rest: string } | null {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (!head) return null;
  let at = head[0].length;
  const args: string[] = [];
  for (let left = Number(head[1]); left > 0; left--) {
    const length = /^\$(\d+)\r\n/.exec(text.slice(at, at + 20));
    if (!length) return null;
    const begin = at + length[0].length;
    const end = begin + Number(length[1]);
    if (text.length < end + 2) return null;
    args.push(text.slice(begin, end));
    at = end + 2;
  }
  return { args, rest: text.slice(at) };
}

/** mulberry32: the same bytes for the same seed. */
function randomBytes(seed: number): (bytes: number) => Buffer {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) & 0xff;
  };
  return (bytes) => Buffer.from(Array.from({ length: bytes }, next));
}

/** The copy that a store has, wherever it keeps it. */
export function copyOf(copies: StockCopies, name: string): Promise<StockCopy | undefined> {
  return new Promise((then) => {
    if (copies.read) copies.read(name, then);
    else then(copies.get(name));
  });
}
