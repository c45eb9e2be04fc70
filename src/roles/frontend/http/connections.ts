// What one client's connection may hold of this process.
//
// HTTP lets a client send any number of requests before it reads an answer, and
// Node begins with all that it has read. Here the requests of a connection beyond
// REQUESTS_IN_HAND_MAX wait, not begun, and so do all of them while the client has
// more answers unread than its socket takes. Meanwhile nothing more is read from
// it. A client that takes nothing of an answer for UNREAD_LIMIT_MS is cut off.
//
// Whoever is told at once that there is too much to do, or that it asks for too much,
// and asks again on the same connection within HELD_MS has that request wait for HELD_MS,
// not begun, and isn't read meanwhile. So one that asks without a pause is told a few times
// a second, not thousands of times, and one that waits as it was told, or a crowd of which
// each asks now and then, is told at once: what waits in the network unread is a queue that
// nobody bounds.
//
// To destroy the connection at the limit would be simpler, but pipelining is
// legal, and a client that reads gets all its answers.

import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { Server as TlsServer } from "node:https";
import type { Socket } from "node:net";
import {
  HELD_MS,
  REQUESTS_IN_HAND_MAX,
  UNREAD_CHECK_INTERVAL_MS,
  UNREAD_LIMIT_MS,
} from "../limits.ts";
import { OVERLOADED, RATE_LIMITED } from "./http-answer.ts";
import { beforeRequests } from "./request-gate.ts";

export interface ConnectionLimits {
  /** Default UNREAD_LIMIT_MS. */
  readonly unreadLimitMs?: number;
  /** Default UNREAD_CHECK_INTERVAL_MS. */
  readonly checkIntervalMs?: number;
  /** Default HELD_MS. */
  readonly heldMs?: number;
}

/** Puts itself before the listener that `server` has for requests. */
export function limitConnections(server: Server, limits: ConnectionLimits = {}): void {
  const { unreadLimitMs = UNREAD_LIMIT_MS, checkIntervalMs = UNREAD_CHECK_INTERVAL_MS } = limits;
  const clients = new Map<Socket, Client>();
  const { heldMs = HELD_MS } = limits;
  beforeRequests(server, (listener) => {
    server.on(server instanceof TlsServer ? "secureConnection" : "connection", (socket: Socket) => {
      clients.set(socket, new Client(socket, listener, heldMs));
      socket.once("close", () => clients.delete(socket));
    });
    return (request, response) => {
      const client = clients.get(request.socket);
      if (client) client.request(request, response);
      else listener(request, response);
    };
  });
  const sweep = setInterval(() => {
    for (const socket of clients.keys()) limitUnread(socket, unreadLimitMs);
  }, checkIntervalMs);
  sweep.unref();
  server.once("close", () => clearInterval(sweep));
}

/** Node cuts a socket off after its time-out, in which nothing was sent or taken. */
function limitUnread(socket: Socket, limitMs: number): void {
  const isUnread = socket.writableLength > 0;
  if (isUnread && socket.timeout !== limitMs) socket.setTimeout(limitMs);
  // Any other time-out is that of a connection which waits for its next request.
  else if (!isUnread && socket.timeout === limitMs) socket.setTimeout(0);
}

class Client {
  readonly #socket: Socket;
  readonly #listener: RequestListener;
  /** Begun, and not handed to the network as a whole. */
  #inHand = 0;
  #waiting: { readonly request: IncomingMessage; readonly response: ServerResponse }[] = [];
  #awaitsDrain = false;
  readonly #heldMs: number;
  /** When it was last told at once to come again later. */
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #isHeld = false;

  constructor(socket: Socket, listener: RequestListener, heldMs: number) {
    this.#socket = socket;
    this.#listener = listener;
    this.#heldMs = heldMs;
    // Node resumes a socket with each request that has come, or is answered.
    socket.on("resume", () => this.#pauseIfUnread());
    socket.once("close", () => {
      this.#waiting = [];
    });
  }

  request(request: IncomingMessage, response: ServerResponse): void {
    if (this.#toldAtMs > 0) this.#holdIfTooSoon();
    if (this.#waiting.length === 0 && this.#isFree) {
      this.#begin(request, response);
      return;
    }
    this.#waiting.push({ request, response });
    this.#pauseIfUnread();
    this.#awaitDrain();
  }

  get #isFree(): boolean {
    if (this.#isHeld || this.#socket.writableNeedDrain) return false;
    return this.#inHand < REQUESTS_IN_HAND_MAX;
  }

  #begin(request: IncomingMessage, response: ServerResponse): void {
    this.#listener(request, response);
    if (response.writableEnded && isToldToComeLater(response.statusCode)) {
      this.#toldAtMs = performance.now();
    }
    // A cached lookup is with the network by now: to count it would be a good part of its cost.
    const isFirst = response.socket !== null;
    if (isFirst && response.writableEnded && !this.#socket.writableNeedDrain) return;
    this.#inHand += 1;
    response.once("close", () => {
      this.#inHand -= 1;
      this.#advance();
    });
  }

  #advance(): void {
    while (this.#isFree) {
      const next = this.#waiting.shift();
      if (!next) {
        this.#readOn();
        return;
      }
      this.#begin(next.request, next.response);
    }
    this.#awaitDrain();
  }

  /** With answers unread and none in hand, nothing else says when to go on. */
  #awaitDrain(): void {
    if (this.#awaitsDrain || this.#waiting.length === 0 || !this.#socket.writableNeedDrain) return;
    this.#awaitsDrain = true;
    this.#socket.once("drain", () => {
      this.#awaitsDrain = false;
      this.#advance();
    });
  }

  #holdIfTooSoon(): void {
    const isTooSoon = performance.now() - this.#toldAtMs < this.#heldMs;
    this.#toldAtMs = Number.NEGATIVE_INFINITY;
    if (!isTooSoon || this.#isHeld) return;
    this.#isHeld = true;
    setTimeout(() => {
      this.#isHeld = false;
      this.#advance();
    }, this.#heldMs).unref();
  }

  #pauseIfUnread(): void {
    if (this.#isHeld || this.#waiting.length > 0) this.#socket.pause();
  }

  /** While answers are unread, Node goes on by itself. */
  #readOn(): void {
    if (this.#isHeld || this.#waiting.length > 0 || this.#socket.writableNeedDrain) return;
    this.#socket.resume();
  }
}

function isToldToComeLater(status: number): boolean {
  return status === OVERLOADED.status || status === RATE_LIMITED;
}
