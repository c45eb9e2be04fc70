import { describe, expect, test } from "vitest";
import { FrontendView } from "./frontend-view.ts";
import type { Grant } from "./lease-holder.ts";
import { LEASE_MS } from "./limits.ts";

type Fetch = { readonly number: number };

const A = "catalog-9096";
const B = "catalog-9097";

function grant(ask: number, but: Partial<Grant> = {}): Grant {
  return { epoch: 1, ask, ms: LEASE_MS, exposed: 10, sent: 10, ...but };
}

/** Leased by A from 1,000 to 1,500, holding everything up to 10. */
function leased(): FrontendView<string, Fetch> {
  const view = new FrontendView<string, Fetch>();
  view.granted(A, grant(view.ask(A, 1_000)), 1_001);
  return view;
}

describe("a copy (U1)", () => {
  test("isn't served without a lease, or after it", () => {
    expect(new FrontendView<string, Fetch>().mayServe(0)).toBe(false);
    const view = leased();
    expect(view.mayServe(1_499)).toBe(true);
    expect(view.mayServe(1_500)).toBe(false);
  });

  test("is kept by a renewal, and dropped by a lease that was granted after the last had ended", () => {
    const view = leased();
    expect(view.granted(A, grant(view.ask(A, 1_400)), 1_401)).toBe(false);
    expect(view.granted(A, grant(view.ask(A, 2_000)), 2_001)).toBe(true);
  });

  test("is dropped when the lease of another catalog counts", () => {
    const view = leased();
    expect(view.granted(B, grant(view.ask(B, 1_100)), 1_101)).toBe(true);
    expect(view.lease(1_101)).toEqual(expect.objectContaining({ grantor: B, ms: LEASE_MS }));
  });

  test("from below its stock's floor isn't served (F1)", () => {
    const view = leased();
    expect(view.hold(A, 10, 12, ["FishCo"], 1_010)).toBe(12);
    expect(view.floors.serves("FishCo", 11)).toBe(false);
    expect(view.floors.serves("FishCo", 12)).toBe(true);
    expect(view.floors.floorOf("FishCo")).toBe(12);
    expect(view.floors.newestFloor).toBe(12);
  });

  test("from below a floor that was given up for another isn't served (F1)", () => {
    const view = new FrontendView<string, Fetch>(1);
    view.hold(A, 0, 1, ["FishCo"], 0);
    view.hold(A, 1, 2, ["BoarCo"], 0);
    expect(view.floors.serves("FishCo", 0)).toBe(false);
    expect(view.floors.serves("Ash", 0)).toBe(false);
  });
});

describe("a fetch (U2)", () => {
  test("is shared and its answer kept under a lease", () => {
    const view = leased();
    const fetch = { number: 1 };
    view.began("FishCo", fetch, 1_010);
    expect(view.joinable("FishCo", 1_011)).toBe(fetch);
    expect(view.joinable("BoarCo", 1_011)).toBeUndefined();
    expect(view.ended("FishCo", fetch)).toBe(true);
    expect(view.joinable("FishCo", 1_012)).toBeUndefined();
  });

  test("that was sent without a lease is neither shared nor kept, though one was granted since", () => {
    const view = new FrontendView<string, Fetch>();
    const fetch = { number: 1 };
    view.began("FishCo", fetch, 1_000);
    view.granted(A, grant(view.ask(A, 1_001)), 1_002);
    expect(view.joinable("FishCo", 1_003)).toBeUndefined();
    expect(view.ended("FishCo", fetch)).toBe(false);
  });

  test("that was sent and answered without a lease isn't kept", () => {
    const view = new FrontendView<string, Fetch>();
    const fetch = { number: 1 };
    view.began("FishCo", fetch, 1_000);
    expect(view.ended("FishCo", fetch)).toBe(false);
  });

  test("isn't shared after its lease ended: the market no longer waits for this front end", () => {
    const view = leased();
    view.began("FishCo", { number: 1 }, 1_010);
    expect(view.joinable("FishCo", 1_500)).toBeUndefined();
  });

  test("that was sent in an earlier session is neither shared nor kept (F3)", () => {
    const view = leased();
    const fetch = { number: 1 };
    view.began("FishCo", fetch, 1_010);
    view.granted(A, grant(view.ask(A, 1_600)), 1_601);
    expect(view.joinable("FishCo", 1_602)).toBeUndefined();
    expect(view.ended("FishCo", fetch)).toBe(false);
  });

  test("that was sent before a hold of its stock is neither shared nor kept (F2)", () => {
    const view = leased();
    const fetch = { number: 1 };
    view.began("FishCo", fetch, 1_010);
    view.hold(A, 10, 11, ["FishCo"], 1_011);
    expect(view.joinable("FishCo", 1_012)).toBeUndefined();
    expect(view.ended("FishCo", fetch)).toBe(false);
  });

  test("that failed isn't shared, and one whose stock's copy is doubted is neither shared nor kept", () => {
    const view = leased();
    const first = { number: 1 };
    view.began("FishCo", first, 1_010);
    view.ended("FishCo", first);
    expect(view.joinable("FishCo", 1_011)).toBeUndefined();
    const second = { number: 2 };
    view.began("FishCo", second, 1_012);
    view.forget("FishCo");
    expect(view.joinable("FishCo", 1_013)).toBeUndefined();
    expect(view.ended("FishCo", second)).toBe(false);
  });
});

