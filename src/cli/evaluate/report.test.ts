// The report as its readers get it: nothing missing, nothing that breaks it.

import { expect, test } from "vitest";
import { html, markdown, plotFiles } from "../../../lab/report.ts";
import { answersTo } from "./answers.ts";
import { reportOf } from "./report.ts";
import { evaluation } from "./test-evaluation.ts";

const made = evaluation();
const blocks = reportOf(made);

test("both reports hold every answer, every kill and every cell", () => {
  for (const text of [markdown(blocks), html(blocks)]) {
    for (const answer of answersTo(made)) expect(text).toContain(answer.text);
    for (const { replica } of made.failOver.kills) expect(text).toContain(`order-${replica}`);
    for (const { requestsPerSecond } of made.load)
      expect(text).toContain(String(requestsPerSecond));
    for (const { bytes, fileDigest, requestsDigest } of made.failOver.files) {
      for (const what of [String(bytes), fileDigest.slice(0, 12), requestsDigest.slice(0, 12)]) {
        expect(text).toContain(what);
      }
    }
    for (const what of ["v26.1.0", "2024-05-06", "npx bazaar evaluate --clients 5", "0.25"]) {
      expect(text).toContain(what);
    }
  }
});

test("a plot that Markdown names is written beside it, and HTML needs no file", () => {
  const named = [...markdown(blocks).matchAll(/\]\(([^)]+)\)/g)].map(([, file]) => file);
  expect(named).toEqual(plotFiles(blocks).map(([file]) => file));
  expect(new Set(named).size).toBe(5);
  expect(html(blocks).match(/<svg /g)).toHaveLength(5);
  expect(html(blocks)).not.toMatch(/(?:src|href)=/);
});

test("a processor's name with signs of HTML or of a table breaks neither", () => {
  expect(html(blocks)).toContain("A | processor &lt;fast&gt;");
  expect(markdown(blocks)).toContain("A \\| processor <fast>");
  const rows = markdown(blocks)
    .split("\n")
    .filter((line) => line.startsWith("| processor"));
  expect(rows).toHaveLength(1);
});

test("every plot names its axes with a unit", () => {
  const svgs = new Map(plotFiles(blocks));
  expect(svgs.get("lookups.svg")).toContain("latency, ms");
  expect(svgs.get("trades.svg")).toContain("trade after a lookup, %");
  expect(svgs.get("throughput.svg")).toContain("requests a second");
  expect(svgs.get("fail-over.svg")).toContain("clients began, s");
  expect(svgs.get("replacement.svg")).toContain("step (requests, one at a time)");
});

test("times from a busy machine are not told without a warning", () => {
  const busy = { ...made, about: { ...made.about, loadBefore: 2.5 } };
  expect(markdown(reportOf(busy))).toContain("busy before this began (load 2.50 on 2 processors)");
  expect(markdown(blocks)).not.toContain("busy");
});
