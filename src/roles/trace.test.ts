import { describe, expect, test } from "vitest";
import { rememberingLog } from "../io/rpc/testing.ts";
import { logTraces, readTraceparent, TRACES_PER_CALL_MAX, tracesSchema } from "./trace.ts";

const ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";
const SENT = `00-${ID}-${PARENT}-01`;

describe("a traceparent", () => {
  const read: readonly (readonly [what: string, header: string, trace: string])[] = [
    ["of this version", SENT, SENT],
    ["not sampled", `00-${ID}-${PARENT}-00`, `00-${ID}-${PARENT}-00`],
    ["with flags that aren't known yet", `00-${ID}-${PARENT}-ff`, SENT],
    ["of a later version", `cc-${ID}-${PARENT}-01`, SENT],
    ["of a later version, with more", `01-${ID}-${PARENT}-01-what the future holds`, SENT],
  ];
  test.each(read)("is read: %s", (_what, header, trace) => {
    expect(readTraceparent(header)).toBe(trace);
    expect(tracesSchema.safeParse([{ traceparent: trace, request: "a" }]).success).toBe(true);
  });

  const none: readonly (readonly [what: string, header: string | string[] | undefined])[] = [
    ["a missing header", undefined],
    ["an empty header", ""],
    ["two headers", [SENT, SENT]],
    ["two headers, joined", `${SENT}, ${SENT}`],
    ["the forbidden version", `ff-${ID}-${PARENT}-01`],
    ["a trace id of zeros", `00-${"0".repeat(32)}-${PARENT}-01`],
    ["a parent id of zeros", `00-${ID}-${"0".repeat(16)}-01`],
    ["capital letters", SENT.toUpperCase()],
    ["an id that is too short", `00-${ID.slice(1)}-${PARENT}-01`],
    ["a header without flags", `00-${ID}-${PARENT}`],
    ["more than version 00 has", `${SENT}-more`],
    ["a later version with more, without a dash", `01-${ID}-${PARENT}-01x`],
    ["a header with a line break", `${SENT}\n`],
  ];
  test.each(none)("isn't read from %s", (_what, header) => {
    expect(readTraceparent(header)).toBeUndefined();
  });
});

test("a call carries traces that can be read, and not too many", () => {
  const traces = (length: number, traceparent: string) =>
    tracesSchema.safeParse(new Array(length).fill({ traceparent, request: "a" })).success;
  expect(traces(TRACES_PER_CALL_MAX, SENT)).toBe(true);
  expect(traces(TRACES_PER_CALL_MAX + 1, SENT)).toBe(false);
  expect(traces(1, `${SENT}-more`)).toBe(false);
});

test("each trace is one line with its request, where the log takes debug lines", () => {
  const { log, lines } = rememberingLog();
  logTraces(log, [
    { traceparent: SENT, request: "a" },
    { traceparent: SENT, request: "/stocks" },
  ]);
  logTraces(log, undefined);
  expect(lines).toMatchObject([
    { msg: "Part of a trace", traceparent: SENT, request: "a" },
    { msg: "Part of a trace", traceparent: SENT, request: "/stocks" },
  ]);
  log.level = "info";
  logTraces(log, [{ traceparent: SENT, request: "a" }]);
  expect(lines).toHaveLength(2);
});
