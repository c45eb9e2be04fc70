import { describe, expect, test } from "vitest";
import { type Batch, type CatalogEffect, CatalogView } from "./catalog-view.ts";
import { HEARD_MS, HELD_BATCHES_MAX, HOLD_AGAIN_MS, LEASE_MARGIN_MS, LEASE_MS } from "./limits.ts";

const UNTIL_MS = LEASE_MS + LEASE_MARGIN_MS;

function batch(through: number, ...names: string[]): Batch {
  return { after: through - 1, through, names };
}

const hold = (frontend: string, after: number, through: number, ...names: string[]) =>
  ({ kind: "hold", frontend, after, through, names }) satisfies CatalogEffect;
const held = (through: number, epoch = 1) =>
  ({ kind: "held", epoch, through }) satisfies CatalogEffect;
const release = (leased: boolean, ...tokens: number[]) =>
  ({ kind: "release", tokens, leased }) satisfies CatalogEffect;

/** Has applied 10, follows 9094 of epoch 1, and is leased from 1,000 to 1,500. */
function leased(): CatalogView {
  const view = new CatalogView({ applied: 10 });
  view.follow("9094", 1, 1_000);
  renew(view, 1_000);
  return view;
}

function renew(view: CatalogView, nowMs: number): void {
  const { applied: exposed, received: sent, epoch } = view;
  view.granted({ epoch, ask: view.askLease(nowMs), ms: LEASE_MS, exposed, sent }, nowMs);
}

/** As leased(), with front ends that hold leases of it. */
function serving(...frontends: string[]): CatalogView {
  const view = leased();
  for (const frontend of frontends) {
    view.connected(frontend, 1_000);
    view.grant(frontend, 1, 1_000);
  }
  return view;
}

describe("a question (K1)", () => {
  test("is the leader's to answer, for a view that never had a lease", () => {
    const view = new CatalogView({ applied: 10 });
    expect(view.ask(["FishCo"], 1_000)).toEqual({ kind: "elsewhere" });
  });

  test("is the leader's to answer once the lease is over, though no timer ended it", () => {
    const view = leased();
    expect(view.ask(["FishCo"], 1_499)).toEqual({ kind: "now" });
    expect(view.ask(["FishCo"], 1_500)).toEqual({ kind: "elsewhere" });
    expect(view.isLeased(1_500)).toBe(false);
  });

  test("is answered only once the view has what was exposed when its lease was granted (V2)", () => {
    const view = new CatalogView({ applied: 10 });
    view.follow("9094", 1, 1_000);
    const ask = view.askLease(1_000);
    view.granted({ epoch: 1, ask, ms: LEASE_MS, exposed: 11, sent: 12 }, 1_001);
    expect(view.isLeased(1_001)).toBe(false);
    view.hold(1, batch(11, "FishCo"), 1_002);
    view.hold(1, batch(12, "BoarCo"), 1_002);
    expect(view.isLeased(1_002)).toBe(false);
    view.exposed(1, 11, 1_003);
    expect(view.isLeased(1_003)).toBe(true);
  });

  test("is the leader's to answer under a lease of an epoch that isn't followed any more", () => {
    const view = new CatalogView({ applied: 10 });
    view.follow("9094", 1, 1_000);
    const ask = view.askLease(1_000);
    view.follow("9092", 2, 1_000);
    view.granted({ epoch: 1, ask, ms: LEASE_MS, exposed: 10, sent: 10 }, 1_001);
    expect(view.isLeased(1_001)).toBe(false);
  });
});

