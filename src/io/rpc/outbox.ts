// What a connection sends: messages of one event-loop turn, gathered into one
// frame.
//
//   1. Messages leave in the order in which they were posted.
//   2. At most one frame a turn, unless flush() is called or a frame is full.
//   3. A message is encoded when it is posted; one that can't be sent fails alone.
//   4. What the network hasn't taken is bounded: beyond it, onStuck is called.

import type { WebSocket } from "ws";
import { FRAME_HEADER_BYTES_MAX, joinFrame, MessageEncoder } from "./codec.ts";
import { errorText, RpcError } from "./error.ts";
import type { RpcLimits } from "./limits.ts";
import type { SentCounts } from "./types.ts";
import type { WireMessage } from "./wire.ts";

export class Outbox {
  readonly #socket: WebSocket;
  readonly #messagesBytesMax: number;
  readonly #messagesMax: number;
  readonly #queuedBytesMax: number;
  readonly #sent: SentCounts | undefined;
  readonly #onStuck: (queuedBytes: number) => void;
  readonly #encoder = new MessageEncoder();
  #messages: Uint8Array[] = [];
  #bytes = 0;
  #turnsEnd: NodeJS.Immediate | null = null;
  #closed = false;

  /**
   * `sent` counts what leaves. `onStuck` is told how many bytes the other side has left unread;
   * must close the connection.
   */
  constructor(
    socket: WebSocket,
    limits: RpcLimits,
    sent: SentCounts | undefined,
    onStuck: (queuedBytes: number) => void,
  ) {
    this.#socket = socket;
    this.#sent = sent;
    this.#messagesBytesMax = limits.frameBytesMax - FRAME_HEADER_BYTES_MAX;
    this.#messagesMax = limits.frameMessagesMax;
    this.#queuedBytesMax = limits.queuedBytesMax;
    this.#onStuck = onStuck;
  }

  /** Queues a message. Throws RpcError `refused` when it can't be encoded, or not in one frame. */
  post(message: WireMessage): void {
    if (this.#closed) return;
    const bytes = this.#encode(message);
    const isFull =
      this.#bytes + bytes.length > this.#messagesBytesMax ||
      this.#messages.length >= this.#messagesMax;
    if (isFull) this.flush();
    if (this.#closed) return;
    this.#messages.push(bytes);
    this.#bytes += bytes.length;
    // Check phase: after every callback of this turn's poll phase has made its calls.
    this.#turnsEnd ??= setImmediate(() => this.flush());
  }

  /** Hands what is queued to the network. */
  flush(): void {
    if (this.#turnsEnd !== null) clearImmediate(this.#turnsEnd); // it would cost a turn of the loop
    this.#turnsEnd = null;
    if (this.#messages.length === 0) return;
    const frame = joinFrame(this.#messages, this.#bytes);
    if (this.#sent) {
      this.#sent.messages += this.#messages.length;
      this.#sent.frames += 1;
    }
    this.#messages = [];
    this.#bytes = 0;
    this.#socket.send(frame, { binary: true, compress: false });
    const queuedBytes = this.#socket.bufferedAmount;
    if (queuedBytes > this.#queuedBytesMax) this.#onStuck(queuedBytes);
  }

  /** Drops what is queued, and whatever is posted from now on. */
  close(): void {
    this.#closed = true;
    this.#messages = [];
    this.#bytes = 0;
  }

  #encode(message: WireMessage): Uint8Array {
    let bytes: Uint8Array;
    try {
      bytes = this.#encoder.encode(message);
    } catch (error) {
      throw new RpcError("refused", `can't be encoded: ${errorText(error)}`);
    }
    if (bytes.length <= this.#messagesBytesMax) return bytes;
    this.#encoder.reset();
    throw new RpcError(
      "refused",
      `${bytes.length} bytes are more than a frame's ${this.#messagesBytesMax}`,
    );
  }
}
