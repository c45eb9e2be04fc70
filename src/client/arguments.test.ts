import { expect, test } from "vitest";
import { keyOf, positive, traceHeaders } from "./arguments.ts";

const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

test.each(["", " ", "schlüssel→", "a\nb", " x", "x ", "\x7f", "k".repeat(129)])(
  "%j is sent as a key, which no header can carry or the bazaar doesn't take",
  (key) => {
    expect(() => keyOf(key)).toThrow(TypeError);
  },
);

test.each(["k", "my key: 1", "~!", "k".repeat(128)])("%j is refused as a key", (key) => {
  expect(keyOf(key)).toBe(key);
});

test("a trace that is none is sent, or one that is isn't", () => {
  expect(traceHeaders(undefined)).toEqual({});
  expect(traceHeaders(TRACE)).toEqual({ traceparent: TRACE });
  for (const wrong of ["", "a\nb", `${TRACE}\n`, TRACE.toUpperCase()]) {
    expect(() => traceHeaders(wrong)).toThrow(TypeError);
  }
});

test("a time-out that can't pass is taken", () => {
  expect(positive(0.5)).toBe(0.5);
  for (const wrong of [0, -1, Number.NaN]) expect(() => positive(wrong)).toThrow(RangeError);
});
