import fc from "fast-check";
import { expect, test } from "vitest";
import { EXPOSURE_WAIT_MS, Exposure, LEVEL_LAG_MS } from "./exposure.ts";

test("without a view, a committed entry is exposed at once", () => {
  const exposure = new Exposure();
  exposure.committed(7, 0);
  expect(exposure.exposed).toBe(7);
});

test("a client is not told of a trade that a level view doesn't show yet", () => {
  const exposure = new Exposure();
  exposure.committed(10, 0);
  exposure.join("catalog", 10, 0);
  exposure.join("catalog-9097", 10, 0);
  exposure.committed(12, 1_000);
  exposure.answered("catalog", 12, 1_001);
  expect(exposure.exposed).toBe(10);
  exposure.answered("catalog-9097", 11, 1_002);
  expect(exposure.exposed).toBe(11);
  exposure.answered("catalog-9097", 12, 1_003);
  expect(exposure.exposed).toBe(12);
});

test("a dead view delays trades once, not each of them", () => {
  const exposure = new Exposure();
  exposure.committed(10, 0);
  exposure.join("catalog", 10, 0);
  exposure.committed(11, 1_000);
  exposure.committed(12, 1_200);
  expect(exposure.expire(1_000 + EXPOSURE_WAIT_MS - 1)).toEqual([]);
  expect(exposure.exposed).toBe(10);
  expect(exposure.expire(1_000 + EXPOSURE_WAIT_MS)).toEqual(["catalog"]);
  expect(exposure.exposed).toBe(12);
  exposure.committed(13, 1_600);
  expect(exposure.exposed).toBe(13);
});

test("a view that came back is waited for again only once it is level", () => {
  const exposure = new Exposure();
  exposure.committed(10, 0);
  exposure.join("catalog", 10, 0);
  exposure.committed(11, 1_000);
  exposure.expire(2_000);
  exposure.committed(20, 2_000);
  exposure.committed(21, 2_000 + LEVEL_LAG_MS);
  exposure.answered("catalog", 19, 2_000 + LEVEL_LAG_MS);
  expect(exposure.waitsFor("catalog")).toBe(false);
  exposure.answered("catalog", 20, 2_000 + LEVEL_LAG_MS);
  expect(exposure.waitsFor("catalog")).toBe(true);
  expect(exposure.exposed).toBe(21); // never back
  exposure.committed(22, 2_500);
  expect(exposure.exposed).toBe(21);
});

test("a far behind view that joins stops nobody", () => {
  const exposure = new Exposure();
  exposure.committed(1_000, 0);
  exposure.join("catalog", 3, 1);
  expect(exposure.waitsFor("catalog")).toBe(false);
  exposure.committed(1_001, 2);
  expect(exposure.exposed).toBe(1_001);
});

test("a new leader exposes nothing before the views it inherited have answered", () => {
  const exposure = new Exposure();
  exposure.join("catalog", null, 0);
  exposure.committed(50, 0);
  expect(exposure.exposed).toBe(0);
  exposure.answered("catalog", 49, 1);
  expect(exposure.exposed).toBe(49);
  exposure.answered("catalog", 50, 2);
  expect(exposure.exposed).toBe(50);
});

test("a view whose connection closed is not waited for", () => {
  const exposure = new Exposure();
  exposure.committed(1, 0);
  exposure.join("catalog", 1, 0);
  exposure.committed(2, 200);
  exposure.leave("catalog");
  expect(exposure.exposed).toBe(2);
  exposure.answered("catalog", 1, 201); // an answer that was on its way
  expect(exposure.exposed).toBe(2);
});

test("a view that joins again far behind doesn't leave the trades waiting that waited for it", () => {
  const exposure = new Exposure();
  exposure.join("catalog", null, 0);
  exposure.committed(9, 0);
  exposure.join("catalog", 2, 1);
  expect(exposure.exposed).toBe(9);
});

test("R1: the exposed position never goes back nor past the commit, whatever views do", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("commit" as const), by: fc.nat(5) }),
    fc.record({ kind: fc.constant("answer" as const), view: fc.nat(2), position: fc.nat(60) }),
    fc.record({ kind: fc.constant("join" as const), view: fc.nat(2), position: fc.nat(60) }),
    fc.record({ kind: fc.constant("inherit" as const), view: fc.nat(2) }),
    fc.record({ kind: fc.constant("leave" as const), view: fc.nat(2) }),
    fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(400) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const exposure = new Exposure();
      let nowMs = 0;
      let exposed = 0;
      for (const each of steps) {
        if (each.kind === "commit") exposure.committed(exposure.commit + each.by, nowMs);
        else if (each.kind === "answer") exposure.answered(`${each.view}`, each.position, nowMs);
        else if (each.kind === "join") exposure.join(`${each.view}`, each.position, nowMs);
        else if (each.kind === "inherit") exposure.join(`${each.view}`, null, nowMs);
        else if (each.kind === "leave") exposure.leave(`${each.view}`);
        else {
          nowMs += each.ms;
          exposure.expire(nowMs);
        }
        expect(exposure.exposed).toBeGreaterThanOrEqual(exposed);
        expect(exposure.exposed).toBeLessThanOrEqual(exposure.commit);
        exposed = exposure.exposed;
      }
      exposure.expire(nowMs);
      exposure.expire(nowMs + EXPOSURE_WAIT_MS + 10);
      expect(exposure.exposed).toBe(exposure.commit);
    }),
  );
});
