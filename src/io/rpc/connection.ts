// One open connection: birpc over a WebSocket, both sides calling.
//
//   1. Calls, notifications and answers of one event-loop turn leave in one
//      frame, in the order made; flush() sends them at once.
//   2. Every call settles: with its answer, at its time-out, or when the
//      connection closes. Nothing of it is kept after that.
//   3. Handlers are started in the order in which the other side called.
//   4. onClose is told once, as soon as the connection is known to be over,
//      whoever ended it, and never inside a call into this connection.
//   5. What the other side sends can't throw here: a call of the wrong shape is
//      refused and logged; a frame that can't be read, or the first message that
//      is neither a call nor an answer, ends the connection.
//   6. A connection on which nothing comes is ended, though nobody closed it; see
//      core/connection/silence.ts. Each side says something when it has sent
//      nothing for a while: an unsolicited pong, which asks for no answer.
//      https://www.rfc-editor.org/rfc/rfc6455#section-5.5.3

import type { Socket } from "node:net";
import { type BirpcReturn, createBirpc } from "birpc";
import type { Logger } from "pino";
import type { WebSocket } from "ws";
import type { z } from "zod";
import { LINK_TICK_MS } from "../../core/connection/limits.ts";
import { Silence } from "../../core/connection/silence.ts";
import { recurring } from "../recurring.ts";
import { FrameDecoder } from "./codec.ts";
import type { Complaints } from "./complaints.ts";
import { type Dispatch, shapeProblem } from "./dispatcher.ts";
import { errorText, fromWire, RpcError, toWire } from "./error.ts";
import type { RpcLimits } from "./limits.ts";
import { Outbox } from "./outbox.ts";
import type { CallOptions, Calls, Contract, Identity, Peer, Tap } from "./types.ts";
import { isWireMessage, type WireMessage } from "./wire.ts";

export interface ConnectionOptions {
  /** Open already. */
  readonly socket: WebSocket;
  /** What it is made of: tells how many bytes came and went. */
  readonly tcp: Socket;
  /** Of the other side. */
  readonly identity: Identity;
  /** Of this process. */
  readonly tap: Tap | undefined;
  readonly link: string;
  readonly dispatch: Dispatch;
  readonly log: Logger;
  readonly complaints: Complaints;
  readonly limits: RpcLimits;
  readonly onClose: (peer: Connection) => void;
}

/** A call as birpc sees it. The time-out stays here: onRequest takes it off before the call is sent. */
type RemoteCall = (argument: unknown, timeoutMs?: number) => unknown;
type Remote = Record<string, RemoteCall>;
type Local = Record<string, never>;

