import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LeaderViews } from "./leader-views.ts";
import { HOLD_AGAIN_MS, LEASE_MARGIN_MS, LEASE_MS } from "./limits.ts";

const UNTIL_MS = LEASE_MS + LEASE_MARGIN_MS;
const exposed = (position: number) => ({ kind: "exposed", position });
const send = (after: number, catalog = "catalog-9096") => ({ kind: "send", catalog, after });
const expose = (catalog = "catalog-9096") => ({ kind: "expose", catalog });

/** Won epoch 3 at 1,000; its reign is entry 10. */
function won(...catalogs: string[]): LeaderViews {
  const views = new LeaderViews({ epoch: 3, reignPosition: 10, catalogs, wonMs: 1_000 });
  views.committed(10, 1_000);
  return views;
}

/** The reign is exposed; the catalogs have it, and leases from 1,010. */
function leading(...catalogs: string[]): LeaderViews {
  const views = won(...catalogs);
  for (const catalog of catalogs) {
    views.follows(catalog, 10, 1_005);
    views.held(catalog, 10, 10, 1_006);
  }
  for (const catalog of catalogs) views.grant(catalog, 1, 1_005, 1_010);
  return views;
}

describe("a batch (W1)", () => {
  test("is exposed at once when there is no catalog", () => {
    const views = new LeaderViews({ epoch: 3, reignPosition: 10, catalogs: [], wonMs: 1_000 });
    expect(views.committed(10, 1_000)).toEqual([exposed(10)]);
    expect(views).toMatchObject({ exposed: 10, commit: 10 });
  });

  test("is exposed only once every catalog that may be answering holds it", () => {
    const views = leading("catalog-9096", "catalog-9097");
    expect(views.committed(11, 1_020)).toEqual([send(10), send(10, "catalog-9097")]);
    for (const catalog of ["catalog-9096", "catalog-9097"]) views.sent(catalog, 11, 1_020);
    expect(views.held("catalog-9096", 11, 11, 1_021)).toEqual([]);
    expect(views.held("catalog-9097", 11, 10, 1_021)).toEqual([]);
    expect(views.exposed).toBe(10);
    expect(views.held("catalog-9097", 11, 11, 1_022)).toEqual([
      exposed(11),
      expose(),
      expose("catalog-9097"),
    ]);
  });

  test("waits for the end of the lease of a catalog that left", () => {
    const views = leading("catalog-9096");
    views.left("catalog-9096");
    expect(views.committed(11, 1_020)).toEqual([]);
    expect(views.waitsFor("catalog-9096", 1_010 + UNTIL_MS - 6)).toBe(true);
    expect(views.tick(1_010 + UNTIL_MS - 6)).toEqual([]);
    expect(views.tick(1_010 + UNTIL_MS)).toEqual([exposed(11)]);
    expect(views.waitsFor("catalog-9096", 1_010 + UNTIL_MS)).toBe(false);
  });

  test("waits once for a deaf catalog, which gets no lease again before it has answered and rested (G2)", () => {
    const views = leading("catalog-9096");
    views.committed(11, 1_020);
    views.sent("catalog-9096", 11, 1_020);
    // It asks for leases all the while, and answers no hold.
    for (let nowMs = 1_100; nowMs < 1_020 + UNTIL_MS; nowMs += 100) {
      views.grant("catalog-9096", 2, nowMs, nowMs);
      views.tick(nowMs);
      views.sent("catalog-9096", 11, nowMs);
    }
    expect(views.exposed).toBe(10);
    expect(views.tick(1_020 + UNTIL_MS)).toContainEqual(exposed(11));
    views.sent("catalog-9096", 11, 1_690);
    expect(views.grant("catalog-9096", 3, 1_690, 1_690)).toBe(null); // W4
    views.committed(12, 1_700);
    expect(views.exposed).toBe(12);
    views.sent("catalog-9096", 12, 1_700);
    const [late] = views.held("catalog-9096", 11, 11, 1_710);
    expect(late).toMatchObject({ kind: "late", catalog: "catalog-9096" });
    const restedMs = 1_710 + (late?.kind === "late" ? late.restMs : 0);
    expect(views.grant("catalog-9096", 4, restedMs - 1, restedMs - 1)).toBe(null); // G3
    expect(views.grant("catalog-9096", 5, restedMs, restedMs)).toMatchObject({ sent: 12 });
  });

  test("waits now and then for a catalog that lives and is slow, but not one after another (G3)", () => {
    const views = leading("catalog-9096");
    let delayed = 0;
    let nowMs = 1_020;
    // Each answer takes long; it asks for leases all the while, and a trade comes each second.
    for (let position = 11; position <= 40; position += 1) {
      views.committed(position, nowMs);
      views.sent("catalog-9096", position, nowMs);
      if (views.exposed < position) delayed += 1;
      for (let passed = 50; passed <= 1_000; passed += 50) {
        nowMs += 50;
        views.tick(nowMs);
        if (passed === 400) views.held("catalog-9096", position, position, nowMs);
        if (passed % 100 === 0) views.grant("catalog-9096", 2, nowMs, nowMs);
      }
      expect(views.exposed).toBe(position);
    }
    expect(delayed).toBeGreaterThan(0);
    expect(delayed).toBeLessThan(8);
  });

  test("doesn't wait for ever for a deaf catalog whose window is full (G2)", () => {
    const views = leading("catalog-9096");
    // Leased anew with all that is committed on its way, in messages that fill the window.
    const anewMs = 1_010 + UNTIL_MS;
    views.tick(anewMs);
    for (const through of [11, 12]) views.committed(through, anewMs);
    for (const through of [11, 12]) views.sent("catalog-9096", through, anewMs);
    expect(views.grant("catalog-9096", 2, anewMs, anewMs)).toMatchObject({ sent: 12 });
    views.committed(13, anewMs + 1);
    // It asks on, and says nothing: 13 never gets to it.
    for (let nowMs = anewMs + 100; nowMs <= anewMs + 1 + UNTIL_MS; nowMs += 50) {
      views.grant("catalog-9096", 3, nowMs, nowMs);
      views.tick(nowMs);
      for (const through of [11, 12]) views.sent("catalog-9096", through, nowMs);
    }
    views.tick(anewMs + 1 + UNTIL_MS);
    expect(views.exposed).toBe(13);
  });

  test("isn't exposed beyond the commit position, which never goes back (R1)", () => {
    const views = leading("catalog-9096");
    views.held("catalog-9096", 99, 99, 1_020);
    expect(views.exposed).toBe(10);
    expect(() => views.committed(9, 1_021)).toThrow("the commit position never goes back");
  });

  test("that is exposed is told again and again, for a catalog that missed it", () => {
    const views = leading("catalog-9096");
    expect(views.tick(1_030)).toEqual([expose()]);
    expect(views.tick(1_055)).toEqual([expose()]);
  });
});