describe("a hold (U3)", () => {
  test("after a gap doesn't count as held until the missing one has come", () => {
    const view = leased();
    expect(view.hold(A, 12, 13, ["FishCo"], 1_010)).toBe(10);
    expect(view.hold(A, 10, 12, ["BoarCo"], 1_011)).toBe(12);
    expect(view.hold(A, 12, 13, ["FishCo"], 1_012)).toBe(13);
    expect(view.heldOf(A)).toBe(13);
  });

  test("after a gap has the copies of its stocks dropped all the same", () => {
    const view = leased();
    view.began("FishCo", { number: 1 }, 1_009);
    view.hold(A, 12, 13, ["FishCo"], 1_010);
    expect(view.floors.serves("FishCo", 12)).toBe(false);
    expect(view.joinable("FishCo", 1_011)).toBeUndefined();
  });

  test("that comes again, or late, takes back nothing of what is held", () => {
    const view = leased();
    view.hold(A, 10, 13, ["FishCo"], 1_010);
    expect(view.hold(A, 10, 11, ["FishCo"], 1_011)).toBe(13);
    expect(view.floors.floorOf("FishCo")).toBe(13);
  });

  test("of a catalog whose lease the front end doesn't hold is answered all the same", () => {
    const view = leased();
    expect(view.hold(B, 40, 41, ["FishCo"], 1_010)).toBe(41);
    expect(view.hold(B, 50, 51, ["FishCo"], 1_011)).toBe(51);
    expect(view.heldOf(A)).toBe(10);
    expect(view.hold(A, 60, 61, ["FishCo"], 1_500)).toBe(61); // its lease is over
  });

  test("that is missing keeps the lease from being renewed (V2)", () => {
    const view = leased();
    view.hold(A, 12, 13, ["FishCo"], 1_300);
    expect(view.granted(A, grant(view.ask(A, 1_310), { sent: 13 }), 1_311)).toBe(false);
    expect(view.mayServe(1_500)).toBe(false);
    expect(view.granted(A, grant(view.ask(A, 1_510), { sent: 13 }), 1_511)).toBe(true);
    expect(view.heldOf(A)).toBe(13);
    expect(view.mayServe(1_511)).toBe(true);
  });

  test("that was sent before the session began counts as held", () => {
    const view = new FrontendView<string, Fetch>();
    expect(view.heldOf(A)).toBe(null);
    view.granted(A, grant(view.ask(A, 1_000), { sent: 40 }), 1_001);
    expect(view.heldOf(A)).toBe(40);
    expect(view.hold(A, 40, 41, ["FishCo"], 1_002)).toBe(41);
  });
});

describe("when the connection to a catalog is gone", () => {
  test("copies that rest on its holds are served no more", () => {
    const view = leased();
    const fetch = { number: 1 };
    view.began("FishCo", fetch, 1_010);
    expect(view.lost(A)).toBe(true);
    expect(view.mayServe(1_021)).toBe(false);
    expect(view.lease(1_021)).toBe(null);
    expect(view.heldOf(A)).toBe(null);
    expect(view.ended("FishCo", fetch)).toBe(false);
  });

  test("copies that rest on another's holds are still served", () => {
    const view = leased();
    view.hold(B, 10, 11, ["FishCo"], 1_010);
    expect(view.lost(B)).toBe(false);
    expect(view.mayServe(1_021)).toBe(true);
    expect(view.heldOf(B)).toBe(null);
  });

  test("a grant of it that comes late doesn't count", () => {
    const view = leased();
    const late = view.ask(A, 1_400);
    expect(view.lost(A)).toBe(true);
    expect(view.granted(A, grant(late), 1_510)).toBe(false);
    expect(view.mayServe(1_510)).toBe(false);
  });

  test("a grant of the catalog that is asked instead counts", () => {
    const view = leased();
    const ask = view.ask(B, 1_600);
    expect(view.lost(A)).toBe(true);
    expect(view.granted(B, grant(ask), 1_610)).toBe(true);
    expect(view.mayServe(1_610)).toBe(true);
  });
});
