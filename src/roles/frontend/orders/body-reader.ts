// The bytes of a POST body, up to a limit.
//
// A body that is too large is read to its end and thrown away before it is
// refused: many clients send everything before they read, and would see a
// broken connection instead of the answer. After it the connection is as usable
// as before. Of what is far too large the rest isn't read; it would have to be
// before another request on that connection, so whoever answers closes it.

import type { IncomingMessage } from "node:http";
import { BODY_BYTES_MAX, BODY_DISCARDED_BYTES_MAX } from "../limits.ts";

/** The body has more bytes than are taken. */
export class BodyTooLargeError extends Error {
  override readonly name = "BodyTooLargeError";
  /** Whether it was read to its end; else the connection must be closed. */
  readonly ended: boolean;

  constructor(ended: boolean) {
    super();
    this.ended = ended;
  }
}

/** The connection broke before the body had come as a whole. */
export class BodyCutOffError extends Error {
  override readonly name = "BodyCutOffError";
}

/** Calls `done` once, with the body or with one of the errors above. */
export function readBody(
  payload: IncomingMessage,
  done: (error: Error | null, body?: Uint8Array) => void,
): void {
  let chunks: Uint8Array[] = [];
  let bytes = 0;

  payload.on("data", onData);
  payload.on("end", onEnd);
  payload.on("error", onError);

  function onData(chunk: Uint8Array): void {
    bytes += chunk.length;
    if (bytes <= BODY_BYTES_MAX) {
      chunks.push(chunk);
      return;
    }
    chunks = [];
    if (bytes > BODY_DISCARDED_BYTES_MAX) finish(new BodyTooLargeError(false));
  }

  function onEnd(): void {
    if (bytes > BODY_BYTES_MAX) finish(new BodyTooLargeError(true));
    else finish(null, chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, bytes));
  }

  function onError(): void {
    finish(new BodyCutOffError());
  }

  function finish(error: Error | null, body?: Uint8Array): void {
    payload.off("data", onData);
    payload.off("end", onEnd);
    payload.off("error", onError);
    payload.on("error", () => {}); // it may yet break, and nobody cares
    done(error, body);
  }
}