describe("a lease (W2)", () => {
  test("isn't granted before the reign is exposed: catalogs would show what a predecessor didn't", () => {
    const views = won("catalog-9096");
    views.follows("catalog-9096", 9, 1_005);
    expect(views.grant("catalog-9096", 1, 1_005, 1_005)).toBe(null);
    views.sent("catalog-9096", 10, 1_005);
    expect(views.held("catalog-9096", 10, 10, 1_006)).toContainEqual(exposed(10));
    expect(views.grant("catalog-9096", 1, 1_005, 1_007)).toEqual({
      epoch: 3,
      ask: 1,
      ms: LEASE_MS - 2,
      exposed: 10,
      sent: 10,
    });
  });

  test("ends within a lease after the newest confirmed round: a next leader may have begun", () => {
    const views = leading("catalog-9096");
    expect(views.grant("catalog-9096", 2, 1_100, 1_400)?.ms).toBe(200);
    expect(views.grant("catalog-9096", 3, 1_100, 1_600)).toBe(null);
    expect(views.grant("catalog-9096", 4, Number.NEGATIVE_INFINITY, 1_100)).toBe(null);
  });

  test("isn't granted to a catalog that nothing is sent to", () => {
    const views = leading("catalog-9096");
    expect(views.grant("catalog-9097", 1, 1_100, 1_100)).toBe(null);
    views.left("catalog-9096");
    expect(views.grant("catalog-9096", 2, 1_100, 1_100)).toBe(null);
  });

  test("names what was sent to the catalog, without which it doesn't count (V2)", () => {
    const views = leading("catalog-9096");
    views.committed(12, 1_020);
    views.sent("catalog-9096", 12, 1_020);
    expect(views.grant("catalog-9096", 2, 1_020, 1_030)).toMatchObject({ exposed: 10, sent: 12 });
  });

  test("names what was exposed without the catalog, which it needs before the lease counts (V2)", () => {
    const views = leading("catalog-9096");
    views.left("catalog-9096");
    views.committed(12, 1_600);
    views.tick(1_600);
    expect(views.exposed).toBe(12);
    views.follows("catalog-9096", 10, 1_610);
    views.sent("catalog-9096", 12, 1_610);
    expect(views.grant("catalog-9096", 2, 1_600, 1_610)).toMatchObject({ exposed: 12, sent: 12 });
  });
});

