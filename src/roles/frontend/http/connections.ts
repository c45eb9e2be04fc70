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
// Node reads thousands of connections before a turn of its event loop ends, and only then
// runs timers and what waits for the turn's end: that took ten seconds. So once a turn
// has begun requests for TURN_MS, those that it still reads wait for the turns that follow,
// each of TURN_MS, in the order in which they came; in between, what replicas and catalogs
// say is read.
//
// To destroy the connection at the limit would be simpler, but pipelining is
// legal, and a client that reads gets all its answers.

import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { Server as TlsServer } from "node:https";
import type { Socket } from "node:net";
import {
  HELD_MS,
  REQUESTS_IN_HAND_MAX,
  TURN_MS,
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
  /** Default TURN_MS. */
  readonly turnMs?: number;
}

/** Puts itself before the listener that `server` has for requests. */
export function limitConnections(server: Server, limits: ConnectionLimits = {}): void {
  const { unreadLimitMs = UNREAD_LIMIT_MS, checkIntervalMs = UNREAD_CHECK_INTERVAL_MS } = limits;
  const clients = new Map<Socket, Client>();
  const { heldMs = HELD_MS, turnMs = TURN_MS } = limits;
  const turn = new Turn(turnMs);
  beforeRequests(server, (listener) => {
    server.on(server instanceof TlsServer ? "secureConnection" : "connection", (socket: Socket) => {
      clients.set(socket, new Client(socket, listener, heldMs, turn));
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

/** How long requests have been begun in this turn of the event loop, and whose wait for the next. */
class Turn {
  readonly #limitMs: number;
  /** Null: none was begun yet. */
  #beganAtMs: number | null = null;
  readonly #waiting = new Set<Client>();

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** Whether who comes now has to wait: this turn takes too long, or others wait. */
  get isOver(): boolean {
    if (this.#waiting.size > 0) return true;
    const nowMs = performance.now();
    if (this.#beganAtMs === null) {
      this.#beganAtMs = nowMs;
      setImmediate(() => this.#end());
    }
    return nowMs - this.#beganAtMs >= this.#limitMs;
  }

  /** Its requests go on in a later turn. */
  wait(client: Client): void {
    this.#waiting.add(client);
  }

  #end(): void {
    this.#beganAtMs = null;
    if (this.#waiting.size === 0) return;
    const beganAtMs = performance.now();
    for (const client of this.#waiting) {
      this.#waiting.delete(client);
      client.goOn();
      if (performance.now() - beganAtMs >= this.#limitMs) break;
    }
    if (this.#waiting.size > 0) setImmediate(() => this.#end());
  }
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
  readonly #turn: Turn;
  /** Waits for a later turn. */
  #isLate = false;

  constructor(socket: Socket, listener: RequestListener, heldMs: number, turn: Turn) {
    this.#socket = socket;
    this.#listener = listener;
    this.#heldMs = heldMs;
    this.#turn = turn;
    // Node resumes a socket with each request that has come, or is answered.
    socket.on("resume", () => this.#pauseIfUnread());
    socket.once("close", () => {
      this.#waiting = [];
    });
  }

  request(request: IncomingMessage, response: ServerResponse): void {
    if (this.#toldAtMs > 0) this.#holdIfTooSoon();
    if (this.#waiting.length === 0 && this.#isFree) {
      if (!this.#turn.isOver) {
        this.#begin(request, response);
        return;
      }
      this.#isLate = true;
      this.#turn.wait(this);
    }
    this.#waiting.push({ request, response });
    this.#pauseIfUnread();
    this.#awaitDrain();
  }

  /** A turn has time for what waits. */
  goOn(): void {
    this.#isLate = false;
    this.#advance();
  }

  get #isFree(): boolean {
    if (this.#isHeld || this.#isLate || this.#socket.writableNeedDrain) return false;
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
    if (this.#waiting.length > 0) this.#socket.pause();
  }

  /** While answers are unread, Node goes on by itself. */
  #readOn(): void {
    if (this.#waiting.length === 0 && !this.#socket.writableNeedDrain) this.#socket.resume();
  }
}

function isToldToComeLater(status: number): boolean {
  return status === OVERLOADED.status || status === RATE_LIMITED;
}