/** Longest time a timer can be set to; beyond it, it would go off at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

// https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1
const CLOSE_NORMAL = 1000;
const CLOSE_PROTOCOL_ERROR = 1002;

export class Connection implements Peer {
  readonly identity: Identity;
  readonly link: string;
  readonly #socket: WebSocket;
  readonly #tcp: Socket;
  readonly #dispatch: Dispatch;
  readonly #log: Logger;
  readonly #complaints: Complaints;
  readonly #limits: RpcLimits;
  readonly #onClose: (peer: Connection) => void;
  readonly #rpc: BirpcReturn<Remote, Local, false>;
  readonly #outbox: Outbox;
  readonly #decoder: FrameDecoder;
  readonly #tap: Tap | undefined;
  /** Messages of each direction, so that who listens at both ends knows which is which. */
  readonly #passed = { sent: 0, received: 0 };
  readonly #silence = new Silence(performance.now());
  readonly #stopTicks: () => void;
  /** Bytes sent when last looked at. */
  #sentBytes = 0;
  #deliver: (message: WireMessage) => void = () => {};
  #open = true;
  /** Calls of ours without an answer yet. */
  #pending = 0;
  /** Calls of theirs that a handler is still at. */
  #inHand = 0;

  constructor(options: ConnectionOptions) {
    this.identity = options.identity;
    this.link = options.link;
    this.#tap = options.tap;
    this.#socket = options.socket;
    this.#tcp = options.tcp;
    this.#decoder = new FrameDecoder(options.limits.frameMessagesMax);
    this.#dispatch = options.dispatch;
    this.#log = options.log;
    this.#complaints = options.complaints;
    this.#limits = options.limits;
    this.#onClose = options.onClose;
    this.#outbox = new Outbox(options.socket, options.limits, options.tap?.sent, (bytes) =>
      this.#stuck(bytes),
    );
    this.#rpc = this.#createRpc();
    this.#socket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    // An error is followed by close; a frame over the limit is told here, and closes with 1009.
    this.#socket.on("error", (error) =>
      this.#complain("connection", { why: errorText(error) }, "A connection failed"),
    );
    this.#socket.on("close", (code, reason) => {
      this.#shut(`the connection closed (${code}${reason.length === 0 ? "" : ` ${reason}`})`);
    });
    this.#stopTicks = recurring(
      () => LINK_TICK_MS,
      () => this.#tick(),
    );
  }

  get isOpen(): boolean {
    return this.#open && this.#socket.readyState === this.#socket.OPEN;
  }

  calls<C extends Contract>(contract: C, options: CallOptions = {}): Calls<C> {
    const timeoutMs = options.timeoutMs ?? this.#limits.callTimeoutMs;
    if (!(timeoutMs > 0 && timeoutMs <= TIMER_MS_MAX)) {
      throw new RangeError(`a time-out must be 1 to ${TIMER_MS_MAX} ms, not ${timeoutMs}`);
    }
    const calls: Record<string, (argument: unknown) => unknown> = {};
    for (const [name, { result }] of Object.entries(contract)) {
      calls[name] =
        result === undefined
          ? (argument) => this.#notify(name, argument)
          : (argument) => this.#call(name, argument, result, timeoutMs);
    }
    return calls as Calls<C>;
  }

  flush(): void {
    this.#outbox.flush();
  }

  close(): void {
    this.#outbox.flush();
    this.#shut("closed by this side");
    this.#socket.close(CLOSE_NORMAL);
  }

  /** Ends it without another word: the other side is gone, or has opened another connection. */
  abandon(why: string): void {
    this.#shut(why);
    this.#socket.terminate();
  }

  #createRpc(): BirpcReturn<Remote, Local, false> {
    return createBirpc<Remote, Local, false>(
      {},
      {
        proxify: false,
        // Time-outs differ by call, so they are kept in onRequest.
        timeout: -1,
        post: (message: WireMessage) => {
          if (message.t === "s" && message.e !== undefined) message.e = toWire(message.e);
          this.#outbox.post(message);
          this.#pass("sent", message);
        },
        on: (deliver) => {
          this.#deliver = deliver;
        },
        resolver: (name) => (argument) => this.#serve(name, argument),
        onRequest: (request, send) => {
          const [argument, timeoutMs] = request.a;
          request.a = [argument];
          return withTimeout(send(request), timeoutMs, this.#what(request.m));
        },
        // birpc names the function only when an answer couldn't be sent; the
        // caller is told that next. Other errors are the call's, and reject it.
        onGeneralError: (_error, name) => name !== undefined,
      },
    );
  }

  async #call(
    name: string,
    argument: unknown,
    result: z.ZodType,
    timeoutMs: number,
  ): Promise<unknown> {
    if (!this.isOpen) throw new RpcError("closed", `${this.#what(name)}: not connected`);
    if (this.#pending >= this.#limits.callsInFlightMax) {
      throw new RpcError("busy", `${this.#what(name)}: ${this.#pending} calls await an answer`);
    }
    this.#pending += 1;
    let answer: unknown;
    try {
      answer = await this.#rpc.$call(name, argument, timeoutMs);
    } catch (error) {
      throw fromWire(error, this.#what(name));
    } finally {
      this.#pending -= 1;
    }
    const parsed = result.safeParse(answer);
    if (parsed.success) return parsed.data;
    const why = shapeProblem(parsed.error);
    this.#complain(`answer ${name}`, { call: name, why }, "Refused an answer");
    throw new RpcError("failed", `${this.#what(name)}: answered in the wrong shape: ${why}`);
  }

  #notify(name: string, argument: unknown): void {
    if (!this.isOpen) return;
    this.#rpc.$callEvent(name, argument).catch((error: unknown) => {
      this.#complain(`send ${name}`, { call: name, why: errorText(error) }, "Can't notify");
    });
  }

  #receive(data: unknown, isBinary: boolean): void {
    if (!this.#open) return;
    let messages: readonly unknown[];
    try {
      if (!isBinary || !(data instanceof Uint8Array)) throw new TypeError("a frame must be binary");
      messages = this.#decoder.decode(data);
    } catch (error) {
      this.#refuseFrame(errorText(error));
      return;
    }
    for (const message of messages) {
      if (!isWireMessage(message)) {
        this.#refuseFrame("a message is neither a call nor an answer");
        return;
      }
      this.#pass("received", message);
      this.#deliver(message);
    }
  }

  #pass(kind: "sent" | "received", message: WireMessage): void {
    this.#passed[kind] += 1;
    const watch = this.#tap?.watch;
    if (!watch) return;
    const { link } = this;
    watch({ kind, peer: this.identity.name, link, nth: this.#passed[kind], message });
  }

  #refuseFrame(why: string): void {
    this.#complain("frame", { why }, "Closing a connection: its frame can't be read");
    this.#shut("the other side sent a frame that can't be read");
    this.#socket.close(CLOSE_PROTOCOL_ERROR, "unreadable frame");
  }

  #tick(): void {
    if (!this.isOpen) return;
    const { bytesRead, bytesWritten } = this.#tcp;
    if (this.#silence.tick(performance.now(), bytesRead)) {
      this.#complain("silence", {}, "Closing a connection: nothing comes from the other side");
      this.abandon("nothing came from the other side");
      return;
    }
    if (bytesWritten === this.#sentBytes) this.#socket.pong();
    this.#sentBytes = this.#tcp.bytesWritten;
  }

  #serve(name: string, argument: unknown): unknown {
    if (this.#inHand >= this.#limits.callsInFlightMax) {
      this.#complain("busy", { inHand: this.#inHand }, "Refused a call: too many are in hand");
      throw new RpcError("busy", `${this.#inHand} calls are in hand`);
    }
    const result = this.#dispatch(name, argument, this);
    if (!(result instanceof Promise)) return result;
    this.#inHand += 1;
    return result.finally(() => {
      this.#inHand -= 1;
    });
  }

  #stuck(queuedBytes: number): void {
    this.#complain(
      "slow",
      { queuedBytes },
      "Closing a connection: the other side doesn't read what it is sent",
    );
    this.abandon("the other side doesn't read what it is sent");
  }

  #shut(why: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#stopTicks();
    this.#outbox.close();
    this.#rpc.$close(new RpcError("closed", `${this.identity.name}: ${why}`));
    this.#log.debug({ peer: this.identity.name, why }, "Connection closed");
    queueMicrotask(() => this.#onClose(this));
  }

  #complain(kind: string, fields: Readonly<Record<string, unknown>>, message: string): void {
    const peer = this.identity.name;
    this.#complaints.warn(`${kind} of ${peer}`, { peer, ...fields }, message);
  }

  #what(name: string): string {
    return `${name} at ${this.identity.name}`;
  }
}

/** Settles as `answer` does, or rejects with `timeout` after `timeoutMs`. */
function withTimeout(answer: Promise<unknown>, timeoutMs: number, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new RpcError("timeout", `${what}: no answer in ${timeoutMs} ms`)),
      timeoutMs,
    );
    const settle = (then: () => void) => {
      clearTimeout(timer);
      then();
    };
    answer.then(
      () => settle(resolve),
      (error: unknown) => settle(() => reject(error)),
    );
  });
}
