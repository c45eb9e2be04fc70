// What the tests of connections share: a contract, a listener and a link on
// 127.0.0.1, a log that remembers, raw sockets that misbehave.

import { pino } from "pino";
import { vi } from "vitest";
import type { WebSocket } from "ws";
import { z } from "zod";
import { joinFrame, MessageEncoder } from "./codec.ts";
import { type ConnectOptions, connect } from "./connect.ts";
import { RpcError } from "./error.ts";
import type { RpcLimits } from "./limits.ts";
import { type ListenOptions, listen } from "./listen.ts";
import { FRONTEND, ORDER, rawSocket, SECRET, TEST_CLUSTER } from "./testing-sockets.ts";
import type { Contract, Handlers, Identity, Link, Listener, Peer } from "./types.ts";

export { FRONTEND, ORDER, SECRET, TEST_CLUSTER };

const ANYBODY = ["order", "catalog", "frontend", "cli"] as const;

export const testContract = {
  echo: { callers: ANYBODY, argument: z.unknown(), result: z.unknown() },
  double: {
    callers: ANYBODY,
    argument: z.object({ number: z.int() }),
    result: z.object({ number: z.int() }),
  },
  fail: { callers: ANYBODY, argument: z.object({}), result: z.object({}) },
  never: { callers: ANYBODY, argument: z.object({}), result: z.object({}) },
  tell: { callers: ANYBODY, argument: z.unknown() },
} as const satisfies Contract;
export type TestContract = typeof testContract;

/** Handlers that do what the calls' names say. */
export function testHandlers(over: Partial<Handlers<TestContract>> = {}): Handlers<TestContract> {
  return {
    echo: (argument) => argument,
    double: async ({ number }) => ({ number: number * 2 }),
    fail: () => {
      throw new Error("the shop is shut");
    },
    never: () => new Promise(() => {}),
    tell: () => undefined,
    ...over,
  };
}

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A logger, and what it was told. */
export function rememberingLog() {
  const lines: LogLine[] = [];
  const log = pino({ level: "debug" }, { write: (line: string) => lines.push(JSON.parse(line)) });
  return { log, lines, count: (msg: string) => lines.filter((line) => line.msg === msg).length };
}

export type TestLog = ReturnType<typeof rememberingLog>;

/** Everything opened through it is closed by close(), in the reverse order. */
export class Bench {
  readonly listenerLog = rememberingLog();
  readonly linkLog = rememberingLog();
  readonly #toClose: (() => unknown)[] = [];

  async listen(options: Partial<ListenOptions<TestContract>> = {}): Promise<Listener> {
    const listener = await listen({
      host: "127.0.0.1",
      port: 0,
      credentials: { secret: SECRET, certificates: null },
      identity: ORDER,
      contract: testContract,
      handlers: testHandlers(),
      log: this.listenerLog.log,
      ...options,
    });
    this.#toClose.push(() => listener.close());
    return listener;
  }

  link(port: number, options: Partial<ConnectOptions<TestContract>> = {}): Link {
    const link = connect({
      host: "127.0.0.1",
      port,
      name: ORDER.name,
      credentials: { secret: SECRET, certificates: null },
      identity: FRONTEND,
      contract: testContract,
      handlers: testHandlers(),
      log: this.linkLog.log,
      ...options,
    });
    this.#toClose.push(() => link.close());
    return link;
  }

  /** An open link, and the listener's end of it. */
  async pair(
    over: {
      listen?: Partial<ListenOptions<TestContract>>;
      link?: Partial<ConnectOptions<TestContract>>;
      limits?: Partial<RpcLimits>;
    } = {},
  ): Promise<{ listener: Listener; link: Link; here: Peer; there: Peer }> {
    const limits = over.limits ?? {};
    const accepted = Promise.withResolvers<Peer>();
    const opened = Promise.withResolvers<Peer>();
    const listener = await this.listen({
      limits,
      ...over.listen,
      onOpen: (peer) => {
        accepted.resolve(peer);
        over.listen?.onOpen?.(peer);
      },
    });
    const link = this.link(listener.port, {
      limits,
      ...over.link,
      onOpen: (peer) => {
        opened.resolve(peer);
        over.link?.onOpen?.(peer);
      },
    });
    const [there, here] = await Promise.all([accepted.promise, opened.promise]);
    return { listener, link, here, there };
  }

  /** A client without any of our code behind the handshake, open. */
  async rawClient(port: number): Promise<WebSocket> {
    const client: Identity = { role: "catalog", name: "raw", cluster: TEST_CLUSTER };
    const socket = await rawSocket(port, { client });
    this.#toClose.push(() => socket.terminate());
    await new Promise((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    socket.on("error", () => {});
    return socket;
  }

  async close(): Promise<void> {
    for (const close of this.#toClose.reverse()) await close();
  }
}

/** A frame as a connection's first would be, of any messages. */
export function frameOf(messages: readonly unknown[]): Uint8Array {
  const encoder = new MessageEncoder();
  // A message's bytes may be overwritten by none of the later ones.
  const encoded = messages.map((message) => encoder.encode(message));
  const bytes = encoded.reduce((sum, message) => sum + message.length, 0);
  return joinFrame(encoded, bytes);
}

/** Waits until `check` no longer throws; fails with what it threw after four seconds. */
export function eventually(check: () => void): Promise<void> {
  return vi.waitFor(check, { timeout: 4_000, interval: 5 });
}

/** The failure of a call that is expected to have one; otherwise what happened instead, as text. */
export async function failureOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => new Error("the call succeeded"),
    (reason: unknown) => reason,
  );
  return error instanceof RpcError ? error.failure : String(error);
}

/** The next event of a raw socket. */
export function once(socket: WebSocket, event: "message" | "close"): Promise<unknown[]> {
  return new Promise((resolve) => socket.once(event, (...args: unknown[]) => resolve(args)));
}