describe("a question about a held stock (K2)", () => {
  test("waits until the batch is applied", () => {
    const view = leased();
    view.hold(1, batch(11, "FishCo"), 1_010);
    expect(view.ask(["FishCo"], 1_011)).toEqual({ kind: "later", token: 1 });
    expect(view.ask(["BoarCo"], 1_011)).toEqual({ kind: "now" });
    expect(view.exposed(1, 11, 1_020)).toEqual([{ kind: "apply", through: 11 }, release(true, 1)]);
    expect(view.ask(["FishCo"], 1_021)).toEqual({ kind: "now" });
  });

  test("doesn't wait for batches that came after it: under steady trade that were for ever", () => {
    const view = leased();
    view.hold(1, batch(11, "FishCo"), 1_010);
    view.ask(["FishCo"], 1_011);
    view.hold(1, batch(12, "FishCo"), 1_012);
    expect(view.exposed(1, 11, 1_020)).toContainEqual(release(true, 1));
  });

  test("waits for the last of the batches that change it", () => {
    const view = leased();
    view.hold(1, batch(11, "FishCo"), 1_010);
    view.hold(1, batch(12, "BoarCo"), 1_010);
    view.hold(1, batch(13, "FishCo", "Ash"), 1_010);
    view.ask(["FishCo"], 1_011);
    view.ask(["BoarCo"], 1_011);
    expect(view.exposed(1, 12, 1_020)).toEqual([{ kind: "apply", through: 12 }, release(true, 2)]);
    expect(view.exposed(1, 13, 1_030)).toContainEqual(release(true, 1));
  });

  test("is one about all stocks, too", () => {
    const view = leased();
    expect(view.ask(null, 1_005)).toEqual({ kind: "now" });
    view.hold(1, batch(11, "FishCo"), 1_010);
    view.hold(1, batch(12), 1_010);
    expect(view.ask(null, 1_011)).toEqual({ kind: "later", token: 1 });
    expect(view.exposed(1, 11, 1_020)).toContainEqual(release(true, 1));
    expect(view.ask(null, 1_021)).toEqual({ kind: "now" });
  });

  test("is the leader's to answer when the lease ended while it waited", () => {
    const view = leased();
    view.hold(1, batch(11, "FishCo"), 1_010);
    view.ask(["FishCo"], 1_011);
    expect(view.exposed(1, 11, 1_500)).toContainEqual(release(false, 1));
  });

  test("doesn't go on waiting at a view without a lease", () => {
    const view = leased();
    view.hold(1, batch(11, "FishCo"), 1_010);
    view.ask(["FishCo"], 1_011);
    expect(view.tick(1_499)).toEqual([]);
    expect(view.tick(1_500)).toEqual([release(false, 1)]);
    expect(view.tick(1_510)).toEqual([]);
  });
});

