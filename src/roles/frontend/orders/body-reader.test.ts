import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { beforeEach, expect, test } from "vitest";
import { BODY_BYTES_MAX, BODY_DISCARDED_BYTES_MAX } from "../limits.ts";
import { BodyCutOffError, BodyTooLargeError, readBody } from "./body-reader.ts";

let message: IncomingMessage;
let read: Promise<Uint8Array | Error | undefined>;
let calls: number;

beforeEach(() => {
  message = new IncomingMessage(new Socket());
  calls = 0;
  read = new Promise((resolve) => {
    readBody(message, (error, body) => {
      calls++;
      resolve(error ?? body);
    });
  });
});

function send(...pieces: readonly (string | Buffer)[]): void {
  for (const piece of pieces) message.push(piece);
}

test("a body in pieces comes as one, letters cut in two included", async () => {
  const bytes = Buffer.from("Fischgeschäft");
  send(bytes.subarray(0, 10), bytes.subarray(10));
  message.push(null);
  expect(Buffer.from((await read) as Uint8Array).toString()).toBe("Fischgeschäft");
});

test("no body is an empty one", async () => {
  message.push(null);
  expect(await read).toHaveLength(0);
});

test("a body of the largest size is taken, and a byte more isn't", async () => {
  send(Buffer.alloc(BODY_BYTES_MAX));
  message.push(null);
  expect(await read).toHaveLength(BODY_BYTES_MAX);
});

test("a body that is too large is refused once it has been read", async () => {
  send(Buffer.alloc(BODY_BYTES_MAX), "x");
  await new Promise((resolve) => setImmediate(resolve));
  expect(calls).toBe(0);
  message.push(null);
  expect(await read).toEqual(new BodyTooLargeError(true));
});

test("a body without end is cut off, not read for ever", async () => {
  send(Buffer.alloc(BODY_DISCARDED_BYTES_MAX), "x");
  expect(await read).toEqual(new BodyTooLargeError(false));
});

test("a connection that breaks in the middle is told once", async () => {
  send("{");
  message.destroy(new Error("aborted"));
  expect(await read).toBeInstanceOf(BodyCutOffError);
  message.emit("error", new Error("again"));
  expect(calls).toBe(1);
});
