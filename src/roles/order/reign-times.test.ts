import { beforeEach, expect, test } from "vitest";
import { ReignTimes } from "./reign-times.ts";

let now: number;
let commits: number[];
let exposures: number[];
let leaseWaits: number[];
let times: ReignTimes;

beforeEach(() => {
  now = 0;
  commits = [];
  exposures = [];
  leaseWaits = [];
  times = new ReignTimes({
    commit: { observe: (seconds) => commits.push(seconds) },
    expose: { observe: (seconds) => exposures.push(seconds) },
    leaseWait: { observe: (seconds) => leaseWaits.push(seconds) },
    nowMs: () => now,
  });
});

test("an entry's time is counted from another's, or twice", () => {
  times.appended(5);
  now = 10;
  times.appended(6);
  now = 30;
  times.committed(5);
  times.committed(5);
  now = 40;
  times.committed(6);
  times.exposed(5, false);
  now = 100;
  times.exposed(6, false);
  times.exposed(6, false);
  expect(commits).toEqual([0.03, 0.03]);
  expect(exposures).toEqual([0.01, 0.06]);
});

test("what was exposed before it was known to be committed is observed as no time", () => {
  times.appended(5);
  times.exposed(5, false);
  expect(exposures).toEqual([]);
  times.committed(5);
  times.exposed(5, false);
  expect(exposures).toHaveLength(1);
});

test("entries that are never exposed are remembered for ever", () => {
  for (let position = 1; position <= 5_000; position += 1) times.appended(position);
  times.committed(5_000);
  expect(commits).toHaveLength(1_024);
});

test("a wait for a dead view's lease is counted for each entry, or where nobody waited", () => {
  times.exposed(4, true);
  times.appended(5);
  times.appended(6);
  now = 10;
  times.committed(6);
  now = 560;
  times.exposed(6, true);
  times.appended(7);
  times.committed(7);
  times.exposed(7, false);
  expect(leaseWaits).toEqual([0.55]);
  expect(exposures).toHaveLength(3);
});
