import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LeaseGrantor } from "./lease-grantor.ts";
import { LeaseHolder } from "./lease-holder.ts";
import {
  HOLD_AGAIN_MS,
  LATE_MS,
  LEASE_ASK_MS,
  LEASE_MARGIN_MS,
  LEASE_MS,
  REST_PER_WAIT,
  WAITED_PER_TICK_MS_MAX,
} from "./limits.ts";

const ENOUGH_MS = 10_000;
const UNTIL_MS = LEASE_MS + LEASE_MARGIN_MS;

/** frontend-8000 has a lease from 1,000, and holds everything up to 10. */
function granting(): LeaseGrantor {
  const grantor = new LeaseGrantor();
  grantor.grant("frontend-8000", ENOUGH_MS, 10, 1_000);
  return grantor;
}

describe("a batch", () => {
  test("doesn't wait for a view that never had a lease", () => {
    const grantor = new LeaseGrantor();
    expect(grantor.heldByAll(0)).toBe(Number.POSITIVE_INFINITY);
    grantor.held("frontend-8000", 3);
    expect(grantor.heldByAll(0)).toBe(Number.POSITIVE_INFINITY);
    expect(grantor.isLeased("frontend-8000", 0)).toBe(false);
  });

  test("waits until every view that may be answering holds it (G1)", () => {
    const grantor = granting();
    grantor.grant("frontend-8001", ENOUGH_MS, 12, 1_000);
    expect(grantor.heldByAll(1_001)).toBe(10);
    grantor.held("frontend-8000", 20);
    expect(grantor.heldByAll(1_001)).toBe(12);
    grantor.held("frontend-8001", 15);
    expect(grantor.heldByAll(1_001)).toBe(15);
  });

  test("waits a margin longer than the lease, which a slower clock may still count (G1)", () => {
    const grantor = granting();
    expect(grantor.heldByAll(1_000 + UNTIL_MS - 1)).toBe(10);
    expect(grantor.isLeased("frontend-8000", 1_000 + UNTIL_MS - 1)).toBe(true);
    expect(grantor.heldByAll(1_000 + UNTIL_MS)).toBe(Number.POSITIVE_INFINITY);
    expect(grantor.isLeased("frontend-8000", 1_000 + UNTIL_MS)).toBe(false);
  });

  test("waits for a lease that a view may hold from before (G1)", () => {
    const grantor = new LeaseGrantor();
    grantor.presume("catalog-9096", 1_550);
    grantor.presume("catalog-9096", 1_300);
    expect(grantor.heldByAll(1_549)).toBe(0);
    grantor.held("catalog-9096", 7);
    expect(grantor.heldByAll(1_549)).toBe(7);
    expect(grantor.heldByAll(1_550)).toBe(Number.POSITIVE_INFINITY);
  });

  test("stays held when an earlier answer comes after a later one", () => {
    const grantor = granting();
    grantor.held("frontend-8000", 20);
    grantor.held("frontend-8000", 15);
    expect(grantor.heldBy("frontend-8000")).toBe(20);
    expect(grantor.heldBy("frontend-9999")).toBe(0);
  });
});

