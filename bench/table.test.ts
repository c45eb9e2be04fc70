import { expect, test } from "vitest";
import { markdownTable } from "../lab/report.ts";
import type { MeasuredRow } from "./rows.ts";
import { rowsTable, slotsTable } from "./table.ts";

const ROW: MeasuredRow = {
  scenario: "trades",
  what: "trades/s | against etcd",
  unit: "times",
  target: { atLeast: 2.5 },
  figures: [
    { slot: "a", field: "okPerSecond" },
    { slot: "b", field: "okPerSecond" },
  ],
  measured: { median: 2.4321, min: 2, max: 3 },
  medians: [8_000, 3_290],
  met: false,
};

test("a target that isn't met is shown in bold", () => {
  const [, cells] = rowsTable([ROW]);
  expect(cells).toEqual([
    "trades/s | against etcd",
    "at least 2.50",
    "2.43",
    "2 to 3",
    "8,000 / 3,290",
    "**no**",
  ]);
});

test("what wasn't measured is said, and is neither met nor missed", () => {
  const [, cells] = rowsTable([{ ...ROW, measured: null, medians: [8_000, null], met: null }]);
  expect(cells?.slice(2)).toEqual(["not measured", "", "8,000 / –", ""]);
});

test("a bar in a cell doesn't tear a Markdown row", () => {
  expect(markdownTable(rowsTable([ROW]), false).split("\n")[2]).toBe(
    "| trades/s \\| against etcd | at least 2.50 | 2.43 | 2 to 3 | 8,000 / 3,290 | **no** |",
  );
});

test("medians are over rounds, and a slot without a rate has no row", () => {
  const round = (okPerSecond: number) => ({
    samples: { "x.64": { okPerSecond, p50Ms: 1, p99Ms: 2 }, "disk.fsync": { p50Ms: 0.5 } },
    failures: [],
    loadAverages: [],
  });
  expect(slotsTable([round(100), round(300), round(200)]).slice(1)).toEqual([
    ["x.64", "200", "100 to 300", "1", "2"],
  ]);
});
