// What a client may send to trade: the bytes of a POST body, up to a limit, and
// what is read from them.
//
// A body that is too large is read to its end and thrown away before it is
// refused: many clients send everything before they read, and would see a
// broken connection instead of the answer. After it the connection is as usable
// as before. Of what is far too large the rest isn't read; it would have to be
// before another request on that connection, so whoever answers closes it.
//
// The body is JSON whatever its Content-Type says. It is read with a plain
// JSON.parse: a key __proto__ makes a property like any other, and only the
// three we know are taken over, so there is nothing to poison.

import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { BODY_BYTES_MAX, BODY_DISCARDED_BYTES_MAX } from "../limits.ts";

/** A trade as it is asked for; whether it makes sense is the leader's to say. */
export const tradeSchema = z.object(
  {
    name: z.string(mustBe("name", "a string")),
    quantity: z
      .number(mustBe("quantity", "a whole number"))
      .refine(Number.isInteger, "quantity must be a whole number"),
    type: z.string(mustBe("type", "a string")),
  },
  "it must be an object with name, quantity and type",
);
export type Trade = z.infer<typeof tradeSchema>;

/** A trade, or what is wrong with the body, for the client. */
export type TradeReading = { readonly value: Trade } | { readonly wrong: string };

/** Reads bodies; make one and use it for all. */
export function tradeReader(): (body: unknown) => TradeReading {
  // Refuses what is no UTF-8, instead of trading a name with holes; passes over a byte order mark.
  const decoder = new TextDecoder("utf-8", { fatal: true });
  return (body) => {
    if (!(body instanceof Uint8Array) || body.length === 0) return wrong("the body is empty");
    let data: unknown;
    try {
      data = withFiniteQuantity(JSON.parse(decoder.decode(body)));
    } catch (error) {
      return wrong(error instanceof SyntaxError ? "the body is no JSON" : "the body is no UTF-8");
    }
    if (Array.isArray(data)) return wrong("it must be an object, not an array");
    const read = tradeSchema.safeParse(data);
    if (read.success) return { value: read.data };
    return wrong(read.error.issues.map((issue) => issue.message).join(", "));
  };
}

/**
 * A number in JSON has no limit, ours have: one beyond, 1e400 say, is read as infinite. The largest
 * that we have is judged as it would be: it is more than there is of anything.
 */
function withFiniteQuantity(data: unknown): unknown {
  if (typeof data !== "object" || data === null || !("quantity" in data)) return data;
  const { quantity } = data;
  if (quantity === Infinity) return { ...data, quantity: Number.MAX_VALUE };
  return quantity === -Infinity ? { ...data, quantity: -Number.MAX_VALUE } : data;
}

/** Says of a field that it is missing, or of the wrong type. */
function mustBe(name: string, type: string) {
  return {
    error: (issue: { readonly input?: unknown }) =>
      issue.input === undefined ? `${name} is missing` : `${name} must be ${type}`,
  };
}

function wrong(what: string): TradeReading {
  return { wrong: what };
}

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
