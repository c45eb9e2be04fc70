import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AuditLog } from "./audit-log.ts";

const WAIT = { timeout: 10_000, interval: 10 };
let folder: string;
let path: string;
let said: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "audit-log-"));
  path = join(folder, "audit.json");
  said = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

function opened(at = path): AuditLog {
  const log = pino({ base: null }, { write: (line: string) => said.push(JSON.parse(line).msg) });
  return new AuditLog(at, "frontend", log);
}
const lines = (at = path) =>
  readFileSync(at, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

test("each record is a line with its time and its process, behind those of before, and nobody else's to read", async () => {
  for (const number of [1, 2]) {
    const audit = opened();
    audit.record({ what: "trade", who: "shop", from: "127.0.0.1", order: number });
    audit.close();
  }
  expect(lines()).toEqual(
    [1, 2].map((order) => ({
      at: expect.stringMatching(/^\d{4}-.*Z$/),
      role: "frontend",
      what: "trade",
      who: "shop",
      from: "127.0.0.1",
      order,
    })),
  );
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a file that was moved away stays as it is, and the next lines are in a new one", async () => {
  const audit = opened();
  audit.record({ what: "trade", who: null, order: 1 });
  await expect.poll(() => lines().length, WAIT).toBe(1);
  renameSync(path, `${path}.1`);
  await expect
    .poll(() => {
      audit.record({ what: "trade", who: null, order: 2 });
      return statSync(path, { throwIfNoEntry: false }) !== undefined;
    }, WAIT)
    .toBe(true);
  audit.close();
  expect(lines(`${path}.1`)[0]).toMatchObject({ order: 1 });
  expect(lines().at(-1)).toMatchObject({ order: 2 });
});

test("while its disk is full it says so, keeps what was under way, and goes on when there is room", async () => {
  symlinkSync("/dev/full", path);
  const audit = opened();
  expect(audit.isWritable).toBe(true);
  audit.record({ what: "trade", who: null, order: 1 });
  await expect.poll(() => audit.isWritable, WAIT).toBe(false);
  audit.record({ what: "trade", who: null, order: 2 });
  rmSync(path);
  await expect.poll(() => audit.isWritable, WAIT).toBe(true);
  audit.close();
  const numbers = lines().flatMap(({ order }) => (order === undefined ? [] : [order]));
  expect(numbers).toEqual([1, 2]);
  expect(said).toEqual([
    "The audit log can't be written: nobody is let in until it can",
    "The audit log is written again",
  ]);
});

test("a file that can't be made is the system's error at once", () => {
  expect(() => opened(join(folder, "nowhere", "audit.json"))).toThrow("ENOENT");
});
