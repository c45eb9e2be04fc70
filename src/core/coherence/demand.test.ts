import { expect, test } from "vitest";
import { Demand } from "./demand.ts";
import { DEMAND_MS } from "./limits.ts";

test("a view is in demand for DEMAND_MS after each reader, and no longer", () => {
  const demand = new Demand();
  expect(demand.isThere(0)).toBe(false);
  demand.read(1_000);
  expect(demand.isThere(1_000 + DEMAND_MS - 1)).toBe(true);
  expect(demand.isThere(1_000 + DEMAND_MS)).toBe(false);
});

test("who reads first, or first again after DEMAND_MS, is told apart from those who follow", () => {
  const demand = new Demand();
  expect(demand.read(0)).toBe(true);
  expect(demand.read(DEMAND_MS - 1)).toBe(false);
  expect(demand.read(2 * DEMAND_MS - 2)).toBe(false);
  expect(demand.read(3 * DEMAND_MS)).toBe(true);
});