describe("a new leader (W3)", () => {
  test("exposes nothing while a catalog may hold its predecessor's lease", () => {
    const views = won("catalog-9096", "catalog-9097");
    views.follows("catalog-9096", 10, 1_005);
    views.held("catalog-9096", 10, 10, 1_006);
    expect(views.tick(1_000 + UNTIL_MS - 1)).not.toContainEqual(exposed(10));
    expect(views.tick(1_000 + UNTIL_MS)).toContainEqual(exposed(10));
  });

  test("exposes its reign at once when all catalogs hold it", () => {
    const views = won("catalog-9096");
    views.follows("catalog-9096", 10, 1_005);
    expect(views.held("catalog-9096", 10, 10, 1_006)).toEqual([exposed(10), expose()]);
  });
});

describe("a catalog", () => {
  test("that follows is sent what it lacks, and not what it has", () => {
    const views = won();
    expect(views.follows("catalog-9096", 4, 1_005)).toEqual([send(4), expose()]);
    expect(views.follows("catalog-9096", 4, 1_006)).toEqual([]);
    expect(views.follows("catalog-9097", 10, 1_006)).toEqual([expose("catalog-9097")]);
  });

  test("that restarted further back is sent everything from there", () => {
    const views = leading("catalog-9096");
    expect(views.follows("catalog-9096", 6, 1_100)).toContainEqual(send(6));
  });

  test("that is sent everything again is leased only once all of it is on its way", () => {
    const views = leading("catalog-9096", "catalog-9097");
    const later = 1_010 + UNTIL_MS; // its lease has ended, the other's hasn't
    views.grant("catalog-9097", 2, later - 10, later - 10);
    views.committed(12, later);
    views.sent("catalog-9096", 12, later);
    expect(views.grant("catalog-9096", 2, later, later)).toMatchObject({ sent: 12 });
    // Nothing came of it: it begins again, two messages at a time, and hasn't got that far.
    const again = later + HOLD_AGAIN_MS;
    views.tick(again);
    views.sent("catalog-9096", 11, again);
    expect(views.grant("catalog-9096", 3, again, again)).toBe(null);
    views.sent("catalog-9096", 12, again);
    expect(views.grant("catalog-9096", 4, again, again)).toMatchObject({ sent: 12 });
  });

  test("that has a history to read holds up no trade until all of it is on its way (W4)", () => {
    const views = new LeaderViews({ epoch: 3, reignPosition: 1_000, catalogs: [], wonMs: 1_000 });
    views.committed(1_000, 1_000);
    views.follows("catalog-9096", 0, 1_005);
    views.sent("catalog-9096", 100, 1_005);
    views.sent("catalog-9096", 200, 1_005);
    expect(views.grant("catalog-9096", 1, 1_005, 1_006)).toBe(null);
    expect(views.committed(1_001, 1_007)).toContainEqual(exposed(1_001));
    // All the rest is on its way: what waits for it now waits for two messages.
    views.held("catalog-9096", 200, 0, 1_008);
    views.sent("catalog-9096", 1_001, 1_008);
    expect(views.grant("catalog-9096", 2, 1_008, 1_009)).toMatchObject({ sent: 1_001 });
    expect(views.committed(1_002, 1_010)).not.toContainEqual(exposed(1_002));
  });

  test("that has a history to read is sent two messages at a time until it is level", () => {
    const views = won("catalog-9096");
    views.committed(1_000, 1_000);
    expect(views.follows("catalog-9096", 0, 1_005)).toContainEqual(send(0));
    expect(views.sent("catalog-9096", 100, 1_005)).toContainEqual(send(100));
    expect(views.sent("catalog-9096", 200, 1_005)).toEqual([]);
    expect(views.committed(1_001, 1_006)).not.toContainEqual(send(200));
    expect(views.held("catalog-9096", 100, 0, 1_007)).toContainEqual(send(200));
    expect(views.sent("catalog-9096", 1_001, 1_008)).toEqual([]);
    // Level again: what is committed now is sent at once.
    expect(views.committed(1_002, 1_009)).toContainEqual(send(1_001));
  });

  test("that missed a message is sent it again after a while, once", () => {
    const views = leading("catalog-9096");
    views.committed(11, 1_020);
    views.sent("catalog-9096", 11, 1_020);
    views.committed(12, 1_050);
    views.sent("catalog-9096", 12, 1_050);
    expect(views.tick(1_020 + HOLD_AGAIN_MS - 1)).not.toContainEqual(send(10));
    expect(views.tick(1_020 + HOLD_AGAIN_MS)).toContainEqual(send(10));
    views.sent("catalog-9096", 12, 1_020 + HOLD_AGAIN_MS);
    expect(views.tick(1_020 + HOLD_AGAIN_MS + 1)).not.toContainEqual(send(10));
  });

  test("that gets on slowly isn't sent again what it is still getting through", () => {
    const views = leading("catalog-9096");
    views.committed(12, 1_020);
    views.sent("catalog-9096", 11, 1_020);
    views.sent("catalog-9096", 12, 1_020);
    views.held("catalog-9096", 11, 10, 1_100);
    expect(views.tick(1_020 + HOLD_AGAIN_MS)).not.toContainEqual(send(11));
    expect(views.tick(1_100 + HOLD_AGAIN_MS)).toContainEqual(send(11));
  });

  test("that left is sent nothing more", () => {
    const views = leading("catalog-9096");
    views.left("catalog-9096");
    expect(views.sent("catalog-9096", 11, 1_020)).toEqual([]);
    expect(views.committed(11, 1_021)).toEqual([]);
  });

  test("that is quiet and lacks nothing is sent no entries again", () => {
    const views = leading("catalog-9096");
    expect(views.tick(1_400)).toEqual([expose()]);
  });
});

