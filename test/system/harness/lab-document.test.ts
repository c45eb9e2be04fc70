// The comparison with the document has to be able to fail: a line too few, one
// in the wrong place or with another number must not pass.

import { expect, test } from "vitest";
import { Cluster } from "../../../lab/cluster.ts";
import { findInOrder } from "../../../lab/logs.ts";
import { isLabLine, labCalls, labLog } from "./lab-document.ts";

const BLOCKS = [
  "part-1-miss-fill-hit",
  "part-1-trade-miss-fill-hit",
  "part-2-case-1-frontend",
  "part-2-case-1-leader-9094",
  "part-2-case-1-replica-9090",
  "part-2-case-1-replica-9092",
  "part-2-case-2-frontend",
  "part-3-case-1-frontend",
  "part-3-case-2-order-9094",
];

test.each(BLOCKS)("%s: a log that lacks a line, or has two swapped, isn't it", async (block) => {
  const cluster = await Cluster.prepare();
  try {
    const lines = labLog(block, cluster);
    expect(lines.length).toBeGreaterThan(5);
    expect(findInOrder(lines, ["before", ...lines], isLabLine)).toBe(lines.length + 1);
    for (const [index, line] of lines.entries()) {
      const without = lines.toSpliced(index, 1);
      expect(() => findInOrder(lines, without, isLabLine)).toThrow("is missing");
      const next = lines[index + 1];
      if (next === undefined || next === line) continue;
      const swapped = lines.with(index, next).with(index + 1, line);
      expect(() => findInOrder(lines, swapped, isLabLine)).toThrow("is missing");
    }
  } finally {
    await cluster.stop();
  }
});

test("ports are the cluster's, numbers the document's", async () => {
  const cluster = await Cluster.prepare();
  try {
    const [low, middle, high] = cluster.replicas;
    const lines = labLog("part-3-case-1-frontend", cluster);
    expect(lines).toContain(`${high} leader of backend order service down`);
    expect(lines).toContain(`Order service leader found - ${middle} order`);
    expect(lines).toContain(`Notifying ${low} replica of order leader`);
    expect(lines).toContain('Received trade response - 200 {"data":{"transaction_number":28}}');
    expect(labCalls(cluster).map(({ body }) => body)).toContain(
      `{"data":{"order_leader":${middle}}}`,
    );
  } finally {
    await cluster.stop();
  }
});

test("a line the screenshot cut off must begin ours; a whole one must be it", () => {
  const cut = 'Writing trade data from leader - {"transaction_number":11,"stock_name":"Boar';
  const ours = `${cut}Co","order_type":"sell","trade_quantity":6}`;
  expect(isLabLine(cut, ours)).toBe(true);
  expect(isLabLine(cut.replace("11", "12"), ours)).toBe(false);
  expect(isLabLine("Calling trade service", "Calling trade service again")).toBe(false);
});
