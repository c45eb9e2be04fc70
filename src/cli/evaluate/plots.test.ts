// The two kinds of plot, by what is in their SVG.

import { expect, test } from "vitest";
import { type LinePlot, linePlot } from "./line-plot.ts";
import { occupancyPlot } from "./occupancy-plot.ts";

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

test("an axis without its unit says nothing", () => {
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

test("a stock's row is filled in the steps in which it is in the cache, and only there", () => {
  const svg = occupancyPlot({
    capacity: 1,
    stocks: ["A", "B"],
    steps: [
      { action: "lookup", name: "A", cached: ["A"] },
      { action: "lookup", name: "A", cached: ["A"] },
      { action: "lookup", name: "B", cached: ["B"] },
      { action: "trade", name: "B", cached: [] },
    ],
    unexpected: [],
  });
  const rows = [
    ...(svg
      .split('class="paper"')[1]
      ?.split(">stock<")[1]
      ?.matchAll(/<rect class="(f0|faint)"/g) ?? []),
  ];
  // Row by row; then the legend's three.
  const cells = rows.map(([, kind]) => (kind === "f0" ? 1 : 0)).slice(0, 8);
  expect(cells).toEqual([1, 1, 0, 0, 0, 0, 1, 0]);
  // One hit, two misses; and one of each in the legend.
  expect(svg.match(/r="1.5"/g)).toHaveLength(2);
  expect(svg.match(/r="3.5"/g)).toHaveLength(3);
  expect(svg.match(/class="s1"/g)).toHaveLength(2);
});