describe("a lease", () => {
  test("is no longer than its grantor's own, nor than LEASE_MS", () => {
    const grantor = new LeaseGrantor();
    expect(grantor.grant("frontend-8000", 130, 10, 1_000)).toBe(130);
    expect(grantor.isLeased("frontend-8000", 1_000 + 130 + LEASE_MARGIN_MS - 1)).toBe(true);
    expect(grantor.isLeased("frontend-8000", 1_000 + 130 + LEASE_MARGIN_MS)).toBe(false);
    expect(grantor.grant("frontend-8001", ENOUGH_MS, 10, 1_000)).toBe(LEASE_MS);
    expect(grantor.grant("frontend-8002", 0, 10, 1_000)).toBe(null);
    expect(grantor.isLeased("frontend-8002", 1_000)).toBe(false);
  });

  test("isn't taken back by a shorter one that was granted after it (G1)", () => {
    const grantor = granting();
    expect(grantor.grant("frontend-8000", 1, 10, 1_010)).toBe(1);
    expect(grantor.isLeased("frontend-8000", 1_000 + UNTIL_MS - 1)).toBe(true);
  });

  test("of a deaf view isn't renewed beyond LEASE_MS after the hold it doesn't answer (G2)", () => {
    const grantor = granting();
    grantor.owes("frontend-8000", 11, 1_100);
    expect(grantor.grant("frontend-8000", ENOUGH_MS, 11, 1_200)).toBe(LEASE_MS - 100);
    expect(grantor.grant("frontend-8000", ENOUGH_MS, 11, 1_100 + LEASE_MS - 1)).toBe(1);
    expect(grantor.grant("frontend-8000", ENOUGH_MS, 11, 1_100 + LEASE_MS)).toBe(null);
    expect(grantor.heldByAll(1_100 + UNTIL_MS)).toBe(Number.POSITIVE_INFINITY);
  });

  test("isn't renewed longer because the hold was sent again, or another after it (G2)", () => {
    const grantor = granting();
    grantor.owes("frontend-8000", 11, 1_100);
    grantor.owes("frontend-8000", 11, 1_300);
    grantor.owes("frontend-8000", 12, 1_400);
    expect(grantor.owesSinceMs("frontend-8000")).toBe(1_100);
    expect(grantor.grant("frontend-8000", ENOUGH_MS, 12, 1_500)).toBe(100);
    grantor.held("frontend-8000", 11);
    expect(grantor.owesSinceMs("frontend-8000")).toBe(1_400);
    grantor.held("frontend-8000", 12);
    expect(grantor.owesSinceMs("frontend-8000")).toBe(null);
    grantor.owes("frontend-8000", 12, 1_450); // once more, for nothing
    expect(grantor.owesSinceMs("frontend-8000")).toBe(null);
    expect(grantor.grant("frontend-8000", ENOUGH_MS, 12, 1_500)).toBe(LEASE_MS);
  });

  test("is granted again to a view that was deaf, once the last one is over", () => {
    const grantor = granting();
    grantor.owes("frontend-8000", 11, 1_100);
    const later = 1_000 + UNTIL_MS;
    expect(grantor.grant("frontend-8000", ENOUGH_MS, 15, later)).toBe(LEASE_MS);
    expect(grantor.heldByAll(later)).toBe(15);
    expect(grantor.owesSinceMs("frontend-8000")).toBe(null);
  });

  test("that can't be granted makes nothing count as held", () => {
    const grantor = new LeaseGrantor();
    expect(grantor.grant("frontend-8000", 0, 10, 1_000)).toBe(null);
    expect(grantor.heldBy("frontend-8000")).toBe(0);
  });

  test("is needed to owe an answer: a view without one owes nothing", () => {
    const grantor = new LeaseGrantor();
    grantor.owes("frontend-8000", 11, 1_000);
    expect(grantor.owesSinceMs("frontend-8000")).toBe(null);
    expect(grantor.owesSinceMs("frontend-9999")).toBe(null);
  });

  test("isn't forgotten with its connection while it runs, and is once it has ended", () => {
    const grantor = granting();
    grantor.forgetEnded(1_000 + UNTIL_MS - 1, () => false);
    expect(grantor.heldByAll(1_001)).toBe(10);
    grantor.forgetEnded(1_000 + UNTIL_MS, () => true);
    expect(grantor.heldBy("frontend-8000")).toBe(10);
    grantor.forgetEnded(1_000 + UNTIL_MS, () => false);
    expect(grantor.heldBy("frontend-8000")).toBe(0);
  });
});

