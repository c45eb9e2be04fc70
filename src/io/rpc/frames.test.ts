import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { FrameDecoder, MessageEncoder } from "./codec.ts";
import {
  Bench,
  eventually,
  failureOf,
  frameOf,
  once,
  testContract,
  testHandlers,
} from "./testing.ts";
import type { Peer } from "./types.ts";

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});
afterEach(() => bench.close());

describe("frames", () => {
  /** A raw client, and the frames that it has received, as arrays of messages. */
  async function watch(port: number) {
    const frames: (readonly unknown[])[] = [];
    const decoder = new FrameDecoder();
    const socket = await bench.rawClient(port);
    socket.on("message", (data) => frames.push(decoder.decode(data as Buffer)));
    return { socket, frames };
  }

  test("calls of one turn of the event loop leave in one frame, those of the next in another", async () => {
    const accepted = Promise.withResolvers<Peer>();
    const listener = await bench.listen({ onOpen: accepted.resolve });
    const { frames } = await watch(listener.port);
    const calls = (await accepted.promise).calls(testContract);
    await new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 20; i += 1) {
      calls.tell(i);
      // Later callbacks of the same turn: their calls belong to the same frame.
      if (i % 3 === 0) await Promise.resolve();
      if (i % 5 === 0) await new Promise<void>((resolve) => process.nextTick(resolve));
    }
    await new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 7; i += 1) calls.tell(i);
    await eventually(() => expect(frames.map((frame) => frame.length)).toEqual([20, 7]));
  });

  test("what is flushed costs no further turn of the event loop", async () => {
    const { here: peer } = await bench.pair();
    await new Promise((resolve) => setImmediate(resolve));
    peer.calls(testContract).tell(1);
    const scheduled = () => process.getActiveResourcesInfo().filter((kind) => kind === "Immediate");
    const before = scheduled().length;
    expect(before).toBeGreaterThan(0);
    peer.flush();
    expect(scheduled()).toHaveLength(before - 1);
  });

  test("answers to one frame leave in one frame", async () => {
    const listener = await bench.listen();
    const { socket, frames } = await watch(listener.port);
    const call = (i: number) => ({ t: "q", i: `call-${i}`, m: "double", a: [{ number: i }] });
    socket.send(frameOf([1, 2, 3].map(call)));
    await eventually(() => expect(frames).toHaveLength(1));
    expect(frames[0]).toHaveLength(3);
  });

  test("flush hands the frame to the network before a write that blocks the process", async () => {
    const accepted = Promise.withResolvers<Peer>();
    const listener = await bench.listen({ onOpen: accepted.resolve });
    const arrived = new Int32Array(new SharedArrayBuffer(4));
    const reader = new Worker(
      `const { workerData } = require("node:worker_threads");
       import(workerData.testing).then(async ({ rawSocket }) => {
         (await rawSocket(workerData.port)).on("message", () => {
           Atomics.store(workerData.arrived, 0, 1);
           Atomics.notify(workerData.arrived, 0);
         });
       });`,
      {
        eval: true,
        workerData: {
          arrived,
          port: listener.port,
          testing: import.meta.resolve("./testing-sockets.ts"),
        },
      },
    );
    const peer = await accepted.promise;
    peer.calls(testContract).tell("before the write");
    peer.flush();
    // This thread's event loop doesn't turn while it waits here.
    const seen = Atomics.wait(arrived, 0, 0, 5_000);
    await reader.terminate();
    expect(seen).not.toBe("timed-out");
  });

  test("a batch larger than a frame is split, and all of it arrives", async () => {
    const sizes: number[] = [];
    const { listener, here } = await bench.pair({ limits: { frameBytesMax: 10_000 } });
    expect(listener.peers.size).toBe(1);
    const calls = here.calls(testContract);
    const pieces = Array.from({ length: 50 }, (_, i) => new Uint8Array(900).fill(i));
    const back = await Promise.all(pieces.map((piece) => calls.echo(piece)));
    for (const piece of back) sizes.push((piece as Uint8Array).length);
    expect(sizes).toEqual(pieces.map(() => 900));
    expect(back).toEqual(pieces);
  });

  test("a call larger than a frame is refused by its sender, and later calls are answered", async () => {
    const { here } = await bench.pair({ limits: { frameBytesMax: 10_000 } });
    const calls = here.calls(testContract);
    // Its shape is told with it for the first time, so it must be told again with the next.
    const big = { first: new Uint8Array(20_000), second: 1 };
    expect(await failureOf(calls.echo(big))).toBe("refused");
    const small = { first: new Uint8Array(2), second: 1 };
    expect(await calls.echo(small)).toEqual(small);
  });

  test("an answer larger than a frame fails its call, and no other", async () => {
    const { here } = await bench.pair({
      listen: {
        limits: { frameBytesMax: 10_000 },
        handlers: testHandlers({ echo: () => new Uint8Array(20_000) }),
      },
    });
    expect(await failureOf(here.calls(testContract).echo(1))).toBe("refused");
    expect(await here.calls(testContract).double({ number: 1 })).toEqual({ number: 2 });
  });

  test("an argument that can't be encoded fails its call, and no other", async () => {
    const { here } = await bench.pair();
    const calls = here.calls(testContract);
    const others = [calls.double({ number: 1 }), calls.double({ number: 2 })];
    expect(await failureOf(calls.echo({ odd: { number: Symbol("s") } }))).toBe("refused");
    expect(await Promise.all([...others, calls.double({ number: 3 })])).toEqual([
      { number: 2 },
      { number: 4 },
      { number: 6 },
    ]);
    calls.tell({ odd: Symbol("s") });
    await eventually(() => expect(bench.linkLog.count("Can't notify")).toBe(1));
  });
});

