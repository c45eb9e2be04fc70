// Pid files in a real folder.

import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pidFilePath, readPidFile, runningPid, writePidFile } from "./pid-file.ts";

let data = "";
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "bazaar-pid-"));
});
afterEach(() => rmSync(data, { recursive: true }));

test("a pid file holds the plain number, and is removed when the role stops", () => {
  const remove = writePidFile(data, "order-9094", 4321);
  expect(readdirSync(join(data, "run"))).toEqual(["order-9094.pid"]);
  expect(readFileSync(pidFilePath(data, "order-9094"), "utf8")).toBe("4321\n");
  remove();
  expect(readdirSync(join(data, "run"))).toEqual([]);
  expect(readdirSync(data)).toEqual(["run"]);
  remove();
});

test("a stale pid file is replaced", () => {
  mkdirSync(join(data, "run"), { mode: 0o700 });
  writeFileSync(pidFilePath(data, "catalog"), "1\n");
  writePidFile(data, "catalog", 77);
  expect(readPidFile(data, "catalog")).toBe(77);
});

test("a role that stops leaves its successor's pid file", () => {
  const remove = writePidFile(data, "catalog", 77);
  writePidFile(data, "catalog", 78);
  remove();
  expect(readPidFile(data, "catalog")).toBe(78);
});

test.each(["", "x", "-5", "0", "1", "12 13", "99999999999999999999"])(
  "a pid file that holds %j names no process",
  (text) => {
    mkdirSync(join(data, "run"));
    writeFileSync(pidFilePath(data, "catalog"), text);
    expect(readPidFile(data, "catalog")).toBeNull();
  },
);

test("a pid file counts only while its process runs and is the role's", () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)", "catalog", "9097"]);
  try {
    writePidFile(data, "catalog-9097", child.pid ?? 0);
    expect(runningPid(data, "catalog-9097")).toBe(child.pid);
    if (existsSync("/proc/self/cmdline")) {
      writePidFile(data, "order-9097", child.pid ?? 0);
      expect(runningPid(data, "order-9097")).toBeNull();
    }
  } finally {
    child.kill("SIGKILL");
  }
  // Above the highest pid that Linux gives.
  writePidFile(data, "catalog", 4_194_305);
  expect(runningPid(data, "catalog")).toBeNull();
  expect(runningPid(data, "frontend")).toBeNull();
});
