import { expect, test } from "vitest";
import { CatalogView } from "../../core/coherence/catalog-view.ts";
import { LEASE_MARGIN_MS, LEASE_MS } from "../../core/coherence/limits.ts";
import { FakePeer, silent, turns } from "../order/test-support.ts";
import { CatalogService } from "./catalog-service.ts";
import { Replicas } from "./replicas.ts";
import { StockView } from "./stock-view.ts";
import { StoreWriter } from "./store-writer.ts";
import { adjust, BOAR, entry, FISH } from "./test-support.ts";

const FOLLOWS_FROM_MS = LEASE_MS + LEASE_MARGIN_MS;

/** A catalog at `position`, old enough to follow, with a connection to replica 9094. */
function serviceAt(position: number) {
  const clock = { nowMs: 0 };
  const saved: unknown[] = [];
  const broken: unknown[] = [];
  const replicas = new Replicas();
  const store = new StoreWriter(
    { save: (at, stocks) => saved.push({ at, stocks: [...stocks] }) },
    position,
  );
  const view = new CatalogView({ applied: position, nowMs: 0 });
  clock.nowMs = FOLLOWS_FROM_MS;
  const service = new CatalogService({
    view,
    stocks: new StockView({ position, stocks: [FISH, BOAR] }),
    store,
    replicas,
    log: silent,
    nowMs: () => clock.nowMs,
    onLeader: () => {},
    onBroken: (reason) => broken.push(reason),
  });
  const leader = new FakePeer("order", "order-9094");
  replicas.opened(9094, leader, 1_000);
  const frontend = (name: string): FakePeer => {
    const peer = new FakePeer("frontend", name);
    service.joined(peer);
    return peer;
  };
  /** The leader sends entries that follow `after`, with everything up to `exposed` exposed. */
  const send = (
    epoch: number,
    exposed: number,
    after: number,
    ...entries: ReturnType<typeof entry>[]
  ): void => service.entries({ leader: 9094, epoch, exposed, after, entries });
  /** The leader of `epoch` grants a lease from now on. */
  const lease = (epoch: number, exposed: number, sent: number): void => {
    service.follows(9094, epoch);
    const ask = view.askLease(clock.nowMs);
    service.granted({ epoch, ask, ms: LEASE_MS, exposed, sent });
  };
  /** The last of what the leader was told is held; undefined if it was told nothing since. */
  const toldHeld = (): unknown => leader.received.splice(0).at(-1)?.argument;
  return { service, view, clock, saved, broken, store, leader, frontend, send, lease, toldHeld };
}

test("the leader isn't told of a hold before every leased front end has dropped what changed", () => {
  const { service, frontend, send, lease, toldHeld } = serviceAt(10);
  const [one, two] = [frontend("frontend"), frontend("frontend-8001")];
  lease(1, 10, 10);
  expect(service.lease(one, 1, null).grant).toMatchObject({ epoch: 1, exposed: 10, sent: 10 });
  expect(service.lease(two, 1, null).grant).not.toBeNull();
  toldHeld();
  send(1, 10, 10, entry(11, adjust("FishCo", 1)));
  expect(one.take().argument).toEqual({ after: 10, through: 11, names: ["FishCo"] });
  expect(toldHeld()).toEqual({ epoch: 1, received: 11, held: 10 });
  service.holding(one, 11);
  service.holding(two, 11);
  expect(toldHeld()).toEqual({ epoch: 1, received: 11, held: 11 });
});

test("a front end that vanished is waited for no longer than its lease and a margin", () => {
  const { service, frontend, send, lease, clock, toldHeld } = serviceAt(10);
  const gone = frontend("frontend");
  lease(1, 10, 10);
  service.lease(gone, 1, null);
  service.left(gone);
  send(1, 10, 10, entry(11, adjust("FishCo", 1)));
  toldHeld();
  clock.nowMs += FOLLOWS_FROM_MS - 1;
  service.tick();
  expect(toldHeld()).toBeUndefined();
  clock.nowMs += 1;
  service.tick();
  expect(toldHeld()).toEqual({ epoch: 1, received: 11, held: 11 });
});

test("a second front end of one name, which comes and goes, takes no hold and no lease from the first", () => {
  const { service, frontend, send, lease, toldHeld } = serviceAt(10);
  const first = frontend("frontend");
  lease(1, 10, 10);
  expect(service.lease(first, 1, null).grant).not.toBeNull();
  const second = frontend("frontend");
  expect(service.lease(second, 1, null).grant).not.toBeNull();
  expect(service.leasedTo).toEqual(["frontend", "frontend"]);
  toldHeld();

  // While both live, both are waited for.
  send(1, 10, 10, entry(11, adjust("FishCo", 1)));
  expect([first, second].map((peer) => peer.take().name)).toEqual(["hold", "hold"]);
  service.holding(second, 11);
  expect(toldHeld()).toMatchObject({ held: 10 });
  service.holding(first, 11);
  expect(toldHeld()).toMatchObject({ held: 11 });

  service.left(second);
  send(1, 11, 11, entry(12, adjust("FishCo", 1)));
  expect(first.take()).toMatchObject({ name: "hold", argument: { after: 11, through: 12 } });
  expect(service.lease(first, 2, 12).grant).not.toBeNull();
});

test("a front end that connects again is the same holder, and its earlier connection's end changes nothing", () => {
  const { service, send, lease } = serviceAt(10);
  const [first, again] = [1, 2].map(() => new FakePeer("frontend", "frontend", "one link"));
  if (!first || !again) throw new Error("two were made");
  service.joined(first);
  lease(1, 10, 10);
  expect(service.lease(first, 1, null).grant).not.toBeNull();
  service.joined(again);
  service.left(first);
  expect(service.leasedTo).toEqual(["frontend"]);
  send(1, 10, 10, entry(11, adjust("FishCo", 1)));
  expect(again.take().name).toBe("hold");
  expect(first.received).toEqual([]);
});