describe("the leader is told that a batch is held (K3)", () => {
  test("at once, when there is no front end", () => {
    expect(leased().hold(1, batch(11, "FishCo"), 1_010)).toEqual([held(11)]);
  });

  test("once every leased front end has dropped these stocks", () => {
    const view = serving("frontend-8000", "frontend-8001");
    expect(view.hold(1, batch(11, "FishCo"), 1_010)).toEqual([
      hold("frontend-8000", 10, 11, "FishCo"),
      hold("frontend-8001", 10, 11, "FishCo"),
      held(10), // said again, since the leader may have missed it
    ]);
    expect(view.frontendHeld("frontend-8000", 11, 1_011)).toEqual([]);
    expect(view.frontendHeld("frontend-8001", 11, 1_012)).toEqual([held(11)]);
  });

  test("by answers to earlier holds, too, and by none to more than was sent", () => {
    const view = serving("frontend-8000");
    view.hold(1, batch(11, "FishCo"), 1_010);
    view.hold(1, batch(12, "BoarCo"), 1_011);
    expect(view.frontendHeld("frontend-8000", 11, 1_012)).toEqual([held(11)]);
    expect(view.frontendHeld("frontend-8000", 99, 1_013)).toEqual([held(12)]);
    expect(view.hold(1, batch(13, "FishCo"), 1_014)).toEqual([
      hold("frontend-8000", 12, 13, "FishCo"),
    ]);
  });

  test("at once where it comes again: the leader didn't hear the last answer", () => {
    const view = serving("frontend-8000");
    view.hold(1, batch(11, "FishCo"), 1_010);
    expect(view.hold(1, batch(11, "FishCo"), 1_011)).toEqual([held(10)]);
  });

  test("without asking a front end that has no lease, and so no copies", () => {
    const view = leased();
    view.connected("frontend-8000", 1_000);
    expect(view.hold(1, batch(11, "FishCo"), 1_010)).toEqual([held(11)]);
  });

  test("only at the end of its lease, if a front end whose connection closed may still serve copies", () => {
    const view = serving("frontend-8000");
    view.disconnected("frontend-8000");
    expect(view.hold(1, batch(11, "FishCo"), 1_010)).toEqual([held(10)]);
    expect(view.tick(1_000 + UNTIL_MS - 1)).not.toContainEqual(held(11));
    expect(view.tick(1_000 + UNTIL_MS)).toContainEqual(held(11));
  });

  test("at the end of a lease only, when a front end is gone, but at once when it is back and has dropped them", () => {
    const view = serving("frontend-8000");
    view.disconnected("frontend-8000");
    expect(view.hold(1, batch(11, "FishCo"), 1_010)).toEqual([held(10)]);
    expect(view.tick(1_010 + HOLD_AGAIN_MS)).toEqual([]);
    expect(view.connected("frontend-8000", 1_200)).toEqual([
      hold("frontend-8000", 10, 11, "FishCo"),
    ]);
    expect(view.frontendHeld("frontend-8000", 11, 1_201)).toEqual([held(11)]);
    view.disconnected("frontend-8000");
    expect(view.connected("frontend-8000", 1_210)).toEqual([]);
  });

  test("with every question for a lease", () => {
    const view = serving("frontend-8000");
    view.hold(1, batch(11, "FishCo"), 1_010);
    expect(view.heldThrough(1_011)).toBe(10);
    view.frontendHeld("frontend-8000", 11, 1_012);
    expect(view.heldThrough(1_013)).toBe(11);
  });

  test("again when the first telling was lost", () => {
    const view = leased();
    view.hold(1, batch(11, "FishCo"), 1_010);
    expect(view.hold(1, batch(11, "FishCo"), 1_110)).toEqual([held(11)]);
  });

  test("again when it has a new leader", () => {
    const view = leased();
    view.hold(1, batch(11, "FishCo"), 1_010);
    view.follow("9092", 2, 1_000);
    expect(view.hold(2, batch(11, "FishCo"), 1_020)).toEqual([held(11, 2)]);
    expect(view.leader).toBe("9092");
  });

  test("again when the new leader has nothing new to hold", () => {
    const view = leased();
    view.hold(1, batch(11, "FishCo"), 1_010);
    view.follow("9092", 2, 1_000);
    expect(view.tick(1_020)).toEqual([held(11, 2)]);
    expect(view.tick(1_030)).toEqual([]);
  });

  test("and a hold that a front end missed is sent again", () => {
    const view = serving("frontend-8000");
    view.hold(1, batch(11, "FishCo"), 1_010);
    view.hold(1, batch(12, "BoarCo"), 1_050);
    expect(view.tick(1_050 + HOLD_AGAIN_MS - 1)).toEqual([]);
    expect(view.tick(1_050 + HOLD_AGAIN_MS)).toEqual([
      hold("frontend-8000", 10, 12, "FishCo", "BoarCo"),
    ]);
    expect(view.tick(1_050 + HOLD_AGAIN_MS + 1)).toEqual([]);
    view.frontendHeld("frontend-8000", 11, 1_200);
    expect(view.tick(1_050 + 2 * HOLD_AGAIN_MS)).toEqual([hold("frontend-8000", 11, 12, "BoarCo")]);
  });

  test("and a hold is kept after it is applied, while a front end still owes its answer", () => {
    const view = serving("frontend-8000");
    view.hold(1, batch(11, "FishCo"), 1_010);
    view.exposed(1, 11, 1_020);
    expect(view.tick(1_010 + HOLD_AGAIN_MS)).toEqual([hold("frontend-8000", 10, 11, "FishCo")]);
  });
});

describe("a front end's lease (K4)", () => {
  test("is no longer than the catalog's own", () => {
    const view = leased();
    for (const frontend of ["frontend-8000", "frontend-8001"]) view.connected(frontend, 1_000);
    expect(view.grant("frontend-8000", 5, 1_380)).toEqual({
      epoch: 1,
      ask: 5,
      ms: 120,
      exposed: 10,
      sent: 10,
    });
    expect(view.grant("frontend-8001", 5, 1_500)).toBe(null);
  });

  test("names what was sent to be held, without which it doesn't count (V2)", () => {
    const view = leased();
    view.hold(1, batch(11, "FishCo"), 1_010);
    view.hold(1, batch(12, "FishCo"), 1_010);
    view.exposed(1, 11, 1_011);
    view.connected("frontend-8000", 1_000);
    expect(view.grant("frontend-8000", 5, 1_020)).toMatchObject({ exposed: 11, sent: 12 });
  });
});

test("a front end that isn't connected gets no lease, since it could be told nothing (K7)", () => {
  const view = serving("frontend-8000");
  view.disconnected("frontend-8000");
  expect(view.grant("frontend-8000", 2, 1_010)).toBe(null);
});

