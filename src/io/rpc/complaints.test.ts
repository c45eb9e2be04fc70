import { expect, test } from "vitest";
import { Complaints } from "./complaints.ts";
import { rememberingLog } from "./testing.ts";

test("a repeated complaint is logged once a period, with the number of those left out", () => {
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

test("a complaint about one peer leaves those about others in the log", () => {
  const { log, lines } = rememberingLog();
  const complaints = new Complaints(log, 1_000, () => 0);
  for (const key of ["a", "b", "a", "b"]) complaints.warn(key, { key }, "Nonsense");
  expect(lines.map((line) => line.key)).toEqual(["a", "b"]);
});

test("complaints of ever new kinds are limited in number, and how many were left out is logged", () => {
  const { log, lines } = rememberingLog();
  let nowMs = 0;
  const complaints = new Complaints(log, 1_000, () => nowMs);
  const flood = () => {
    for (let i = 0; i < 10_000; i += 1) complaints.warn(`address ${i}`, { i }, "Nonsense");
  };
  flood();
  expect(lines.length).toBeLessThan(300);
  nowMs = 1_000;
  complaints.warn("one that is new", {}, "Another");
  expect(lines.at(-1)).toMatchObject({ msg: "Another" });
  flood();
  expect(lines.length).toBeLessThan(600);
  const told = lines.filter(({ suppressed }) => Number(suppressed) > 9_000);
  expect(told).toHaveLength(1);
});
