import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CopyRules } from "./copies.ts";

function fetching(rules: CopyRules<object>, name: string): object {
  const fetch = {};
  rules.began(name, fetch);
  return fetch;
}

describe("copies", () => {
  test("a copy from before the change isn't served (F1)", () => {
    const rules = new CopyRules<object>();
    rules.invalidate(["FishCo"], 10);
    expect(rules.serves("FishCo", 9)).toBe(false);
    expect(rules.serves("FishCo", 10)).toBe(true);
  });

  test("an old invalidation that comes late lowers no floor (F1)", () => {
    const rules = new CopyRules<object>();
    rules.invalidate(["FishCo"], 10);
    rules.invalidate(["FishCo"], 4);
    expect(rules.floorOf("FishCo")).toBe(10);
    expect(rules.newestFloor).toBe(10);
  });

  test("a lookup after the change doesn't share a fetch from before it (F2)", () => {
    const rules = new CopyRules<object>();
    const fish = fetching(rules, "FishCo");
    const boar = fetching(rules, "BoarCo");
    rules.invalidate(["FishCo"], 10);
    expect(rules.joinable("FishCo")).toBeUndefined();
    expect(rules.joinable("BoarCo")).toBe(boar);
    expect(rules.ended("FishCo", fish)).toBe(false);
    expect(rules.ended("BoarCo", boar)).toBe(true);
  });

  test("an old fetch that ends doesn't end the one that took its place (F2)", () => {
    const rules = new CopyRules<object>();
    const old = fetching(rules, "FishCo");
    rules.invalidate(["FishCo"], 10);
    const young = fetching(rules, "FishCo");
    expect(rules.ended("FishCo", old)).toBe(false);
    expect(rules.joinable("FishCo")).toBe(young);
    expect(rules.ended("FishCo", young)).toBe(true);
    expect(rules.joinable("FishCo")).toBeUndefined();
  });

  test("a fetch of an earlier session is neither shared nor kept (F3)", () => {
    const rules = new CopyRules<object>();
    const fetch = fetching(rules, "FishCo");
    rules.newSession();
    expect(rules.joinable("FishCo")).toBeUndefined();
    expect(rules.ended("FishCo", fetch)).toBe(false);
  });

  test("floors that are too many are given up oldest first, and only upwards", () => {
    const rules = new CopyRules<object>(2);
    rules.invalidate(["A"], 1);
    rules.invalidate(["B"], 2);
    rules.invalidate(["A"], 3);
    rules.invalidate(["C"], 4);
    expect(rules.floors).toBe(2);
    expect(rules.floorOf("B")).toBe(2);
    expect(rules.floorOf("Never")).toBe(2);
    expect(rules.floorOf("A")).toBe(3);
  });

  test("nothing below what its stock was invalidated at is ever served, however few floors fit (F1)", () => {
    const names = ["A", "B", "C", "D"];
    const step = fc.record({ name: fc.constantFrom(...names), position: fc.nat(50) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step), (floorsMax, steps) => {
        const rules = new CopyRules<object>(floorsMax);
        const newest = new Map<string, number>();
        for (const { name, position } of steps) {
          rules.invalidate([name], position);
          newest.set(name, Math.max(position, newest.get(name) ?? 0));
        }
        for (const [name, position] of newest) {
          expect(rules.serves(name, position - 1)).toBe(false);
        }
      }),
    );
  });
});