test("R1: the exposed position never goes back nor past the commit, whatever catalogs do", () => {
  const catalog = fc.constantFrom("catalog-9096", "catalog-9097");
  const position = fc.integer({ min: 0, max: 60 });
  const step = fc.oneof(
    fc.record({ kind: fc.constant("commit" as const), by: fc.nat(5) }),
    fc.record({ kind: fc.constant("follow" as const), catalog, position }),
    fc.record({ kind: fc.constant("held" as const), catalog, position }),
    fc.record({ kind: fc.constant("grant" as const), catalog }),
    fc.record({ kind: fc.constant("leave" as const), catalog }),
    fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(400) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const views = won("catalog-9096", "catalog-9097");
      let nowMs = 1_000;
      let before = 0;
      for (const each of steps) {
        if (each.kind === "commit") views.committed(views.commit + each.by, nowMs);
        else if (each.kind === "follow") views.follows(each.catalog, each.position, nowMs);
        else if (each.kind === "held") {
          views.held(each.catalog, each.position, each.position, nowMs);
        } else if (each.kind === "grant") views.grant(each.catalog, 1, nowMs, nowMs);
        else if (each.kind === "leave") views.left(each.catalog);
        else {
          nowMs += each.ms;
          views.tick(nowMs);
        }
        expect(views.exposed).toBeGreaterThanOrEqual(before);
        expect(views.exposed).toBeLessThanOrEqual(views.commit);
        before = views.exposed;
      }
      views.tick(nowMs + UNTIL_MS);
      expect(views.exposed).toBe(views.commit);
    }),
  );
});