test("whatever clocks and delays do, no holder serves when its grantor waits no longer (V1, G1)", () => {
  // Rates up to 1 % off, so up to 2 % apart: what the margin is for, several times over.
  const rate = fc.double({ min: 0.99, max: 1.01, noNaN: true });
  const delayMs = fc.double({ min: 0, max: 600, noNaN: true });
  fc.assert(
    fc.property(
      rate,
      rate,
      fc.array(fc.tuple(delayMs, delayMs), { maxLength: 8 }),
      (h, g, asks) => {
        const holder = new LeaseHolder({ beginsEmpty: false });
        const grantor = new LeaseGrantor();
        let realMs = 0;
        for (const [thereMs, backMs] of asks) {
          const ask = holder.ask("grantor", realMs * h);
          realMs += thereMs;
          const ms = grantor.grant("holder", ENOUGH_MS, 1, realMs * g);
          if (ms === null) continue;
          const view = { applied: 1, held: 1 };
          realMs += backMs;
          holder.granted({ epoch: 1, ask, ms, exposed: 1, sent: 1 }, view, realMs * h);
          for (let lookMs = realMs; lookMs < realMs + 700; lookMs += 7) {
            if (holder.isValid(lookMs * h)) {
              expect(grantor.isLeased("holder", lookMs * g)).toBe(true);
            }
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("those told to be leased are all whose lease runs, and no others", () => {
  const grantor = new LeaseGrantor();
  const ms = grantor.grant("one", ENOUGH_MS, 1, 0) ?? 0;
  grantor.held("never", 1);
  grantor.grant("other", ENOUGH_MS, 1, 100);
  expect(grantor.leased(100)).toEqual(["one", "other"]);
  expect(grantor.leased(ms + LEASE_MARGIN_MS)).toEqual(["other"]);
});

test("the limits fit each other: a lease has time for three asks and three holds, its margin for drift", () => {
  expect(3 * LEASE_ASK_MS).toBeLessThan(LEASE_MS);
  expect(3 * HOLD_AGAIN_MS).toBeLessThan(LEASE_MS);
  expect(LEASE_MARGIN_MS).toBeGreaterThan(3 * 0.02 * LEASE_MS);
});

describe("a view (G3)", () => {
  const TICK_MS = WAITED_PER_TICK_MS_MAX / 2;
  /** frontend-8000 owes 11 since 1,000; `ms` pass, ticked all the time. */
  function waiting(ms: number, grantor = granting()): LeaseGrantor {
    grantor.tick(1_000);
    grantor.owes("frontend-8000", 11, 1_000);
    for (let now = 1_000 + TICK_MS; now <= 1_000 + ms; now += TICK_MS) grantor.tick(now);
    return grantor;
  }

  test("that is late is granted nothing for a multiple of what was waited, and then as before", () => {
    const grantor = waiting(LATE_MS);
    const now = 1_000 + LATE_MS;
    expect(grantor.reached("frontend-8000", 11, now)).toBe(REST_PER_WAIT * LATE_MS);
    grantor.held("frontend-8000", 11);
    const end = now + REST_PER_WAIT * LATE_MS;
    expect(grantor.grant("frontend-8000", ENOUGH_MS, 11, now)).toBeNull();
    expect(grantor.grant("frontend-8000", ENOUGH_MS, 11, end - 1)).toBeNull();
    expect(grantor.grant("frontend-8000", ENOUGH_MS, 11, end)).toBe(LEASE_MS);
  });

  test("that answers in time isn't late, nor is it for what it has answered before", () => {
    const grantor = waiting(LATE_MS - TICK_MS);
    expect(grantor.reached("frontend-8000", 11, 1_000 + LATE_MS - TICK_MS)).toBeNull();
    grantor.held("frontend-8000", 11);
    const later = waiting(2 * LATE_MS, grantor);
    expect(later.reached("frontend-8000", 11, 1_000 + 2 * LATE_MS)).toBeNull();
    expect(later.grant("frontend-8000", ENOUGH_MS, 11, 1_000 + 2 * LATE_MS)).not.toBeNull();
  });

  test("that is late rests for a multiple of a lease and its margin at most, which is all that anybody waited", () => {
    const grantor = waiting(10 * LEASE_MS);
    const restMs = grantor.reached("frontend-8000", 11, 1_000 + 10 * LEASE_MS);
    expect(restMs).toBe(REST_PER_WAIT * UNTIL_MS);
  });

  test("isn't late when its grantor was held up itself", () => {
    const grantor = granting();
    grantor.tick(1_000);
    grantor.owes("frontend-8000", 11, 1_000);
    grantor.tick(4_000);
    expect(grantor.reached("frontend-8000", 11, 4_000)).toBeNull();
  });

  test("that lost its connection in between isn't late", () => {
    const grantor = waiting(LATE_MS);
    grantor.excuse("frontend-8000");
    expect(grantor.reached("frontend-8000", 11, 1_000 + LATE_MS)).toBeNull();
  });

  test("that is late isn't forgotten while it rests", () => {
    const grantor = waiting(LATE_MS);
    const now = 1_000 + LATE_MS;
    grantor.reached("frontend-8000", 11, now);
    grantor.forgetEnded(now + UNTIL_MS, () => false);
    expect(grantor.grant("frontend-8000", ENOUGH_MS, 11, now + UNTIL_MS)).toBeNull();
  });
});
