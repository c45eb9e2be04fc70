// Axes and colours, whose faults a reader of a plot can't see; and plots, by what
// is in their SVG.

import { expect, test } from "vitest";
import {
  escaped,
  type LinePlot,
  linePlot,
  linePlots,
  marksOf,
  picture,
  scaleOf,
  shortNumber,
} from "./chart.ts";

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
  expect([1_000_000, 20_000, 64, 0.1].map(shortNumber)).toEqual(["1M", "20k", "64", "0.1"]);
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

const plot: LinePlot = {
  title: "Lookups & more",
  x: { label: "time, s", scale: "linear" },
  y: { label: "latency, ms", scale: "log" },
  lines: [
    {
      name: "mean",
      colour: 0,
      dash: 0,
      points: [
        { x: 0, y: 1 },
        { x: 1, y: 0 },
        { x: 2, y: 4 },
      ],
    },
    { name: "nothing", colour: 1, dash: 1, points: [] },
  ],
  events: [{ x: 1.5, name: "9094 killed" }],
};

test("axes have their units, lines and events their names", () => {
  const svg = linePlot(plot);
  for (const text of ["Lookups &amp; more", "time, s", "latency, ms", "9094 killed", ">mean<"]) {
    expect(svg).toContain(text);
  }
  expect(svg).not.toContain("nothing");
});

test("a zero on a logarithmic axis is left out, not drawn at infinity", () => {
  const svg = linePlot(plot);
  expect(svg.match(/<circle/g)).toHaveLength(2);
  expect(svg).not.toMatch(/NaN|Infinity/);
  expect(linePlot({ ...plot, hasDots: false })).not.toContain("<circle");
  expect(linePlot({ ...plot, lines: [] })).not.toMatch(/NaN|Infinity/);
});

test("points are drawn from left to right, the least at the bottom, the most at the top", () => {
  const points = [
    { x: 64, y: 1_000 },
    { x: 1, y: 10 },
  ];
  const svg = linePlot({ ...plot, lines: [{ name: "a", colour: 0, dash: 0, points }], events: [] });
  const path = /<path class="s0"[^>]* d="M(\d[^"]*L[^"]*)"/.exec(svg)?.[1] ?? "";
  const [from = [], to = []] = path.split("L").map((point) => point.split(" ").map(Number));
  expect(from[0]).toBeLessThan(to[0] ?? 0);
  expect(from[1]).toBeGreaterThan(to[1] ?? Number.POSITIVE_INFINITY);
});

test("plots beside each other are one picture with its own title", () => {
  const svg = linePlots([plot, { ...plot, title: "Trades" }], "t & u");
  for (const text of ["<title>t &amp; u</title>", ">Trades<", ">Lookups &amp; more<"]) {
    expect(svg).toContain(text);
  }
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
});
