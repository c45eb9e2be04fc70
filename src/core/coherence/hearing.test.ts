import { expect, test } from "vitest";
import { Hearing } from "./hearing.ts";
import { HEARD_MS, LEASE_MARGIN_MS, LEASE_MS } from "./limits.ts";

const LEASE_END_MS = LEASE_MS + LEASE_MARGIN_MS;

/** A reign of epoch 3, won at 1,000, after one of epoch 2. */
const reign = () => new Hearing({ epochBefore: 2, wonMs: 1_000 });

test("while earlier leases may run, only who was heard by the leader before is heard", () => {
  const hearing = reign();
  for (const heardBefore of [0, 1, 3])
    expect(hearing.hears("catalog", "a", heardBefore, 1_000 + LEASE_END_MS - 1)).toBe(false);
  expect(hearing.isHeard("catalog", "a")).toBe(false);
  expect(hearing.hears("catalog", "b", 2, 1_000)).toBe(true);
  expect(hearing.isHeard("catalog", "b")).toBe(true);
});

test("once no earlier lease runs, whoever asks first is heard", () => {
  const hearing = reign();
  expect(hearing.hears("catalog", "a", 0, 1_000 + LEASE_END_MS)).toBe(true);
  expect(hearing.hears("catalog", "b", 2, 1_000 + LEASE_END_MS)).toBe(false);
});

test("who is heard keeps the name for as long as a next leader may be told so, and a lease", () => {
  const hearing = reign();
  hearing.hears("catalog", "a", 2, 1_000);
  hearing.hears("catalog", "a", 0, 5_000);
  const free = 5_000 + HEARD_MS + LEASE_END_MS;
  expect(hearing.hears("catalog", "b", 2, free - 1)).toBe(false);
  expect(hearing.hears("catalog", "b", 0, free)).toBe(true);
  expect(hearing.hears("catalog", "a", 2, free)).toBe(false);
});

test("catalogs of different names are heard side by side", () => {
  const hearing = reign();
  expect(hearing.hears("catalog", "a", 2, 1_000)).toBe(true);
  expect(hearing.hears("catalog-9097", "b", 2, 1_000)).toBe(true);
});
