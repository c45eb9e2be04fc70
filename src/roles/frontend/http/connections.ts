// What one client's connection may hold of this process.
//
// HTTP lets a client send any number of requests before it reads an answer, and
// Node begins with all that it has read. Here the requests of a connection beyond
// REQUESTS_IN_HAND_MAX wait, not begun, and so do all of them while the client has
// more answers unread than its socket takes. Meanwhile nothing more is read from
// it. A client that takes nothing of an answer for UNREAD_LIMIT_MS is cut off.
//
// A connection that is told at once that there is too much to do, or that its
// client asks for too much, is left unread for HELD_MS, or until there is room: what it sends meanwhile waits in the
// network, and costs no work. Connections are read again in the order in which
// they were held, so many at once: otherwise, under a load that never ends, all
// of them would be read before the next answer of the leader is.
//
// To destroy the connection at the limit would be simpler, but pipelining is
// legal, and a client that reads gets all its answers.

import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { Server as TlsServer } from "node:https";
import type { Socket } from "node:net";
import {
  HELD_CHECK_MS,
  HELD_MS,
  READ_AGAIN_AT_ONCE_MAX,
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
  /** Whether the next trade would be turned away; default: never. */
  readonly isFull?: () => boolean;
}

/** Puts itself before the listener that `server` has for requests. */
export function limitConnections(server: Server, limits: ConnectionLimits = {}): void {
  const { unreadLimitMs = UNREAD_LIMIT_MS, checkIntervalMs = UNREAD_CHECK_INTERVAL_MS } = limits;
  const clients = new Map<Socket, Client>();
  const heldMs = limits.heldMs ?? HELD_MS;
  const held = {
    full: new HeldClients(heldMs, limits.isFull ?? (() => false)),
    limited: new HeldClients(heldMs, () => true), // for its own doing, not for want of room
  };
  beforeRequests(server, (listener) => {
    server.on(server instanceof TlsServer ? "secureConnection" : "connection", (socket: Socket) => {
      clients.set(socket, new Client(socket, listener, held));
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

interface Held {
  readonly full: HeldClients;
  readonly limited: HeldClients;
}

class Client {
  readonly #socket: Socket;
  readonly #listener: RequestListener;
  /** Begun, and not handed to the network as a whole. */
  #inHand = 0;
  #waiting: { readonly request: IncomingMessage; readonly response: ServerResponse }[] = [];
  #awaitsDrain = false;
  readonly #held: Held;
  #isHeld = false;

  constructor(socket: Socket, listener: RequestListener, held: Held) {
    this.#socket = socket;
    this.#listener = listener;
    this.#held = held;
    // Node resumes a socket with each request that has come, or is answered.
    socket.on("resume", () => this.#pauseIfUnread());
    socket.once("close", () => {
      this.#waiting = [];
    });
  }

  request(request: IncomingMessage, response: ServerResponse): void {
    if (this.#waiting.length === 0 && this.#isFree) {
      this.#begin(request, response);
      return;
    }
    this.#waiting.push({ request, response });
    this.#pauseIfUnread();
    this.#awaitDrain();
  }

  /** It is read again. */
  release(): void {
    this.#isHeld = false;
    this.#readOn();
  }

  get #isFree(): boolean {
    return this.#inHand < REQUESTS_IN_HAND_MAX && !this.#socket.writableNeedDrain;
  }

  #begin(request: IncomingMessage, response: ServerResponse): void {
    this.#listener(request, response);
    if (response.writableEnded) this.#holdAfter(response.statusCode);
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

  #holdAfter(status: number): void {
    if (this.#isHeld || (status !== OVERLOADED.status && status !== RATE_LIMITED)) return;
    this.#isHeld = true;
    (status === RATE_LIMITED ? this.#held.limited : this.#held.full).add(this);
    this.#pauseIfUnread();
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

/** Who isn't read for now, in the order in which they were told to come again later. */
class HeldClients {
  readonly #heldMs: number;
  readonly #isFull: () => boolean;
  readonly #held: { readonly client: Client; readonly sinceMs: number }[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(heldMs: number, isFull: () => boolean) {
    this.#heldMs = heldMs;
    this.#isFull = isFull;
  }

  add(client: Client): void {
    this.#held.push({ client, sinceMs: performance.now() });
    this.#timer ??= setInterval(() => this.#releaseSome(), HELD_CHECK_MS).unref();
  }

  #releaseSome(): void {
    const isFull = this.#isFull();
    const nowMs = performance.now();
    const first = this.#held.slice(0, READ_AGAIN_AT_ONCE_MAX);
    const due = first.filter(({ sinceMs }) => !isFull || nowMs - sinceMs >= this.#heldMs);
    this.#held.splice(0, due.length);
    for (const { client } of due) client.release();
    if (this.#held.length > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
