// Connections that nobody closed and on which nothing comes any more: between
// both ends stands a proxy, which goes on taking bytes and passes none on.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LINK_TICK_MS, SILENT_TICKS_MAX } from "../../core/connection/limits.ts";
import { Bench, eventually, failureOf, testContract, testHandlers } from "./testing.ts";
import type { Peer } from "./types.ts";

const SILENCE_MS = LINK_TICK_MS * SILENT_TICKS_MAX;
const LIMIT_MS = 30_000;
/** A connection that a queue on this machine has a place for is made at once, milliseconds. */
const UNANSWERED_MS = 500;
/** Places that a queue for one has at most, on any system. */
const QUEUED_MAX = 64;
const WAIT = { timeout: 10_000, interval: 10 };

let bench: Bench;
let proxy: MutingProxy | null = null;
beforeEach(() => {
  bench = new Bench();
});
afterEach(async () => {
  await bench.close();
  proxy?.close();
  proxy = null;
});

class MutingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Of the connections open now, and those that are opened from now on. */
  #isMute = false;

  constructor(port: number) {
    this.#server = createServer((inner) => {
      const outer = connect(port, "127.0.0.1");
      for (const [from, to] of [
        [inner, outer],
        [outer, inner],
      ] as const) {
        this.#sockets.add(from);
        let isLost = false;
        from.on("data", (bytes) => {
          isLost ||= this.#isMute;
          if (!isLost) to.write(bytes);
        });
        from.on("error", () => {});
        from.on("close", () => {
          if (!isLost) to.destroy();
        });
      }
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  mute(): void {
    this.#isMute = true;
  }

  heal(): void {
    this.#isMute = false;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** A listener behind a proxy, a link to it, and the connections that each end had. */
async function through(over: Parameters<typeof testHandlers>[0] = {}) {
  const accepted: Peer[] = [];
  const listener = await bench.listen({
    handlers: testHandlers(over),
    onOpen: (peer) => accepted.push(peer),
  });
  proxy = new MutingProxy(listener.port);
  const link = bench.link(await proxy.listen());
  await eventually(() => expect(link.peer).not.toBe(null));
  return { listener, link, accepted, proxy, first: link.peer as Peer };
}

test(
  "a connection on which nothing arrives is closed by both ends, and replaced once the network is back",
  async () => {
    const { listener, link, accepted, proxy, first } = await through();
    const call = failureOf(first.calls(testContract).never({}));
    proxy.mute();
    const muteMs = performance.now();
    await vi.waitFor(() => expect(first.isOpen || listener.peers.size > 0).toBe(false), WAIT);
    expect(performance.now() - muteMs).toBeGreaterThan(SILENCE_MS - LINK_TICK_MS);
    expect(await call).toBe("closed");
    expect(bench.linkLog.count("Closing a connection: nothing comes from the other side")).toBe(1);
    expect(accepted[0]?.isOpen).toBe(false);
    proxy.heal();
    await vi.waitFor(() => expect(link.peer).not.toBe(null), WAIT);
    expect(await link.peer?.calls(testContract).echo("again")).toBe("again");
  },
  LIMIT_MS,
);

test(
  "an idle connection stays open, and a call that takes longer than a silence may is answered",
  async () => {
    const late = Promise.withResolvers<unknown>();
    const { link, listener, first } = await through({ echo: () => late.promise });
    const call = first.calls(testContract).echo("late");
    const untilMs = performance.now() + 2.5 * SILENCE_MS;
    await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(untilMs), WAIT);
    expect(link.peer).toBe(first);
    expect(listener.peers.size).toBe(1);
    late.resolve("late");
    expect(await call).toBe("late");
  },
  LIMIT_MS,
);

test(
  "a process whose thread was blocked keeps its connections when it goes on",
  async () => {
    const { link, first } = await through();
    // Blocks this thread, both ends and the proxy: as a stopped process has it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * SILENCE_MS);
    const untilMs = performance.now() + 2 * LINK_TICK_MS;
    await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(untilMs), WAIT);
    expect(link.peer).toBe(first);
    expect(await first.calls(testContract).echo("alive")).toBe("alive");
  },
  LIMIT_MS,
);

test("a link that connects again ends its earlier connection, whose loss the listener hadn't noticed", async () => {
  const { listener, link, accepted, proxy, first } = await through();
  proxy.mute();
  first.close();
  proxy.heal();
  await vi.waitFor(() => expect(accepted).toHaveLength(2), WAIT);
  expect(accepted[0]?.isOpen).toBe(false);
  expect([...listener.peers]).toEqual([accepted[1]]);
  expect(accepted[1]?.link).toBe(accepted[0]?.link);
  await eventually(() => expect(link.peer?.isOpen).toBe(true));
});

test("two links of one name have a connection each", async () => {
  const { listener, link } = await through();
  const other = bench.link(listener.port);
  await eventually(() => expect(listener.peers.size).toBe(2));
  const [one, two] = [...listener.peers];
  expect(one?.identity).toEqual(two?.identity);
  expect(one?.link).not.toBe(two?.link);
  other.close();
  await eventually(() => expect(listener.peers.size).toBe(1));
  expect(link.peer?.isOpen).toBe(true);
});

/** Listens, and never accepts: once its queue is full, the system answers no further attempt. */
const DEAF = `
  const { createServer } = require("node:net");
  const { parentPort } = require("node:worker_threads");
  const server = createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
  });`;

test("an attempt that no host answers is given up soon, and made again", async () => {
  const deaf = new Worker(DEAF, { eval: true });
  const queued: Socket[] = [];
  try {
    const port: number = (await once(deaf, "message"))[0];
    for (let isTaken = true; isTaken && queued.length < QUEUED_MAX; ) {
      const socket = connect(port, "127.0.0.1").on("error", () => {});
      queued.push(socket);
      isTaken = await Promise.race([
        once(socket, "connect").then(() => true),
        delay(UNANSWERED_MS).then(() => false),
      ]);
    }
    const failures: string[] = [];
    bench.link(port, {
      limits: { connectTimeoutMs: 100 },
      onUnreachable: ({ message }) => failures.push(message),
    });
    await eventually(() => expect(failures.length).toBeGreaterThan(1));
    expect(failures[0]).toMatch(/no answer in 100 ms/);
  } finally {
    for (const socket of queued) socket.destroy();
    await deaf.terminate();
  }
});
