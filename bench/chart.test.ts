import { expect, test } from "vitest";
import { type Chart, chartsSvg, linearMarks, logMarks, shortNumber } from "./chart.ts";

const CHART: Chart = {
  title: "Throughput",
  xLabel: "connections",
  yLabel: "answers/s",
  xMarks: [1, 8, 64],
  yScale: "log",
  lines: [
    {
      name: "a < b",
      isOurs: true,
      points: [
        { x: 64, y: 1_000 },
        { x: 1, y: 10 },
      ],
    },
    { name: "not measured", isOurs: false, points: [] },
  ],
};

test("marks that don't reach around the values would draw lines outside", () => {
  expect(logMarks([15, 900])).toEqual([10, 100, 1_000]);
  expect(logMarks([0.2, 0.3])).toEqual([0.1, 1]);
  expect(logMarks([100])).toEqual([100, 1_000]);
  expect(linearMarks([4_300])).toEqual([0, 1_000, 2_000, 3_000, 4_000, 5_000]);
  expect(linearMarks([0.9])).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1].map((n) => expect.closeTo(n)));
  expect(linearMarks([])).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1].map((n) => expect.closeTo(n)));
});

test("points are drawn from left to right, the least at the bottom, the most at the top", () => {
  const path = /<path d="M(\d[^"]*)" fill="none"/.exec(chartsSvg([CHART], "t"))?.[1] ?? "";
  const [from = [], to = []] = path.split("L").map((point) => point.split(" ").map(Number));
  expect(from[0]).toBeLessThan(to[0] ?? 0);
  expect(from[1]).toBeGreaterThan(to[1] ?? Number.POSITIVE_INFINITY);
  expect(to[1]).toBe(40);
});

test("a line without numbers is left out, and names can't break the picture", () => {
  const svg = chartsSvg([CHART, { ...CHART, yScale: "linear" }], "t & u");
  expect(svg).not.toContain("not measured");
  expect(svg).toContain("a &lt; b");
  expect(svg).toContain("<title>t &amp; u</title>");
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
});

test("marks are short", () => {
  expect([1_000_000, 10_000, 64, 0.1].map(shortNumber)).toEqual(["1M", "10k", "64", "0.1"]);
});
