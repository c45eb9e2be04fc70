import { describe, expect, test } from "vitest";
import { type Grant, LeaseHolder } from "./lease-holder.ts";
import { LEASE_ASKS_MAX, LEASE_MS } from "./limits.ts";

const level = { applied: 100, held: 100 };

function grant(ask: number, but: Partial<Grant> = {}): Grant {
  return { epoch: 1, ask, ms: LEASE_MS, exposed: 10, sent: 12, ...but };
}

/** A holder with a lease of 9094 asked for at 1,000. */
function leased({ beginsEmpty = false } = {}): LeaseHolder {
  const holder = new LeaseHolder({ beginsEmpty });
  holder.granted(grant(holder.ask("9094", 1_000)), level, 1_050);
  return holder;
}

describe("a lease", () => {
  test("doesn't run before it was granted", () => {
    const holder = new LeaseHolder({ beginsEmpty: true });
    holder.ask("9094", 0);
    expect(holder.isValid(0)).toBe(false);
    expect(holder.lease(0)).toBe(null);
    expect(holder.remainingMs(0)).toBe(0);
  });

  test("is counted from when it was asked for, so no longer than its grantor counts (V1)", () => {
    const holder = new LeaseHolder({ beginsEmpty: false });
    const ask = holder.ask("9094", 1_000);
    holder.granted(grant(ask), level, 1_400);
    expect(holder.isValid(1_499)).toBe(true);
    expect(holder.remainingMs(1_400)).toBe(100);
    expect(holder.isValid(1_500)).toBe(false);
    expect(holder.lease(1_500)).toBe(null);
    expect(holder.remainingMs(1_600)).toBe(0);
  });

  test("is no longer than what was granted (V1)", () => {
    const holder = new LeaseHolder({ beginsEmpty: false });
    holder.granted(grant(holder.ask("9094", 1_000), { ms: 120 }), level, 1_001);
    expect(holder.isValid(1_119)).toBe(true);
    expect(holder.isValid(1_120)).toBe(false);
  });

  test("doesn't begin with a grant that comes when it is over already", () => {
    const holder = new LeaseHolder({ beginsEmpty: true });
    const ask = holder.ask("9094", 1_000);
    expect(holder.granted(grant(ask), level, 1_500)).toBe(false);
    expect(holder.isValid(1_500)).toBe(false);
  });

  test("never comes from an answer to what wasn't asked, was answered, or is long forgotten (V1)", () => {
    const holder = new LeaseHolder({ beginsEmpty: false });
    holder.granted(grant(77), level, 1_000);
    expect(holder.isValid(1_000)).toBe(false);
    const first = holder.ask("9094", 1_000);
    for (let more = 0; more < LEASE_ASKS_MAX; more += 1) holder.ask("9094", 1_000);
    holder.granted(grant(first), level, 1_001);
    expect(holder.isValid(1_001)).toBe(false);
    holder.granted(grant(first + 1, { ms: 100 }), level, 1_001);
    holder.granted(grant(first + 1, { ms: 400 }), level, 1_001);
    expect(holder.isValid(1_100)).toBe(false);
  });

  test("isn't shortened by a grant that was overtaken", () => {
    const holder = new LeaseHolder({ beginsEmpty: false });
    const older = holder.ask("9094", 1_000);
    const newer = holder.ask("9094", 1_100);
    holder.granted(grant(newer), level, 1_150);
    holder.granted(grant(older), level, 1_160);
    expect(holder.isValid(1_599)).toBe(true);
  });

  test("is renewed by a later grant", () => {
    const holder = leased();
    holder.granted(grant(holder.ask("9094", 1_400)), level, 1_450);
    expect(holder.isValid(1_899)).toBe(true);
  });
});