describe("a front end whose lease ended while it owed an answer (K6)", () => {
  const ended = 1_000 + UNTIL_MS;
  /** Its hold of 11 was lost, everything is applied and forgotten. */
  const owing = () => {
    const view = serving("frontend-8000");
    view.hold(1, batch(11, "FishCo"), 1_010);
    view.exposed(1, 11, 1_020);
    renew(view, 1_490);
    return view;
  };

  test("gets no other, since it may be deaf", () => {
    expect(owing().grant("frontend-8000", 2, ended)).toBe(null);
  });

  test("is asked again whether it hears, and gets another once it does", () => {
    const view = owing();
    expect(view.tick(ended)).toContainEqual(hold("frontend-8000", 11, 11));
    view.frontendHeld("frontend-8000", 11, ended);
    expect(view.grant("frontend-8000", 2, ended)).toMatchObject({ sent: 11 });
  });
});

describe("a next leader (K5)", () => {
  const heardBefore = (askedMs: number, learnedMs: number, epoch = 1) => {
    const view = new CatalogView({ applied: 10 });
    view.follow("9094", 1, 1_000);
    view.heard(epoch, askedMs);
    view.follow("9092", 2, learnedMs);
    return view.heardBefore;
  };

  test("is told which one heard this catalog before, if that was lately", () => {
    expect(heardBefore(1_000, 1_000 + HEARD_MS - 1)).toBe(1);
    expect(heardBefore(1_000, 1_000 + HEARD_MS)).toBe(0);
  });

  test("is told of none by a catalog that has just started, or was not heard in the last epoch", () => {
    expect(new CatalogView({ applied: 10 }).heardBefore).toBe(0);
    expect(heardBefore(1_000, 1_001, 0)).toBe(0);
  });
});

describe("what comes from leaders", () => {
  test("of an earlier epoch counts for nothing", () => {
    const view = leased();
    expect(view.follow("9092", 2, 1_000)).toBe(true);
    expect(view.follow("9094", 1, 1_000)).toBe(false);
    expect(view).toMatchObject({ leader: "9092", epoch: 2 });
    expect(view.hold(1, batch(11, "FishCo"), 1_010)).toEqual([]);
    expect(view.received).toBe(10);
    view.hold(2, batch(11, "FishCo"), 1_011);
    expect(view.exposed(1, 11, 1_012)).toEqual([]);
    expect(view).toMatchObject({ received: 11, applied: 10 });
  });

  test("is taken without a gap and once, also where it overlaps what came before", () => {
    const view = leased();
    view.hold(1, batch(12, "FishCo"), 1_010);
    expect(view.received).toBe(10);
    view.hold(1, { after: 8, through: 10, names: ["FishCo"] }, 1_011);
    expect(view.received).toBe(10);
    view.hold(1, { after: 8, through: 11, names: ["FishCo"] }, 1_012);
    expect(view.received).toBe(11);
    expect(view.exposed(1, 11, 1_013)).toEqual([{ kind: "apply", through: 11 }]);
  });

  test("is applied no further than it was received, and once", () => {
    const view = leased();
    view.hold(1, batch(11, "FishCo"), 1_010);
    expect(view.exposed(1, 99, 1_020)).toEqual([{ kind: "apply", through: 11 }]);
    expect(view.exposed(1, 11, 1_021)).toEqual([]);
    expect(view.applied).toBe(11);
  });

  test("is taken only up to a limit while nothing is exposed, and from there on afterwards", () => {
    const view = leased();
    const count = HELD_BATCHES_MAX + 5;
    const sendAll = (nowMs: number): void => {
      for (let at = 0; at < count; at += 1) view.hold(1, batch(11 + at, "FishCo"), nowMs);
    };
    sendAll(1_010);
    expect(view.received).toBe(10 + HELD_BATCHES_MAX);
    view.exposed(1, 10 + HELD_BATCHES_MAX, 1_020);
    sendAll(1_030);
    expect(view.received).toBe(10 + count);
  });

  test("is taken only up to a limit while a front end is deaf, and from there on once its lease has ended", () => {
    const view = serving("frontend-8000");
    for (let at = 0; at < HELD_BATCHES_MAX; at += 1) view.hold(1, batch(11 + at, "Ash"), 1_010);
    view.exposed(1, 10 + HELD_BATCHES_MAX, 1_020);
    const next = batch(11 + HELD_BATCHES_MAX, "Ash");
    view.hold(1, next, 1_030);
    expect(view.received).toBe(10 + HELD_BATCHES_MAX);
    view.tick(1_000 + UNTIL_MS);
    view.hold(1, next, 1_000 + UNTIL_MS);
    expect(view.received).toBe(11 + HELD_BATCHES_MAX);
  });
});