describe("invalid input", () => {
  test("a frame over the limit ends its connection with a log line, and no other", async () => {
    const { here, listener } = await bench.pair({ listen: { limits: { frameBytesMax: 10_000 } } });
    const raw = await bench.rawClient(listener.port);
    const closed = once(raw, "close");
    raw.send(frameOf([{ t: "q", m: "tell", a: [new Uint8Array(20_000)] }]));
    expect((await closed)[0]).toBe(1009);
    expect(bench.listenerLog.count("A connection failed")).toBe(1);
    expect(await here.calls(testContract).echo("alive")).toBe("alive");
  });

  test.each([
    ["bytes that are no MessagePack", Buffer.from([0xc1, 0xff, 0xdd, 0xff, 0xff, 0xff, 0xff])],
    ["a frame that is cut off", Buffer.from([0xdc, 0x00, 0x10, 0xa5, 0x68])],
    ["a frame that is no array", new MessageEncoder().encode({ t: "q", m: "tell", a: [1] })],
    ["a text frame", "hello"],
  ])("%s ends its connection with a log line, and no other", async (_name, frame) => {
    const { here, listener } = await bench.pair();
    const raw = await bench.rawClient(listener.port);
    const closed = once(raw, "close");
    raw.send(frame);
    expect((await closed)[0]).toBe(1002);
    expect(bench.listenerLog.count("Closing a connection: its frame can't be read")).toBe(1);
    expect(await here.calls(testContract).echo("alive")).toBe("alive");
  });

  const FINE = { t: "q", i: "x", m: "echo", a: ["fine"] };
  test.each<readonly [string, unknown]>([
    ["nil", null],
    ["a number", 7],
    ["text", "q"],
    ["an array", []],
    ["an empty map", {}],
    ["a map with other keys", new Map([["t", "q"]])],
    ["a call without a name", { t: "q" }],
    ["a call whose name is a number", { t: "q", m: 1, a: [1] }],
    ["a call without an argument", { t: "q", m: "tell" }],
    ["a call with no argument", { t: "q", m: "tell", a: [] }],
    ["a call with two arguments", { t: "q", m: "tell", a: [1, 2] }],
    ["a call whose id is a number", { t: "q", i: 5, m: "echo", a: [1] }],
    ["an answer to no call", { t: "s" }],
  ])(
    "%s in the place of a message ends its connection with a log line, and no other",
    async (_name, odd) => {
      let told = 0;
      const tell = () => {
        told += 1;
      };
      const { here, listener } = await bench.pair({
        listen: { handlers: testHandlers({ tell }) },
      });
      const raw = await bench.rawClient(listener.port);
      const closed = once(raw, "close");
      const call = { t: "q", m: "tell", a: [1] };
      raw.send(frameOf([call, odd, call]));
      expect((await closed)[0]).toBe(1002);
      expect(told).toBe(1); // what comes after isn't looked at
      expect(bench.listenerLog.count("Closing a connection: its frame can't be read")).toBe(1);
      expect(await here.calls(testContract).echo("alive")).toBe("alive");
    },
  );

  test("an answer to a call that was never made is ignored", async () => {
    const listener = await bench.listen();
    const raw = await bench.rawClient(listener.port);
    const answer = once(raw, "message");
    raw.send(frameOf([{ t: "s", i: "unknown", r: 1 }, FINE]));
    const messages = new FrameDecoder().decode((await answer)[0] as Buffer);
    expect(messages).toEqual([{ t: "s", i: "x", r: "fine" }]);
  });

  test("calls that aren't served are refused, whatever their names", async () => {
    const { here } = await bench.pair();
    const names = ["nothing", "constructor", "__proto__", "toString", "then"];
    const contract = Object.fromEntries(
      names.map((name) => [name, { callers: [], argument: z.unknown(), result: z.unknown() }]),
    );
    const calls = here.calls(contract);
    const failures = names.map((name) => failureOf(Promise.resolve(calls[name]?.({}))));
    // Object.fromEntries makes an own __proto__ here, so all five are sent.
    expect(await Promise.all(failures)).toEqual(names.map(() => "refused"));
    expect(bench.listenerLog.count("Refused a call")).toBe(1);
  });

  test("an argument of the wrong shape is refused before its handler sees it", async () => {
    let called = 0;
    const { here } = await bench.pair({
      listen: {
        handlers: testHandlers({
          double: ({ number }) => {
            called += 1;
            return { number };
          },
        }),
      },
    });
    const wrong = { double: { callers: [], argument: z.unknown(), result: z.unknown() } } as const;
    const calls = here.calls(wrong);
    for (const argument of [undefined, null, { number: "1" }, { number: 1.5 }, []]) {
      expect(await failureOf(calls.double(argument))).toBe("refused");
    }
    expect(called).toBe(0);
    expect(bench.listenerLog.count("Refused a call")).toBe(1);
  });

  test("an answer of the wrong shape fails the call and is logged", async () => {
    const { here } = await bench.pair({
      listen: { handlers: testHandlers({ echo: () => ({ number: "no number" }) }) },
    });
    const contract = {
      echo: { callers: [], argument: z.unknown(), result: z.object({ number: z.int() }) },
    };
    expect(await failureOf(here.calls(contract).echo(1))).toBe("failed");
    expect(bench.linkLog.count("Refused an answer")).toBe(1);
  });

  test("the connection of a peer that doesn't read is closed and logged, and its calls are rejected", async () => {
    const accepted = Promise.withResolvers<Peer>();
    const closed = Promise.withResolvers<Peer>();
    const listener = await bench.listen({
      limits: { queuedBytesMax: 1_000_000 },
      onOpen: accepted.resolve,
      onClose: closed.resolve,
    });
    const raw = await bench.rawClient(listener.port);
    raw.pause();
    const peer = await accepted.promise;
    const calls = peer.calls(testContract);
    const waiting = failureOf(calls.never({}));
    const piece = new Uint8Array(500_000);
    // What the system's own buffers take is not ours to count: send until it is full.
    for (let i = 0; i < 1_000 && peer.isOpen; i += 1) {
      calls.tell(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await closed.promise).toBe(peer);
    expect(await waiting).toBe("closed");
    const line = "Closing a connection: the other side doesn't read what it is sent";
    expect(bench.listenerLog.count(line)).toBe(1);
  });
});
