// `bazaar evaluate` as its user runs it, small: the files are there and whole,
// and the answers are those of the numbers. Not whether the numbers are good:
// that is for the machine to say.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Finished, Running, runBazaar } from "../../lab/process.ts";
import { until } from "../../lab/wait.ts";
import { answersTo } from "../../src/cli/evaluate/answers.ts";
import { allHeld, type Evaluation, sameContents } from "../../src/cli/evaluate/results.ts";

/** Four clusters are started, one after the other. */
const EVALUATION_LIMIT_MS = 240_000;

const PLOTS = ["fail-over.svg", "lookups.svg", "replacement.svg", "throughput.svg", "trades.svg"];

let folder: string;
let out: string;
let finished: Finished;
let results: Evaluation;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bazaar-test-"));
  out = join(folder, "out");
  finished = await runBazaar(
    ["evaluate", `--out=${out}`, "--clients=2", "--iterations=10", "--kills=1"],
    EVALUATION_LIMIT_MS,
  );
  if (finished.status === null || !readdirSync(out).includes("results.json")) {
    throw new Error(`evaluate ended with ${finished.status}: ${finished.stderr}`);
  }
  results = JSON.parse(read("results.json"));
}, EVALUATION_LIMIT_MS);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(file: string): string {
  return readFileSync(join(out, file), "utf8");
}

test("the report has all its files", () => {
  expect(readdirSync(out).sort()).toEqual(
    [...PLOTS, "report.html", "report.md", "results.json"].sort(),
  );
});

test("the results have every cell of the load and every kill", () => {
  const cells = results.load.map(({ hasCache, probability }) => [hasCache, probability]);
  const probabilities = [0, 0.2, 0.4, 0.6, 0.8];
  expect(cells).toEqual([true, false].flatMap((on) => probabilities.map((p) => [on, p])));
  for (const { hasCache, lookup, hits, misses } of results.load) {
    expect(lookup.count).toBe(20);
    // A lookup waits for another's fetch of the same stock, or asks once more: not one each.
    if (hasCache) expect(hits + misses).toBeGreaterThan(0);
    else expect(hits).toBe(0);
  }
  expect(results.failOver.kills).toMatchObject([{ led: true }]);
  expect(results.failOver.verdict.orders).toBe(results.failOver.total);
  expect(results.replacement.stocks).toHaveLength(12);
  const sizes = results.replacement.steps.map(({ cached }) => cached.length);
  expect(Math.max(...sizes)).toBe(5);
});

test("the answers printed and reported are those that follow from the results", () => {
  for (const { text } of answersTo(results)) {
    expect(finished.stdout).toContain(text);
    expect(read("report.md")).toContain(text);
  }
  expect(finished.status).toBe(allHeld(results) ? 0 : 1);
});

test("every call is answered, every order is found, and all copies are the same", () => {
  for (const { failures, matched, total } of [...results.load, results.failOver]) {
    expect({ failures, missing: total - matched }).toEqual({ failures: 0, missing: 0 });
  }
  const { verdict, files } = results.failOver;
  expect(verdict).toMatchObject({ ok: true, differences: [] });
  expect(files).toHaveLength(3);
  expect(sameContents(files)).toBe(true);
  const digests = files.flatMap(({ fileDigest, journalDigest }) => [fileDigest, journalDigest]);
  expect(digests.filter((digest) => !/^[0-9a-f]{64}$/.test(digest))).toEqual([]);
  for (const { last } of files) expect(last).toBeGreaterThanOrEqual(verdict.position);
});

test("every plot is well-formed SVG, and stands in the report", () => {
  for (const file of PLOTS) {
    const svg = read(file);
    expect(unclosed(svg)).toEqual([]);
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" /);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    expect(read("report.html")).toContain(svg.trim());
  }
});

test("an evaluation that is interrupted leaves no process and no folder", {
  timeout: EVALUATION_LIMIT_MS,
}, async () => {
  const temporary = join(folder, "temporary");
  mkdirSync(temporary);
  const args = ["evaluate", `--out=${join(folder, "interrupted")}`, "--iterations=100000"];
  const main = join(import.meta.dirname, "../../bin/bazaar.js");
  const running = new Running(process.execPath, [main, ...args], {
    environment: { TMPDIR: temporary },
  });
  await until("the load", () => running.stderr.includes("load, p = 0 %"), EVALUATION_LIMIT_MS);
  running.signal("SIGINT");
  expect(await running.end()).toMatchObject({
    status: 130,
    stderr: expect.not.stringContaining("bazaar:"),
  });
  expect(readdirSync(temporary)).toEqual([]);
  // The options of every process of a cluster name its folder.
  const { stdout } = spawnSync("ps", ["-A", "-o", "args="], { encoding: "utf8" });
  expect(stdout.split("\n").filter((line) => line.includes(temporary))).toEqual([]);
});

/** Tags of an XML text that aren't closed, or closed without being open; attributes without quotes. */
function unclosed(xml: string): readonly string[] {
  const open: string[] = [];
  const wrong: string[] = [];
  const tag = /<(\/?)([a-z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g;
  for (const [, end, name = "", , isEmpty] of xml.matchAll(tag)) {
    if (end) {
      if (open.pop() !== name) wrong.push(`/${name}`);
    } else if (!isEmpty) {
      open.push(name);
    }
  }
  const rest = xml.replaceAll(tag, "").replaceAll(/&(?:amp|lt|gt|quot);/g, "");
  return [...wrong, ...open, ...(rest.match(/[<>&][^\n]{0,40}/g) ?? [])];
}
