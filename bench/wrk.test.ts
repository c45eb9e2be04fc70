import { expect, test } from "vitest";
import { parseWrk, wrkCommand } from "./wrk.ts";

const REPORT = {
  requests: 1_000,
  durationUs: 2_000_000,
  statusErrors: 100,
  connectErrors: 1,
  readErrors: 2,
  writeErrors: 3,
  timeouts: 4,
  p50Us: 1_500,
  p99Us: 20_000,
  maxUs: 50_000,
  ok: 0,
  unavailable: 90,
  withoutRetryAfter: 5,
  other: 10,
};
const printed = (report: object) => `Running 2s test\n\nwrk-report ${JSON.stringify(report)}\n`;

test("answers that aren't 200 don't count", () => {
  expect(parseWrk(printed(REPORT))).toEqual({
    okPerSecond: 450,
    p50Ms: 1.5,
    p99Ms: 20,
    maxMs: 50,
    seconds: 2,
    notOk: 100,
    lost: 10,
    unavailable: 90,
    withoutRetryAfter: 5,
    other: 10,
  });
});

test("a run without a report, or with half of one, is an error, not read as zero answers", () => {
  expect(() => parseWrk("unable to connect")).toThrow("no report");
  const { requests: _, ...half } = REPORT;
  expect(() => parseWrk(printed(half))).toThrow("has no requests");
});

test("the recorded command is the one that is run", () => {
  expect(wrkCommand({ port: 8000, connections: 64, seconds: 4, requests: [], count: true })).toBe(
    "wrk -t1 -c64 -d4s --timeout 15s -s bench/wrk.lua http://127.0.0.1:8000 -- REQUESTS count",
  );
});
