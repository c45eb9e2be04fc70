import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FrameDecoder, joinFrame, MessageEncoder } from "./codec.ts";

/** What the messages are after the way over one connection, in frames of `perFrame`. */
function carry(messages: readonly unknown[], perFrame: number): unknown[] {
  const encoder = new MessageEncoder();
  const decoder = new FrameDecoder();
  const arrived: unknown[] = [];
  for (let from = 0; from < messages.length; from += perFrame) {
    const encoded = messages.slice(from, from + perFrame).map((message) => encoder.encode(message));
    const bytes = encoded.reduce((sum, { length }) => sum + length, 0);
    arrived.push(...decoder.decode(joinFrame(encoded, bytes)));
  }
  return arrived;
}

const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom(null, undefined, true, false),
    fc.string({ unit: "grapheme" }),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }).map((number) => (Object.is(number, -0) ? 0 : number)),
    fc.uint8Array(),
    fc.array(tie("any"), { maxLength: 20 }),
    // Few keys, many combinations: shapes come again, in another order, and run out of ids.
    fc.dictionary(fc.constantFrom("a", "b", "c", "d", "e", "__x", "0", "f g"), tie("any"), {
      noNullPrototype: true,
    }),
  ),
})).any;

test("messages arrive as they were sent, in whatever frames", () => {
  fc.assert(
    fc.property(fc.array(value, { maxLength: 40 }), fc.integer({ min: 1, max: 20 }), (sent, n) => {
      expect(carry(sent, n)).toStrictEqual(sent);
    }),
    { numRuns: 300 },
  );
});

test("messages of more shapes than a connection has ids for arrive, the first shapes again too", () => {
  const shapes = Array.from({ length: 500 }, (_, i) => ({
    [`key${i}`]: i,
    [`other${i % 7}`]: [i],
  }));
  const sent = [...shapes, ...shapes, ...shapes.toReversed()];
  expect(carry(sent, 13)).toStrictEqual(sent);
});

test.each([0, 1, 15, 16, 17, 65_535, 65_536])("a frame of %i messages is read whole", (count) => {
  const sent = Array.from({ length: count }, (_, i) => i);
  expect(carry(sent, Math.max(count, 1))).toEqual(sent);
});

test("a message arrives although an earlier one of its shape was encoded and never sent", () => {
  const encoder = new MessageEncoder();
  const decoder = new FrameDecoder();
  const send = (message: unknown) => {
    const encoded = encoder.encode(message);
    return decoder.decode(joinFrame([encoded], encoded.length))[0];
  };
  expect(send({ first: 1 })).toEqual({ first: 1 });
  encoder.encode({ second: 2, inner: { third: 3 } });
  encoder.reset();
  expect(send({ second: 4, inner: { third: 5 } })).toEqual({ second: 4, inner: { third: 5 } });
  expect(() => encoder.encode({ fourth: { fifth: Symbol("not to be sent") } })).toThrow();
  expect(send({ fourth: { fifth: 6 } })).toEqual({ fourth: { fifth: 6 } });
  expect(send({ first: 7 })).toEqual({ first: 7 });
});

test("messages encoded before a frame is made stay as they are while later ones are encoded", () => {
  const sent = Array.from({ length: 3_000 }, (_, i) => ({ i, text: "x".repeat(i % 50) }));
  expect(carry(sent, sent.length)).toStrictEqual(sent);
});

test("a frame that promises more than it holds is refused", () => {
  const decoder = new FrameDecoder();
  expect(() => decoder.decode(Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]))).toThrow();
});
