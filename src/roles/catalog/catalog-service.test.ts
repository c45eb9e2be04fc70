import { expect, test } from "vitest";
import { RpcError } from "../../io/rpc/error.ts";
import { FakePeer, silent, turns } from "../order/test-support.ts";
import { CatalogService } from "./catalog-service.ts";
import { Invalidations } from "./invalidations.ts";
import { INVALIDATION_WAIT_MS } from "./limits.ts";
import { Replicas } from "./replicas.ts";
import { StockView } from "./stock-view.ts";
import { StoreWriter } from "./store-writer.ts";
import { adjust, BOAR, entry, FISH } from "./test-support.ts";

function serviceAt(position: number) {
  const clock = { nowMs: 0 };
  const saved: unknown[] = [];
  const broken: unknown[] = [];
  const invalidations = new Invalidations({ log: silent, nowMs: () => clock.nowMs });
  const replicas = new Replicas();
  const store = new StoreWriter(
    { save: (at, stocks) => saved.push({ at, stocks: [...stocks] }) },
    position,
  );
  const service = new CatalogService({
    view: new StockView({ position, stocks: [FISH, BOAR] }),
    store,
    invalidations,
    replicas,
    log: silent,
    onBroken: (reason) => broken.push(reason),
  });
  const frontend = (name: string): FakePeer => {
    const peer = new FakePeer("frontend", name);
    invalidations.join(peer);
    return peer;
  };
  const answers: unknown[] = [];
  const committed = (epoch: number, ...entries: ReturnType<typeof entry>[]): void => {
    service.committed({ leader: 9094, epoch, entries }).then(
      ({ applied }) => answers.push(applied),
      (error: Error) => answers.push(error.message),
    );
  };
  return {
    service,
    clock,
    saved,
    broken,
    invalidations,
    replicas,
    store,
    frontend,
    committed,
    answers,
  };
}

test("the leader isn't answered before every front end has dropped what changed", async () => {
  const { frontend, committed, answers, service } = serviceAt(10);
  const [one, two] = [frontend("frontend"), frontend("frontend-8001")];
  committed(1, entry(11, adjust("FishCo", 1)));
  await turns();
  const call = one.take();
  expect(call.argument).toEqual({ names: ["FishCo"], position: 11 });
  call.answer({});
  await turns();
  expect(answers).toEqual([]);
  two.take().answer({});
  await turns();
  expect(answers).toEqual([11]);
  service.heardOfCommit(11);
  expect(service.lookup(["FishCo", "Ash"])).toEqual({
    stocks: [{ ...FISH, quantity: 601 }, null],
    position: 11,
  });
});

test("all changes of a turn are one call to a front end", async () => {
  const { frontend, committed, answers } = serviceAt(10);
  const peer = frontend("frontend");
  committed(1, entry(11, adjust("FishCo", 1)), entry(12, adjust("FishCo", 2)));
  committed(1, entry(13, adjust("BoarCo", 1)), entry(14));
  await turns();
  const call = peer.take();
  expect(call.argument).toEqual({ names: ["FishCo", "BoarCo"], position: 14 });
  expect(peer.received).toEqual([]);
  call.answer({});
  await turns();
  expect(answers).toEqual([12, 14]);
});

test("a batch isn't answered while a copy from before an earlier one may still be shown", async () => {
  const { frontend, committed, answers } = serviceAt(10);
  const peer = frontend("frontend");
  committed(1, entry(11, adjust("FishCo", 1)));
  await turns();
  const first = peer.take();
  committed(1, entry(12, adjust("BoarCo", 1)));
  await turns();
  peer.take().answer({});
  committed(1); // a new leader asks where it stands
  await turns();
  expect(answers).toEqual([]);
  first.answer({});
  await turns();
  expect(answers).toEqual([11, 12, 12]);
});

test("a slow front end is cut off before the leader stops waiting for the catalog", async () => {
  const { frontend, committed, answers, clock, invalidations } = serviceAt(10);
  const slow = frontend("frontend");
  committed(1, entry(11, adjust("FishCo", 1)));
  await turns();
  const call = slow.take();
  clock.nowMs = INVALIDATION_WAIT_MS - 1;
  invalidations.tick();
  expect(slow.isOpen).toBe(true);
  clock.nowMs = INVALIDATION_WAIT_MS;
  invalidations.tick();
  expect(slow.isOpen).toBe(false);
  call.fail(new RpcError("closed", "closed by this side"));
  invalidations.leave(slow);
  await turns();
  expect(answers).toEqual([11]);
  committed(1, entry(12, adjust("FishCo", 1)));
  await turns();
  expect(answers).toEqual([11, 12]);
});

test("a front end that can't drop a copy loses its connection, and with it all copies", async () => {
  const { frontend, committed, answers } = serviceAt(10);
  const peer = frontend("frontend");
  committed(1, entry(11, adjust("FishCo", 1)));
  await turns();
  peer.take().fail(new RpcError("failed", "no memory"));
  await turns();
  expect(peer.isOpen).toBe(false);
  expect(answers).toEqual([11]);
});

test("entries after a gap are refused by saying where the catalog stands", async () => {
  const { committed, answers, service } = serviceAt(10);
  committed(1, entry(12, adjust("FishCo", 1)));
  await turns();
  expect(answers).toEqual([10]);
  service.heardOfCommit(10);
  expect(service.lookup(["FishCo"]).stocks).toEqual([FISH]);
});

test("a leader that is over isn't answered, so that it exposes nothing more", async () => {
  const { committed, answers } = serviceAt(10);
  committed(2, entry(11));
  committed(1, entry(12, adjust("FishCo", 1)));
  await turns();
  expect(answers).toEqual(["epoch 1 is over, 2 has begun", 11]);
});

test("a catalog that starts behind answers no lookup with the past", async () => {
  const { service, committed, replicas } = serviceAt(10);
  expect(() => service.lookup(["FishCo"])).toThrow("still catching up");
  const leader = new FakePeer("order", "order-9094");
  replicas.opened(9094, leader, 1_000);
  committed(3, entry(11, adjust("FishCo", 1)));
  leader.take().answer({ leads: true, commitPosition: 12 });
  await turns();
  expect(() => service.stocks()).toThrow("still catching up");
  committed(3, entry(12));
  await turns();
  expect(service.lookup(["FishCo"]).position).toBe(12);
});

test("the view's file is written behind it, each stock once", async () => {
  const { committed, store, saved } = serviceAt(10);
  committed(1, entry(11, adjust("FishCo", 1)), entry(12, adjust("FishCo", 2)));
  committed(1, entry(13));
  store.flush();
  store.flush();
  expect(saved).toEqual([{ at: 13, stocks: [{ ...FISH, quantity: 603 }] }]);
});

test("an entry that can't be read stops the catalog instead of being left out", async () => {
  const { committed, broken, answers, service } = serviceAt(10);
  service.heardOfCommit(10);
  committed(1, { position: 11, epoch: 1, at: 0, command: new Uint8Array([255]) });
  await turns();
  expect(() => service.lookup(["FishCo"])).toThrow(RpcError);
  expect(broken).toHaveLength(1);
  expect(answers).toEqual([expect.stringContaining("not the bytes of market commands")]);
});
