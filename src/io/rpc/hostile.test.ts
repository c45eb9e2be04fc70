// Who doesn't know the secret, and who knows it and sends nonsense, over real
// sockets: nobody else may notice.

import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RPC_LIMITS } from "./limits.ts";
import { Bench, eventually, frameOf, once, testContract } from "./testing.ts";

/** For floods, on a machine that is busy besides. */
const LIMIT_MS = 30_000;

let bench: Bench;
const sockets: Socket[] = [];
beforeEach(() => {
  bench = new Bench();
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await bench.close();
});

/** Opens a plain connection. */
function stranger(port: number, host = "127.0.0.1"): Socket {
  const socket = connect({ port, host: "127.0.0.1", localAddress: host });
  socket.on("error", () => {}).resume();
  sockets.push(socket);
  return socket;
}

const isOpen = (socket: Socket): boolean => !socket.destroyed && socket.readyState === "open";

describe("connections that haven't proven that they know the secret", () => {
  test("more silent connections than there are places keep no member out, and are closed in seconds", async () => {
    const listener = await bench.listen({ limits: { connectionsMax: 8, strangersMax: 100 } });
    const silent = Array.from({ length: 300 }, () => stranger(listener.port));
    await eventually(() => expect(silent.filter(isOpen).length).toBeGreaterThan(0));
    const link = bench.link(listener.port);
    await eventually(() => expect(link.peer).not.toBe(null));
    expect(await link.peer?.calls(testContract).echo("alive")).toBe("alive");
    await eventually(() => expect(silent.filter(isOpen)).toEqual([]));
    expect(link.peer?.isOpen).toBe(true);
    const line = "Too many connections that don't prove who they are";
    expect(bench.listenerLog.count(line)).toBe(1);
  });

  test(
    "an endless flood of connections keeps no member out",
    async () => {
      const listener = await bench.listen({ limits: { handshakeTimeoutMs: 60_000 } });
      const opened = new Int32Array(new SharedArrayBuffer(4));
      const flood = new Worker(
        `const { workerData } = require("node:worker_threads");
       const { connect } = require("node:net");
       const open = () => {
         const socket = connect(workerData.port, "127.0.0.1");
         socket.on("error", () => {}).resume();
         socket.on("connect", () => Atomics.add(workerData.opened, 0, 1));
         socket.on("close", () => setImmediate(open));
       };
       for (let i = 0; i < 1_500; i += 1) open();`,
        { eval: true, workerData: { port: listener.port, opened } },
      );
      try {
        await eventually(() => expect(opened[0]).toBeGreaterThan(RPC_LIMITS.strangersMax));
        for (let attempt = 0; attempt < 2; attempt += 1) {
          const link = bench.link(listener.port);
          await eventually(() => expect(link.peer).not.toBe(null));
          expect(await link.peer?.calls(testContract).echo(attempt)).toBe(attempt);
          link.close();
        }
      } finally {
        await flood.terminate();
      }
    },
    LIMIT_MS,
  );

  test("while members fill all places, another one is refused with the reason", async () => {
    const listener = await bench.listen({ limits: { connectionsMax: 2 } });
    const links = [bench.link(listener.port), bench.link(listener.port)];
    await eventually(() => expect(links.every(({ peer }) => peer !== null)).toBe(true));
    const refused: string[] = [];
    bench.link(listener.port, { onUnreachable: ({ message }) => refused.push(message) });
    await eventually(() => expect(refused[0]).toContain("it is stopping, or has too many"));
    expect(links.every(({ peer }) => peer?.isOpen)).toBe(true);
  });

  test("over the limit, connections from the address that has the most are closed, and no others", async () => {
    const listener = await bench.listen({
      limits: { strangersMax: 8, handshakeTimeoutMs: 60_000 },
    });
    const [first, second] = [
      stranger(listener.port, "127.0.0.2"),
      stranger(listener.port, "127.0.0.3"),
    ];
    await eventually(() => expect([first, second].every(isOpen)).toBe(true));
    const crowd = Array.from({ length: 40 }, () => stranger(listener.port, "127.0.0.9"));
    await eventually(() => expect(crowd.filter(isOpen)).toHaveLength(6));
    expect([first, second].every(isOpen)).toBe(true);
  });

  test("refused attempts under ever new names are logged once", async () => {
    const listener = await bench.listen();
    for (let attempt = 0; attempt < 200; attempt += 1) {
      const socket = stranger(listener.port);
      socket.write(
        `GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nBazaar-Role: cli\r\nBazaar-Name: name-${attempt}\r\n\r\n`,
      );
      if (attempt % 20 === 0) await new Promise((resolve) => socket.once("close", resolve));
    }
    await eventually(() => expect(sockets.every(({ destroyed }) => destroyed)).toBe(true));
    const line = "Refused a connection: it says no name";
    expect(bench.listenerLog.count(line)).toBe(1);
  });

  test.each([
    ["random bytes", () => randomBytes(4_096)],
    ["headers without end", () => `GET / HTTP/1.1\r\n${"x-more: and more\r\n".repeat(10_000)}`],
    ["one header of a megabyte", () => `GET / HTTP/1.1\r\nBazaar-Name: ${"n".repeat(1 << 20)}`],
    ["half a request", () => "GET / HTTP/1.1\r\nBazaar-"],
    ["a body that never comes", () => "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n"],
    ["a WebSocket frame at once", () => Buffer.from([0x82, 0xff, 0xff, 0xff, 0xff, 0xff])],
  ])("%s: the connection is closed within the handshake's time", async (_name, bytes) => {
    const listener = await bench.listen({ limits: { handshakeTimeoutMs: 500 } });
    const socket = stranger(listener.port);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write(bytes());
    await closed;
    const link = bench.link(listener.port);
    await eventually(() => expect(link.peer).not.toBe(null));
  });

  test("a handshake sent letter by letter is cut off at the same time-out", async () => {
    const listener = await bench.listen({ limits: { handshakeTimeoutMs: 500 } });
    const socket = stranger(listener.port);
    let closed = false;
    socket.once("close", () => {
      closed = true;
    });
    socket.write("GET / HTTP/1.1\r\nX: ");
    const trickle = setInterval(() => socket.write("x"), 20);
    await eventually(() => expect(closed).toBe(true));
    clearInterval(trickle);
  });
});

