// Axes and colours, whose faults a reader of a plot can't see.

import { expect, test } from "vitest";
import { escaped, marksOf, picture, scaleOf, shortNumber } from "./svg.ts";

test("no value lies outside its axis", () => {
  for (const values of [[0.37, 4.2], [3], [0.002, 900], [1, 10], [12_345], [0.9, 1.1], []]) {
    for (const kind of ["linear", "log"] as const) {
      const marks = marksOf(values, kind);
      expect(marks.length).toBeGreaterThan(1);
      expect(marks).toEqual(marks.toSorted((a, b) => a - b));
      const [low = 0, high = 0] = [marks[0], marks.at(-1)];
      for (const value of values) expect(low <= value && value <= high).toBe(true);
    }
  }
});

test("marks are round numbers, not what binary fractions make of them", () => {
  expect(marksOf([0.3], "linear")).toEqual([0, 0.1, 0.2, 0.3]);
  expect(marksOf([0.3, 6], "log")).toEqual([0.2, 0.5, 1, 2, 5, 10]);
  expect(shortNumber(20_000)).toBe("20k");
});

test("a logarithmic axis gives each power of ten the same room", () => {
  const y = scaleOf([1, 10, 100], 0, 200, "log");
  expect([1, 10, 100].map(y).map(Math.round)).toEqual([0, 100, 200]);
});

test("a name with a sign of XML in it doesn't break the picture", () => {
  expect(escaped('<a & "b">')).toBe("&lt;a &amp; &quot;b&quot;&gt;");
  expect(picture(1, 1, "<&>", [])).toContain("<title>&lt;&amp;&gt;</title>");
});

test("on a dark page neither text nor lines are dark", () => {
  const [light = "", dark = ""] = picture(1, 1, "t", []).split("prefers-color-scheme:dark");
  for (const rule of [".paper{fill:", "text{fill:", ".s0{stroke:", ".f2{fill:"]) {
    const colour = (css: string) => css.split(rule)[1]?.slice(0, 7);
    expect(colour(light)).toMatch(/^#[0-9a-f]{6}$/);
    expect(colour(dark)).toMatch(/^#[0-9a-f]{6}$/);
    expect(colour(dark)).not.toBe(colour(light));
  }
});
