import { expect, test } from "vitest";
import { describeSample, formatNumber, Round, rotated, TIMING_DEFAULT } from "./round.ts";

test("each round begins with another subject, so that drift doesn't always hit the same one", () => {
  const items = ["a", "b", "c", "d", "e"];
  const rounds = [0, 1, 2].map((round) => rotated(items, round));
  expect(new Set(rounds.map(([first]) => first)).size).toBe(3);
  for (const round of rounds) expect([...round].sort()).toEqual(items);
  expect(rotated([], 2)).toEqual([]);
});

test("a slot that fails is recorded, and the others go on", async () => {
  const said: string[] = [];
  const round = new Round(TIMING_DEFAULT, new Set(["a", "b"]), (line) => said.push(line));
  await round.measure("a", "wrk a", () => Promise.reject(new Error("it fell over\nlog")));
  await round.measure("b", "wrk b", async () => ({ okPerSecond: 5 }));
  await round.measure("c", "wrk c", () => Promise.reject(new Error("not wanted")));
  expect(round.samples).toEqual({ b: { okPerSecond: 5 } });
  expect(round.failures).toEqual(["a: it fell over\nlog"]);
  expect(said[0]).toContain("FAILED: Error: it fell over");
  expect(Object.keys(round.commands)).toEqual(["a", "b"]);
});

test("numbers keep three digits that matter", () => {
  expect([12_345.6, 99.94, 9.994, 0.12345, 5, Number.NaN].map(formatNumber)).toEqual([
    "12,346",
    "99.9",
    "9.99",
    "0.123",
    "5",
    "–",
  ]);
});

test("what went wrong shows only where something did", () => {
  expect(describeSample({ okPerSecond: 0, notOk: 0, lost: 2 })).toBe("okPerSecond 0, lost 2");
});
