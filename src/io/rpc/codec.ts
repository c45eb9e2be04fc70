// Messages to bytes and back: a frame is a MessagePack array of messages.
//
//   1. Each message is encoded when it is made, so what is sent is what it was
//      then, an argument that can't be encoded fails its own call only, and the
//      size of a frame is known before it is sent.
//   2. Objects are records: the keys of a shape are sent once a connection and
//      named by a byte from then on. So an encoder and a decoder belong to one
//      connection and its order of frames, and never outlive it.
//   3. Whatever was encoded must be sent, or it would take the keys of a shape
//      with it. An encoder that failed, or whose message isn't sent, is reset:
//      it then tells every shape again, which a decoder always understands.
//   4. Bytes come back as a plain Uint8Array of their own: a view of the frame
//      would keep the whole frame in memory as long as the smallest piece.
//   5. How many messages a frame has is read before any of them is: of the
//      smallest ones 16 million fit into a frame. msgpackr makes no array or map
//      that is larger than the bytes which are left.

import { Packr, Unpackr } from "msgpackr";
import { RPC_LIMITS } from "./limits.ts";

/** Largest header of a frame: an array of up to 2^32 - 1 messages. */
export const FRAME_HEADER_BYTES_MAX = 5;

/** Encodes the messages of one connection, in the order in which they are sent. */
export class MessageEncoder {
  #packr = new Packr({ sequential: true });

  /** The bytes of one message. Throws when it holds what can't be sent (a symbol, an integer beyond 64 bits). */
  encode(message: unknown): Uint8Array {
    try {
      return this.#packr.pack(message);
    } catch (error) {
      this.reset();
      throw error;
    }
  }

  /** Forgets the shapes told so far. Needed whenever an encoded message isn't sent. */
  reset(): void {
    this.#packr = new Packr({ sequential: true });
  }
}

/** One frame of encoded messages, `bytes` long in total without the frame's own header. */
export function joinFrame(messages: readonly Uint8Array[], bytes: number): Uint8Array {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES_MAX + bytes);
  let offset = writeArrayHeader(frame, messages.length);
  for (const message of messages) {
    frame.set(message, offset);
    offset += message.length;
  }
  return frame.subarray(0, offset);
}

// https://github.com/msgpack/msgpack/blob/master/spec.md#array-format-family
function writeArrayHeader(frame: Buffer, length: number): number {
  if (length < 0x10) return frame.writeUInt8(0x90 | length, 0);
  if (length < 0x10000) return frame.writeUInt16BE(length, frame.writeUInt8(0xdc, 0));
  return frame.writeUInt32BE(length, frame.writeUInt8(0xdd, 0));
}

/** Decodes the frames of one connection, in the order in which they came. */
export class FrameDecoder {
  readonly #unpackr = new Unpackr({ sequential: true, copyBuffers: true });
  readonly #messagesMax: number;

  constructor(messagesMax: number = RPC_LIMITS.frameMessagesMax) {
    this.#messagesMax = messagesMax;
  }

  /**
   * The messages of a frame, of any shape. Throws when the bytes are no MessagePack
   * array, or one of more than `messagesMax`; don't go on then.
   */
  decode(frame: Uint8Array): readonly unknown[] {
    const count = messagesIn(frame);
    if (count === null) throw new TypeError("a frame must be an array of messages");
    if (count > this.#messagesMax) {
      throw new RangeError(`${count} messages are more than a frame's ${this.#messagesMax}`); // 5
    }
    // A plain view, not the Buffer that came in: bytes in it then come back plain too.
    const messages: unknown = this.#unpackr.unpack(
      new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength),
    );
    if (!Array.isArray(messages)) throw new TypeError("a frame must be an array of messages");
    return messages;
  }
}

/** How many messages a frame says that it has; null when it begins as no array does. */
function messagesIn(frame: Uint8Array): number | null {
  const [format = 0] = frame;
  if (format >> 4 === 0x9) return format & 0xf;
  const header = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (format === 0xdc && frame.length >= 3) return header.getUint16(1);
  if (format === 0xdd && frame.length >= 5) return header.getUint32(1);
  return null;
}
