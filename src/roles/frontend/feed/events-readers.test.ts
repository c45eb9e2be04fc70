import { EventEmitter } from "node:events";
import { createServer, get, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { READER_PLACE_MS, READER_UNREAD_MS, READERS_MAX } from "./events-limits.ts";
import { Readers } from "./events-readers.ts";
import { messageOf } from "./events-ring.ts";

const WAIT = { timeout: 10_000, interval: 5 };
const UNREAD_BYTES_MAX = 200_000;

let server: Server;
let readers: Readers;
let nowMs: number;

beforeEach(async () => {
  nowMs = 0;
  readers = new Readers({ nowMs: () => nowMs, unreadBytesMax: UNREAD_BYTES_MAX });
  server = createServer((_request, response) => {
    readers.join(response);
    readers.begin(response, "first\n\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(() => {
  readers.close();
  server.closeAllConnections();
  server.close();
});

function connect(): Promise<IncomingMessage> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    get({ port, agent: false }, resolve).once("error", reject);
  });
}

test("a reader that takes nothing is dropped, and the others get every message meanwhile", async () => {
  const slow = await connect(); // never read
  const quick = await connect();
  let received = 0;
  quick.on("data", (data: Buffer) => {
    received += data.length;
  });
  slow.once("error", () => {});
  await vi.waitFor(() => expect(readers.count).toBe(2), WAIT);
  const message = messageOf("change", { text: "x".repeat(100_000) }, "a-1");
  let sent = 0;
  while (readers.dropped === 0 && sent < 500) {
    readers.send(message);
    sent += 1;
    const expected = sent * message.bytes;
    await vi.waitFor(() => expect(received).toBeGreaterThanOrEqual(expected), WAIT);
  }
  expect(readers.dropped).toBe(1);
  expect(readers.count).toBe(1);
  readers.send(message);
  const expected = (sent + 1) * message.bytes;
  await vi.waitFor(() => expect(received).toBeGreaterThanOrEqual(expected), WAIT);
});

test("a reader that went away is forgotten", async () => {
  const reader = await connect();
  await vi.waitFor(() => expect(readers.count).toBe(1), WAIT);
  reader.destroy();
  await vi.waitFor(() => expect(readers.count).toBe(0), WAIT);
  expect(readers.dropped).toBe(0);
});

/** Takes what it is given, and leaves `writableLength` bytes of it unread. */
function pretended(writableLength = 0) {
  const reader = Object.assign(new EventEmitter(), {
    destroyed: false,
    writableLength,
    written: 0,
    write: () => {
      reader.written += 1;
    },
    end: () => {},
    destroy: () => {
      reader.destroyed = true;
    },
  });
  return reader;
}

test("who comes when all places are taken gets that of the longest there, once that was kept for a while", () => {
  const there = Array.from({ length: READERS_MAX }, () => pretended());
  for (const reader of there) {
    expect(readers.isOpen).toBe(true);
    readers.join(reader as never);
    nowMs += 1;
  }
  expect(readers.isOpen).toBe(false);
  nowMs = READER_PLACE_MS - 1;
  expect(readers.isOpen).toBe(false);
  nowMs = READER_PLACE_MS;
  expect(readers.isOpen).toBe(true);
  readers.join(pretended() as never);
  expect(there.map(({ destroyed }) => destroyed).indexOf(true)).toBe(0);
  expect(there.filter(({ destroyed }) => destroyed)).toHaveLength(1);
  expect(readers.count).toBe(READERS_MAX);
  nowMs += 1;
  expect(readers.isOpen).toBe(true);
});

test("a reader with a little unread for seconds is dropped, one that takes it now and then isn't", () => {
  const slow = pretended(1);
  const steady = pretended(1);
  for (const reader of [slow, steady]) {
    readers.join(reader as never);
    readers.begin(reader as never, "first");
  }
  const message = messageOf("change", {}, "a-1");
  for (nowMs = 0; nowMs < READER_UNREAD_MS; nowMs += 250) {
    steady.writableLength = nowMs === 1_000 ? 0 : 1;
    readers.send(message);
  }
  expect(slow.destroyed).toBe(false);
  nowMs = READER_UNREAD_MS;
  readers.send(message);
  expect(slow.destroyed).toBe(true);
  expect(steady.destroyed).toBe(false);
  expect(readers.dropped).toBe(1);
});

test("a reader is written to once it is its turn, and forgotten if it has left", () => {
  const reader = Object.assign(new EventEmitter(), {
    written: [] as string[],
    destroyed: false,
    writableLength: 0,
    write: (text: string) => reader.written.push(text),
  });
  const given = reader as never;
  readers.join(given);
  readers.send(messageOf("change", {}, "a-1")); // it isn't its turn yet
  expect(reader.written).toEqual([]);
  readers.begin(given, "first");
  expect(reader.written).toEqual(["first"]);
  reader.destroyed = true; // and nobody has said so
  readers.send(messageOf("change", {}, "a-2"));
  readers.begin(given, "again");
  readers.join(given);
  expect(readers.count).toBe(0);
  expect(reader.written).toEqual(["first"]);
});
