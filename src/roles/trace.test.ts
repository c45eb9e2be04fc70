import { describe, expect, test } from "vitest";
import { ExpectedTraces, readTrace, spanIn, spanOf, TRACE } from "./trace.ts";

const ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";
const SENT = `00-${ID}-${PARENT}-01`;

describe("readTrace", () => {
  const read: readonly (readonly [what: string, header: string, trace: string])[] = [
    ["as it stands", SENT, SENT],
    ["not sampled", `00-${ID}-${PARENT}-00`, `00-${ID}-${PARENT}-00`],
    ["with flags that aren't known yet", `00-${ID}-${PARENT}-ff`, SENT],
    ["of a later version", `cc-${ID}-${PARENT}-01`, SENT],
    ["of a later version, with more", `01-${ID}-${PARENT}-01-what the future holds`, SENT],
  ];
  test.each(read)("a trace is lost: %s", (_what, header, trace) => {
    expect(readTrace(header)).toBe(trace);
    expect(trace).toMatch(TRACE);
  });

  const none: readonly (readonly [what: string, header: string | string[] | undefined])[] = [
    ["nothing", undefined],
    ["an empty one", ""],
    ["two of them", [SENT, SENT]],
    ["two of them, joined", `${SENT}, ${SENT}`],
    ["the version that never is", `ff-${ID}-${PARENT}-01`],
    ["a trace without id", `00-${"0".repeat(32)}-${PARENT}-01`],
    ["a parent without id", `00-${ID}-${"0".repeat(16)}-01`],
    ["capitals", SENT.toUpperCase()],
    ["too short an id", `00-${ID.slice(1)}-${PARENT}-01`],
    ["no flags", `00-${ID}-${PARENT}`],
    ["more than this version has", `${SENT}-more`],
    ["a later version with more, without a dash", `01-${ID}-${PARENT}-01x`],
    ["a line break", `${SENT}\n`],
  ];
  test.each(none)("what is no trace passes for one: %s", (_what, header) => {
    expect(readTrace(header)).toBeUndefined();
  });
});

test("a span is outside its trace, or another's parent", () => {
  const first = spanIn(SENT);
  const second = spanIn(first.trace);
  expect(first.fields).toEqual({ traceId: ID, spanId: expect.any(String), parentId: PARENT });
  expect(second.fields).toMatchObject({ traceId: ID, parentId: first.fields.spanId });
  expect(second.fields.spanId).not.toBe(first.fields.spanId);
  expect(first.trace).toBe(`00-${ID}-${first.fields.spanId}-01`);
  expect(spanIn(`00-${ID}-${PARENT}-00`).trace).toMatch(/-00$/);
  expect(first.trace).toMatch(TRACE);
  expect(spanOf(first.trace)).toEqual({ traceId: ID, spanId: first.fields.spanId });
});

test("traces of entries that never come fill the memory", () => {
  const traces = new ExpectedTraces();
  const requests = Array.from({ length: 10_001 }, (_, index) => ({
    requestId: String(index),
    trace: SENT,
  }));
  traces.expect(requests);
  expect(traces.came("0")).toBeUndefined();
  expect(traces.came("10000")?.fields.traceId).toBe(ID);
  expect(traces.came("10000")).toBeUndefined();
  expect(traces.came("unheard of")).toBeUndefined();
});