describe("frames of a peer that knows the secret", () => {
  /** An array of 32-bit length, as MessagePack has it. */
  const header = (count: number): Buffer => {
    const bytes = Buffer.alloc(5);
    bytes.writeUInt8(0xdd);
    bytes.writeUInt32BE(count, 1);
    return bytes;
  };
  const MANY = 15 << 20;

  test.each([
    ["15 million times nil", () => Buffer.concat([header(MANY), Buffer.alloc(MANY, 0xc0)])],
    [
      "more messages than there are bytes",
      () => Buffer.concat([header(2 ** 32 - 1), Buffer.alloc(9)]),
    ],
    ["arrays in arrays, a million deep", () => Buffer.alloc(1_000_000, 0x91)],
    ["large arrays in large arrays", () => Buffer.concat(Array(1_000).fill(header(50_000_000)))],
    [
      "a map of more keys than bytes",
      () => Buffer.from([0x91, 0xdf, 0xff, 0xff, 0xff, 0xff, 0x00]),
    ],
    ["text longer than the frame", () => Buffer.from([0x91, 0xdb, 0xff, 0xff, 0xff, 0xff, 0x00])],
  ])(
    "a frame of %s ends its connection at once, and no other",
    async (_name, frame) => {
      const { here, listener } = await bench.pair();
      const raw = await bench.rawClient(listener.port);
      const closed = once(raw, "close");
      raw.send(frame());
      expect((await closed)[0]).toBe(1002);
      expect(await here.calls(testContract).echo("alive")).toBe("alive");
      expect(bench.listenerLog.count("Closing a connection: its frame can't be read")).toBe(1);
    },
    LIMIT_MS,
  );

  test(
    "frames of random bytes end their connections, and no others",
    async () => {
      const { here, listener } = await bench.pair();
      for (let time = 0; time < 100; time += 1) {
        const raw = await bench.rawClient(listener.port);
        const closed = once(raw, "close");
        // Most begin as an array does, so that more than the first byte is read.
        const bytes = randomBytes(1 + Math.floor(Math.random() * 2_000));
        if (time % 4 !== 0) bytes[0] = 0x91 + (time % 8);
        raw.send(bytes);
        expect((await closed)[0]).toBe(1002);
      }
      expect(await here.calls(testContract).echo("alive")).toBe("alive");
    },
    LIMIT_MS,
  );

  test(
    "a valid call whose argument is 15 million times nil is refused, and other calls are answered",
    async () => {
      const { here, listener } = await bench.pair();
      const raw = await bench.rawClient(listener.port);
      const call = Buffer.from(frameOf([{ t: "q", i: "x", m: "double", a: [{ number: [] }] }]));
      const many = Buffer.concat([call.subarray(0, -1), header(MANY), Buffer.alloc(MANY, 0xc0)]);
      const answer = once(raw, "message");
      raw.send(many);
      await answer;
      expect(bench.listenerLog.count("Refused a call")).toBe(1);
      expect(await here.calls(testContract).echo("alive")).toBe("alive");
    },
    LIMIT_MS,
  );

  test("more calls in a turn than one frame takes leave in several frames", async () => {
    const { here } = await bench.pair({ limits: { frameMessagesMax: 7 } });
    const calls = here.calls(testContract);
    const numbers = Array.from({ length: 50 }, (_, index) => index);
    const back = await Promise.all(numbers.map((number) => calls.echo(number)));
    expect(back).toEqual(numbers);
  });
});
