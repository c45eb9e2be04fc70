import { expect, test } from "vitest";
import { Complaints } from "./complaints.ts";
import { rememberingLog } from "./testing.ts";

test("a peer that sends nonsense all day doesn't fill the disk with log lines", () => {
  const { log, lines } = rememberingLog();
  let nowMs = 5;
  const complaints = new Complaints(log, 1_000, () => nowMs);
  for (let i = 0; i < 300; i += 1) {
    complaints.warn("nonsense", { i }, "Nonsense");
    nowMs += 10;
  }
  expect(lines).toMatchObject([
    { i: 0, level: 40 },
    { i: 100, suppressed: 99 },
    { i: 200, suppressed: 99 },
  ]);
});

test("one peer's noise doesn't hide another's", () => {
  const { log, lines } = rememberingLog();
  const complaints = new Complaints(log, 1_000, () => 0);
  for (const key of ["a", "b", "a", "b"]) complaints.warn(key, { key }, "Nonsense");
  expect(lines.map((line) => line.key)).toEqual(["a", "b"]);
});

test("complaints about ever new names don't pile up in memory", () => {
  const { log, lines } = rememberingLog();
  const complaints = new Complaints(log, 1_000, () => 0);
  complaints.warn("first", {}, "Nonsense");
  for (let i = 0; i < 2_000; i += 1) complaints.warn(`name ${i}`, {}, "Nonsense");
  complaints.warn("first", {}, "Nonsense");
  // It was forgotten, or it would have been left out.
  expect(lines).toHaveLength(2_002);
});
