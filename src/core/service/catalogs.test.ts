// Which catalog is asked: over catalogs that answer as the test says.

import { expect, test } from "vitest";
import { LEASE_ASK_MS, LEASE_MARGIN_MS, LEASE_MS } from "../coherence/limits.ts";
import {
  CATALOG_ANSWER_LIMIT_MS,
  CATALOG_PROBE_INTERVAL_MS,
  CATALOG_TICK_MS,
  CATALOG_UNLEASED_LIMIT_MS,
  REPLICA_TICK_MS,
} from "./limits.ts";
import { A, B, Bench } from "./test-lookups.ts";

function benchWith(...catalogs: string[]): Bench {
  const bench = new Bench();
  for (const catalog of catalogs) bench.lookups.opened(catalog);
  return bench;
}

/** A lookup reaches a catalog, which answers so. */
function look(bench: Bench, answer: "stock" | "unleased" | "timeout"): void {
  bench.lookup(`S${bench.asked.length}`);
  if (bench.asked.length === 0) bench.leases.at(-1)?.settled({ kind: "answered", grant: null });
  bench.turn();
  if (answer === "stock") bench.answer([null]);
  else if (answer === "timeout") bench.fail("timeout");
  else bench.call().settled({ kind: "unleased" });
}

test("of several catalogs the first is asked, and the next when it goes", () => {
  const bench = benchWith(A, B);
  look(bench, "stock");
  bench.lookups.closed(A);
  expect(bench.lookups.asked).toBe(B);
  look(bench, "stock");
  expect(bench.asked.map(({ catalog }) => catalog)).toEqual([A, B]);
});

test("the lease is asked for at once of a catalog that is asked from now on", () => {
  const bench = benchWith(A, B);
  look(bench, "stock");
  const before = bench.leases.length;
  bench.lookups.closed(A);
  expect(bench.leases.slice(before).map(({ catalog }) => catalog)).toEqual([B]);
});

test("a catalog that comes back doesn't take over from the one that served meanwhile", () => {
  const bench = benchWith(A, B);
  bench.lookups.closed(A);
  bench.lookups.opened(A);
  expect(bench.lookups.asked).toBe(B);
});

test("a catalog without a lease has the leader asked, and isn't left aside for it", () => {
  const bench = benchWith(A);
  look(bench, "unleased");
  expect(bench.ofLeader).toHaveLength(1);
  expect(bench.lookups.asked).toBe(A);
});

test("a catalog that lets a call time out is left aside until it answers a probe", () => {
  const bench = benchWith(A);
  look(bench, "timeout");
  expect(bench.told).toContain("left aside");
  expect(bench.lookups.asked).toBe(null);
  bench.pass(CATALOG_PROBE_INTERVAL_MS);
  bench.probes.at(-1)?.settled(false);
  expect(bench.lookups.asked).toBe(null);
  bench.pass(CATALOG_PROBE_INTERVAL_MS);
  bench.probes.at(-1)?.settled(true);
  expect(bench.probes).toHaveLength(2);
  expect(bench.lookups.asked).toBe(A);
});

test("a catalog is left aside once, however many calls it lets time out", () => {
  const bench = benchWith(A);
  look(bench, "stock");
  for (const name of ["Bee", "Elk"]) {
    bench.lookup(name);
    bench.turn();
  }
  for (const call of bench.asked.slice(-2)) call.settled({ kind: "failed", failure: "timeout" });
  expect(bench.told.filter((line) => line === "left aside")).toHaveLength(1);
  bench.pass(CATALOG_PROBE_INTERVAL_MS);
  expect(bench.probes).toHaveLength(1);
});

test("a catalog that hangs and then closes is forgotten, probes and all", () => {
  const bench = benchWith(A);
  look(bench, "timeout");
  bench.lookups.closed(A);
  bench.pass(CATALOG_PROBE_INTERVAL_MS);
  expect(bench.probes).toEqual([]);
});

test("a probe that is answered after its catalog closed counts for nothing", () => {
  const bench = benchWith(A);
  look(bench, "timeout");
  bench.pass(CATALOG_PROBE_INTERVAL_MS);
  bench.lookups.closed(A);
  bench.probes[0]?.settled(true);
  expect(bench.lookups.asked).toBe(null);
});

test("a catalog that stays without a lease goes behind another, and is asked when that goes", () => {
  const bench = benchWith(A, B);
  look(bench, "unleased");
  bench.pass(CATALOG_UNLEASED_LIMIT_MS - 1);
  look(bench, "unleased");
  expect(bench.lookups.asked).toBe(A);
  bench.pass(1);
  look(bench, "unleased");
  expect(bench.told).toContain(`${A} behind ${B}`);
  expect(bench.lookups.asked).toBe(B);
  bench.lookups.closed(B);
  expect(bench.lookups.asked).toBe(A);
});

test("a catalog that is without a lease now and then stays before the others", () => {
  const bench = benchWith(A, B);
  for (const answer of ["unleased", "stock", "unleased"] as const) {
    look(bench, answer);
    bench.pass(CATALOG_UNLEASED_LIMIT_MS);
  }
  expect(bench.lookups.asked).toBe(A);
});

test("a refused lease shows that a catalog has none of its own, too", () => {
  const bench = benchWith(A, B);
  look(bench, "unleased");
  bench.pass(CATALOG_UNLEASED_LIMIT_MS);
  bench.lookups.askLease();
  bench.leases.at(-1)?.settled({ kind: "answered", grant: null });
  expect(bench.lookups.asked).toBe(B);
});

test("what the next in turn showed before doesn't count against it once it is asked", () => {
  const bench = benchWith(A, B);
  look(bench, "unleased");
  bench.pass(CATALOG_UNLEASED_LIMIT_MS);
  look(bench, "unleased");
  look(bench, "unleased");
  expect(bench.lookups.asked).toBe(B);
});

test("a catalog alone is asked on, though it has no lease", () => {
  const bench = benchWith(A);
  for (let time = 0; time < 3; time++) {
    look(bench, "unleased");
    bench.pass(CATALOG_UNLEASED_LIMIT_MS);
  }
  expect(bench.lookups.asked).toBe(A);
});

test("a catalog has time to wait for a dead view, or for the leases of the last leader, before it is left aside", () => {
  const deadViewMs = LEASE_MS + LEASE_MARGIN_MS + REPLICA_TICK_MS + CATALOG_TICK_MS;
  expect(CATALOG_ANSWER_LIMIT_MS).toBeGreaterThan(deadViewMs);
  expect(CATALOG_UNLEASED_LIMIT_MS).toBeGreaterThan(LEASE_MS + LEASE_MARGIN_MS + LEASE_ASK_MS);
});
