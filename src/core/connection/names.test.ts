import { expect, test } from "vitest";
import { holderOf, nameOf, Speakers } from "./names.ts";

const LEASE = 550;

test("two processes of one name are two holders", () => {
  expect(holderOf("frontend", "a")).not.toBe(holderOf("frontend", "b"));
  expect(nameOf(holderOf("frontend-8001", "a-b"))).toBe("frontend-8001");
});

test("of two connections of one name the first is heard, and the second once that is gone", () => {
  const [first, second] = [{ link: "a" }, { link: "b" }];
  const speakers = new Speakers<{ readonly link: string }>(LEASE);
  const both = (nowMs: number) =>
    [first, second].map((each) => speakers.speaks("catalog", each, nowMs));
  expect(both(0)).toEqual([true, false]);
  speakers.left("catalog", second, 0);
  expect(both(0)).toEqual([true, false]);
  speakers.left("catalog", first, 100);
  expect(speakers.speaks("catalog", second, 99 + LEASE)).toBe(false);
  expect(speakers.speaks("catalog", second, 100 + LEASE)).toBe(true);
  expect(both(100 + LEASE)).toEqual([false, true]);
});

test("a process whose connection broke is heard again at once, before another of its name", () => {
  const speakers = new Speakers<{ readonly link: string }>(LEASE);
  const before = { link: "a" };
  expect(speakers.speaks("catalog", before, 0)).toBe(true);
  speakers.left("catalog", before, 10);
  expect(speakers.speaks("catalog", { link: "b" }, 20)).toBe(false);
  expect(speakers.speaks("catalog", { link: "a" }, 30)).toBe(true);
});

test("processes of different names are heard side by side", () => {
  const speakers = new Speakers<{ readonly link: string }>(LEASE);
  expect(speakers.speaks("catalog", { link: "a" }, 0)).toBe(true);
  expect(speakers.speaks("catalog-9097", { link: "b" }, 0)).toBe(true);
});
