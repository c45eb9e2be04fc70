import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { commandsText, machineText, type Result, replaceSection, resultName } from "./publish.ts";

const RESULT: Result = {
  date: "2026-01-31T12:59:58.000Z",
  minutes: 12.3,
  command: "npm run bench -- --publish",
  machine: { cpu: "A CPU", cpus: 2, memoryGiB: 23.5, kernel: "Linux 6", node: "v26.1.0" },
  versions: { wrk: "wrk debian/4.1.0-3 [epoll]" },
  rounds: [
    {
      samples: { "disk.fsync": { p50Ms: 0.51 } },
      failures: ["etcd: it fell\nover"],
      loadAverages: [0.1],
    },
  ],
  rows: [],
  missing: [],
  commands: { "a.1": "wrk -c1", "a.64": "wrk -c64", "b.64": "wrk b" },
};

test("only what is between the markers changes", () => {
  const page = "before\n<!-- table -->\nold\n<!-- end table -->\nafter\n";
  const once = replaceSection(page, "table", "new");
  expect(once).toBe("before\n<!-- table -->\nnew\n<!-- end table -->\nafter\n");
  expect(replaceSection(once, "table", "new")).toBe(once);
  expect(() => replaceSection(page, "plot", "new")).toThrow("no section");
});

test("the page has every section that a result fills", () => {
  const page = readFileSync(resolve(import.meta.dirname, "../docs/benchmarks.md"), "utf8");
  for (const name of ["machine", "table", "loads", "commands"]) {
    expect(() => replaceSection(page, name, "")).not.toThrow();
  }
});

test("a reader of numbers sees on what they were measured, and what failed", () => {
  const text = machineText(RESULT);
  for (const part of [
    "2026-01-31",
    "2 processors (A CPU)",
    "0.510 ms",
    "Node.js 26.1.0, wrk 4.1.0",
    "failed: etcd: it fell",
  ]) {
    expect(text).toContain(part);
  }
});

test("loads that differ in connections only share a command", () => {
  expect(commandsText(RESULT)).toBe("```\nnpm run bench -- --publish\n\na: wrk -c1\nb: wrk b\n```");
});

test("two runs of one day don't overwrite each other", () => {
  expect(resultName(RESULT.date)).toBe("2026-01-31T12-59.json");
});
