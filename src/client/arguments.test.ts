import { expect, test } from "vitest";
import { keyOf, positive, traceHeaders } from "./arguments.ts";

const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

test.each(["", " ", "schlüssel→", "a\nb", " x", "x ", "\x7f", "k".repeat(129)])(
  "%j is refused as a key",
  (key) => {
    expect(() => keyOf(key)).toThrow(TypeError);
  },
);

test.each(["k", "my key: 1", "~!", "k".repeat(128)])("%j is taken as a key", (key) => {
  expect(keyOf(key)).toBe(key);
});

test("a valid trace is sent as traceparent, and an invalid one is refused", () => {
  expect(traceHeaders(undefined)).toEqual({});
  expect(traceHeaders(TRACE)).toEqual({ traceparent: TRACE });
  for (const wrong of ["", "a\nb", `${TRACE}\n`, TRACE.toUpperCase()]) {
    expect(() => traceHeaders(wrong)).toThrow(TypeError);
  }
});

test("a time-out that isn't above 0 is refused", () => {
  expect(positive(0.5)).toBe(0.5);
  for (const wrong of [0, -1, Number.NaN]) expect(() => positive(wrong)).toThrow(RangeError);
});