describe("a grant", () => {
  test.each([
    ["applied what was exposed", { applied: 9, held: 12 }],
    ["held what was sent", { applied: 10, held: 11 }],
  ])("doesn't count before the view has %s (V2)", (_what, behind) => {
    const holder = new LeaseHolder({ beginsEmpty: false });
    holder.granted(grant(holder.ask("9094", 1_000)), behind, 1_010);
    expect(holder.isValid(1_010)).toBe(false);
    expect(holder.progressed(behind, 1_020)).toBe(false);
    expect(holder.progressed({ applied: 10, held: 12 }, 1_030)).toBe(true);
    expect(holder.isValid(1_499)).toBe(true);
    expect(holder.isValid(1_500)).toBe(false);
  });

  test("that can't count yet doesn't renew the lease before the view has what it names (V2)", () => {
    const holder = leased();
    holder.granted(grant(holder.ask("9094", 1_300), { sent: 101 }), level, 1_310);
    expect(holder.isValid(1_499)).toBe(true);
    expect(holder.isValid(1_500)).toBe(false);
    expect(holder.progressed({ applied: 100, held: 101 }, 1_499)).toBe(false);
    expect(holder.isValid(1_799)).toBe(true);
  });

  test("that counts only when the lease it renews is over begins a new session (V3)", () => {
    const holder = leased();
    holder.granted(grant(holder.ask("9094", 1_300), { sent: 101 }), level, 1_310);
    expect(holder.progressed({ applied: 100, held: 101 }, 1_500)).toBe(true);
  });

  test("doesn't count when the view is level too late", () => {
    const holder = new LeaseHolder({ beginsEmpty: false });
    holder.granted(grant(holder.ask("9094", 1_000), { sent: 101 }), level, 1_010);
    expect(holder.progressed({ applied: 100, held: 101 }, 1_500)).toBe(false);
    expect(holder.isValid(1_500)).toBe(false);
  });

  test("that waits doesn't give way to one that ends earlier", () => {
    const holder = new LeaseHolder({ beginsEmpty: false });
    const older = holder.ask("9094", 1_000);
    const newer = holder.ask("9094", 1_100);
    holder.granted(grant(newer, { sent: 101 }), level, 1_150);
    holder.granted(grant(older, { sent: 101 }), level, 1_160);
    holder.progressed({ applied: 100, held: 101 }, 1_170);
    expect(holder.isValid(1_599)).toBe(true);
  });

  test("counts at once for a view that begins empty", () => {
    const holder = new LeaseHolder({ beginsEmpty: true });
    const ask = holder.ask("9096", 1_000);
    expect(holder.granted(grant(ask), { applied: 10, held: 0 }, 1_010)).toBe(true);
    expect(holder.isValid(1_010)).toBe(true);
  });

  test("doesn't renew the lease of a view with copies that has missed a hold (V2)", () => {
    const holder = leased({ beginsEmpty: true });
    const ask = holder.ask("9094", 1_400);
    expect(holder.granted(grant(ask, { sent: 101 }), level, 1_450)).toBe(false);
    expect(holder.isValid(1_500)).toBe(false);
  });
});

describe("copies from before (V3)", () => {
  test("are dropped under the first lease", () => {
    const holder = new LeaseHolder({ beginsEmpty: true });
    expect(holder.granted(grant(holder.ask("9094", 1_000)), level, 1_001)).toBe(true);
  });

  test("are kept by a renewal when nothing was missed", () => {
    const holder = leased();
    expect(holder.granted(grant(holder.ask("9094", 1_400)), level, 1_499)).toBe(false);
  });

  test("are dropped when a lease is granted after the last had ended", () => {
    const holder = leased();
    expect(holder.granted(grant(holder.ask("9094", 1_400)), level, 1_500)).toBe(true);
  });

  test("are dropped under the lease of another grantor, who may have sent holds before", () => {
    const holder = leased();
    expect(holder.granted(grant(holder.ask("9092", 1_200)), level, 1_210)).toBe(true);
    expect(holder.lease(1_210)?.grantor).toBe("9092");
  });

  test("are dropped in a later epoch of the same grantor", () => {
    const holder = leased();
    const ask = holder.ask("9094", 1_200);
    expect(holder.granted(grant(ask, { epoch: 2 }), level, 1_210)).toBe(true);
  });

  test("stay as they are when a grant of an earlier epoch comes late, which doesn't count", () => {
    const holder = leased();
    const late = holder.ask("9090", 1_100);
    holder.granted(grant(holder.ask("9092", 1_150), { epoch: 3 }), level, 1_160);
    expect(holder.granted(grant(late, { epoch: 2 }), level, 1_200)).toBe(false);
    expect(holder.lease(1_200)?.grantor).toBe("9092");
  });

  test("are dropped when their grantor is lost, and no grant asked for before counts", () => {
    const holder = leased();
    const before = holder.ask("9094", 1_100);
    expect(holder.lost("9094")).toBe(true);
    expect(holder.isValid(1_101)).toBe(false);
    holder.granted(grant(before), level, 1_110);
    expect(holder.isValid(1_110)).toBe(false);
  });

  test("are dropped when their grantor is lost after its lease had run out, and a late grant doesn't count", () => {
    const holder = leased();
    const late = holder.ask("9094", 1_400);
    expect(holder.isValid(1_500)).toBe(false);
    expect(holder.lost("9094")).toBe(true);
    holder.granted(grant(late), level, 1_510);
    expect(holder.isValid(1_510)).toBe(false);
  });
});

describe("when a grantor is lost that isn't the lease's", () => {
  test("the lease and what was asked of its grantor stay", () => {
    const holder = leased();
    const ask = holder.ask("9094", 1_300);
    expect(holder.lost("9092")).toBe(false);
    expect(holder.isValid(1_400)).toBe(true);
    expect(holder.granted(grant(ask), level, 1_400)).toBe(false);
    expect(holder.isValid(1_799)).toBe(true);
  });

  test("what was asked of the lost one, or offered by it, counts no more", () => {
    const holder = leased();
    const asked = holder.ask("9092", 1_300);
    holder.granted(grant(holder.ask("9092", 1_310), { sent: 101 }), level, 1_320);
    holder.lost("9092");
    expect(holder.progressed({ applied: 101, held: 101 }, 1_330)).toBe(false);
    holder.granted(grant(asked), level, 1_340);
    expect(holder.lease(1_340)?.grantor).toBe("9094");
  });
});