test("a front end whose connection is gone gets no lease, since it could be told nothing", () => {
  const { service, frontend, lease } = serviceAt(10);
  const gone = frontend("frontend");
  lease(1, 10, 10);
  service.left(gone);
  expect(service.lease(gone, 1, null).grant).toBeNull();
});

test("all changes of a message are one hold, and a name is named once", () => {
  const { service, frontend, send, lease } = serviceAt(10);
  const peer = frontend("frontend");
  lease(1, 10, 10);
  service.lease(peer, 1, null);
  send(
    1,
    10,
    10,
    entry(11, adjust("FishCo", 1)),
    entry(12, adjust("FishCo", 2), adjust("BoarCo", 1)),
    entry(13),
  );
  expect(peer.take().argument).toEqual({ after: 10, through: 13, names: ["FishCo", "BoarCo"] });
  expect(peer.received).toEqual([]);
});

test("a stock that is held is shown neither old nor new before it is exposed", async () => {
  const { service, send, lease } = serviceAt(10);
  lease(1, 10, 10);
  send(1, 10, 10, entry(11, adjust("FishCo", 1)));
  const answers: unknown[] = [];
  void Promise.resolve(service.lookup(["FishCo"])).then((answer) => answers.push(answer));
  void Promise.resolve(service.list({ after: "", limit: 10 })).then((answer) =>
    answers.push(answer),
  );
  await turns();
  expect(answers).toEqual([]);
  expect(service.lookup(["BoarCo"])).toEqual({ kind: "stocks", stocks: [BOAR], position: 10 });
  send(1, 11, 0);
  await turns();
  const fish = { ...FISH, quantity: 601 };
  expect(answers).toEqual([
    { kind: "stocks", stocks: [fish], position: 11 },
    { kind: "stocks", stocks: [BOAR, fish], next: null, total: 2, position: 11 },
  ]);
});

test("without a lease nothing is answered, and who waited is sent on when it ends", async () => {
  const { service, send, lease, clock } = serviceAt(10);
  expect(service.lookup(["FishCo"])).toEqual({ kind: "unleased" });
  lease(1, 10, 10);
  expect(service.lookup(["Ash"])).toEqual({ kind: "stocks", stocks: [null], position: 10 });
  send(1, 10, 10, entry(11, adjust("FishCo", 1)));
  const waiting = service.list({ after: "", limit: 10 });
  clock.nowMs += LEASE_MS;
  service.tick();
  expect(await waiting).toEqual({ kind: "unleased" });
});

test("a lease isn't used before what was exposed when it was given is shown", () => {
  const { service, send, lease } = serviceAt(10);
  lease(1, 11, 11);
  expect(service.lookup(["FishCo"])).toEqual({ kind: "unleased" });
  send(1, 11, 10, entry(11, adjust("FishCo", 1)));
  expect(service.lookup(["FishCo"])).toMatchObject({ position: 11 });
});

test("a catalog that just started follows nobody: it has forgotten whom it granted leases to", () => {
  const { service, view, clock, send, toldHeld } = serviceAt(10);
  clock.nowMs = FOLLOWS_FROM_MS - 1;
  send(1, 11, 10, entry(11, adjust("FishCo", 1)));
  expect(toldHeld()).toBeUndefined();
  expect(view.received).toBe(10);
  expect(service.follows(9094, 1)).toBe(false);
  clock.nowMs += 1;
  expect(service.follows(9094, 1)).toBe(true);
});

test("entries after a gap are not taken, and the leader is told where the catalog stands", () => {
  const { send, toldHeld, view } = serviceAt(10);
  send(1, 12, 11, entry(12, adjust("FishCo", 1)));
  expect(toldHeld()).toEqual({ epoch: 1, received: 10, held: 10 });
  expect(view.applied).toBe(10);
});

test("entries that come again are shown once", () => {
  const { send, lease, service } = serviceAt(10);
  lease(1, 10, 10);
  send(1, 10, 10, entry(11, adjust("FishCo", 1)));
  send(1, 12, 10, entry(11, adjust("FishCo", 1)), entry(12, adjust("FishCo", 2)));
  expect(service.lookup(["FishCo"])).toMatchObject({ stocks: [{ quantity: 603 }], position: 12 });
});

test("a leader that is over isn't heard, so that it exposes nothing more", () => {
  const { send, view, toldHeld } = serviceAt(10);
  send(2, 11, 10, entry(11));
  toldHeld();
  send(1, 12, 11, entry(12, adjust("FishCo", 1)));
  expect(toldHeld()).toBeUndefined();
  expect(view.received).toBe(11);
});

test("the view's file is written behind it, each stock once", () => {
  const { send, store, saved } = serviceAt(10);
  send(1, 12, 10, entry(11, adjust("FishCo", 1)), entry(12, adjust("FishCo", 2)));
  send(1, 13, 12, entry(13));
  store.flush();
  store.flush();
  expect(saved).toEqual([{ at: 13, stocks: [{ ...FISH, quantity: 603 }] }]);
});

test("an entry that can't be read stops the catalog instead of being left out", () => {
  const { send, broken, lease, service, view } = serviceAt(10);
  lease(1, 10, 10);
  send(1, 11, 10, { position: 11, epoch: 1, at: 0, command: new Uint8Array([255]) });
  expect(broken).toHaveLength(1);
  send(1, 12, 10, entry(11, adjust("FishCo", 1)));
  expect(view.received).toBe(10);
  expect(service.lookup(["FishCo"])).toEqual({ kind: "unleased" });
});
