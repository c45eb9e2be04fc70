// The lines of `up`, as a person reads them.

import { expect, test } from "vitest";
import type { ChildExit, Next } from "./supervisor.ts";
import { upLine } from "./up-text.ts";

const order = { name: "order-9094", kind: "order" } as const;
const KILLED: ChildExit = { code: null, signal: "SIGKILL", lastWords: "", hopeless: null };
const ended = (next: Next | Exclude<Next["kind"], "restart">, exit: Partial<ChildExit> = {}) => {
  const follows = typeof next === "string" ? { kind: next } : next;
  const event = {
    kind: "ended",
    role: order,
    exit: { ...KILLED, ...exit },
    next: follows,
  } as const;
  return upLine(event, "logs/x.log");
};

test("the line about a crash says what follows", () => {
  expect(ended({ kind: "restart", afterMs: 0 })).toBe(
    "order-9094 was ended by SIGKILL; starting it again now (log: logs/x.log)",
  );
  expect(ended({ kind: "restart", afterMs: 1_000 })).toBe(
    "order-9094 was ended by SIGKILL; starting it again in 1 s (log: logs/x.log)",
  );
  expect(ended("stays-down", { code: 1, signal: null, lastWords: "the disk is full" })).toBe(
    "order-9094 ended with status 1: the disk is full; it stays down (log: logs/x.log)",
  );
  expect(ended("stays-down", { code: 0, signal: null })).toContain("order-9094 stopped; it stays");
  expect(upLine({ kind: "serves-again", role: order, pid: 7 }, "")).toBe(
    "order-9094 runs again (pid 7)",
  );
});

test("the line about a role that is given up says why, where its log is, and how to start it", () => {
  const line = ended("given-up", { code: 1, signal: null, lastWords: "a bad checksum" });
  expect(line).toBe(
    'order-9094 is given up after 5 crashes in a minute, the last: it ended with status 1: a bad checksum (log: logs/x.log); the others go on, start it with "npx bazaar order 9094"',
  );
  const catalog = { name: "catalog", kind: "catalog" } as const;
  const event = { kind: "ended", role: catalog, exit: KILLED, next: { kind: "given-up" } } as const;
  expect(upLine(event, "x")).toContain('"npx bazaar catalog"');
});

test("the line about a role that can't start again says why, where its log is, and how to start it", () => {
  expect(ended("cannot-start", { code: 1, signal: null, lastWords: "a bad checksum" })).toBe(
    'order-9094 can\'t start again: a bad checksum (log: logs/x.log); the others go on, start it with "npx bazaar order 9094"',
  );
});

test("the line about a failed start has the role's own reason", () => {
  expect(ended("start-failed", { lastWords: "port 9094 is in use" })).toBe(
    "order-9094 can't start: port 9094 is in use",
  );
});
