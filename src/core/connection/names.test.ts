import { expect, test } from "vitest";
import { holderOf, nameOf, Speakers } from "./names.ts";

test("two processes of one name are two holders", () => {
  expect(holderOf("frontend", "a")).not.toBe(holderOf("frontend", "b"));
  expect(nameOf(holderOf("frontend-8001", "a-b"))).toBe("frontend-8001");
});

test("of two connections of one name the first is heard, and the second once that is gone", () => {
  const speakers = new Speakers<number>();
  expect([speakers.speaks("catalog", 1), speakers.speaks("catalog", 2)]).toEqual([true, false]);
  speakers.left("catalog", 2);
  expect([speakers.speaks("catalog", 2), speakers.speaks("catalog", 1)]).toEqual([false, true]);
  speakers.left("catalog", 1);
  expect([speakers.speaks("catalog", 2), speakers.speaks("catalog", 1)]).toEqual([true, false]);
});

test("names have nothing to do with each other", () => {
  const speakers = new Speakers<number>();
  expect([speakers.speaks("catalog", 1), speakers.speaks("catalog-9097", 2)]).toEqual([true, true]);
});
