import { expect, test } from "vitest";
import type { ClusterPart, StateMessage } from "../../src/client/event-messages.ts";
import { changed, floorOf, healthOf, onDisks, pace, TAPE_MAX } from "./model.ts";

const CLUSTER: ClusterPart = {
  leader: 9094,
  epoch: 1,
  quorum: 2,
  ready: true,
  frontends: [],
  catalogs: [],
  replicas: [9090, 9092, 9094].map((id) => ({
    role: `order-${id}`,
    id,
    standing: id === 9094 ? "leads" : "follows",
    epoch: 1,
    last: 1,
    commit: 1,
    behind: 0,
  })),
  lease: null,
  playground: null,
};

const STATE: StateMessage = {
  key: null,
  at: 10_000,
  stocks: {
    rows: [
      { name: "BoarCo", price: 1, quantity: 5, volume: 0, trades: 0 },
      { name: "FishCo", price: 2, quantity: 9, volume: 0, trades: 0 },
    ],
    total: 2,
    countedFrom: 1,
  },
  trails: { FishCo: [8, 9] },
  orders: { rows: [order(1), order(2)], more: 0, last: 2 },
  rates: [],
  cluster: CLUSTER,
  moments: [],
  cache: {
    kind: "memory",
    size: 0,
    sizeMax: 1,
    hits: 0,
    misses: 0,
    evictions: 0,
    invalidations: 0,
    names: [],
    gone: [],
  },
};

function order(number: number) {
  return { number, name: "FishCo", type: "buy" as const, quantity: 1 };
}

test("an order that two messages tell is on the tape once", () => {
  const floor = changed(floorOf(STATE), {
    at: 10_250,
    orders: { rows: [order(2), order(3)], more: 0, last: 3 },
  });
  expect(floor.tape?.map(({ number }) => number)).toEqual([3, 2, 1]);
  expect(floor.lastOrder).toBe(3);
});

test("the tape keeps the latest orders, up to a maximum", () => {
  let floor = floorOf(STATE);
  for (let number = 3; number < 200; number++) {
    floor = changed(floor, {
      at: number,
      orders: { rows: [order(number)], more: 0, last: number },
    });
  }
  expect(floor.tape).toHaveLength(TAPE_MAX);
  expect(floor.tape?.[0]?.number).toBe(199);
});

test("a new stock is put in its place by name, and the old ones stay", () => {
  const rows = [{ name: "CartCo", price: 3, quantity: 1, volume: 0, trades: 0 }];
  const floor = changed(floorOf(STATE), { at: 1, stocks: { rows, total: 3, countedFrom: 1 } });
  expect([...(floor.stocks ?? new Map()).keys()]).toEqual(["BoarCo", "CartCo", "FishCo"]);
});

test("the pace counts only orders since the page was opened", () => {
  for (const orders of [null, { rows: [], more: 0, last: 500 }]) {
    let floor = floorOf({ ...STATE, at: 9_000, orders });
    floor = changed(floor, { at: 10_000, orders: { rows: [], more: 9, last: 1_000_000 } });
    expect(pace(floor)).toBe(0);
    floor = changed(floor, { at: 11_000, orders: { rows: [], more: 500, last: 1_000_500 } });
    expect(pace(floor)).toBe(500);
  }
});

test("what isn't known yet is null, unlike what is empty", () => {
  const unknown = floorOf({ ...STATE, stocks: null, trails: {}, orders: null });
  let floor = changed(unknown, { at: 12_500 });
  expect(floor).toMatchObject({ stocks: null, tape: null, lastOrder: null });
  expect(pace(floor)).toBe(0);
  floor = changed(floor, {
    at: 13_000,
    stocks: { rows: [], total: 0, countedFrom: 1 },
    orders: { rows: [], more: 0, last: 0 },
  });
  expect(floor).toMatchObject({ stocks: new Map(), tape: [], lastOrder: 0 });
});

test("a trail takes a step after two seconds, not with every message", () => {
  let floor = changed(floorOf(STATE), { at: 10_250 });
  expect(floor.trails.get("FishCo")).toEqual([8, 9]);
  floor = changed(floor, { at: 12_100 });
  expect(floor.trails.get("FishCo")).toEqual([8, 9, 9]);
  expect(floor.trails.get("BoarCo")).toEqual([5]);
});

test("the number of disks that hold an order is the quorum, and one alone is said in other words", () => {
  expect(onDisks(CLUSTER)).toBe("on 2 of 3 disks");
  expect(
    onDisks({ ...CLUSTER, quorum: 3, replicas: [...CLUSTER.replicas, ...CLUSTER.replicas] }),
  ).toBe("on 3 of 6 disks");
  expect(onDisks({ ...CLUSTER, quorum: 1, replicas: CLUSTER.replicas.slice(0, 1) })).toBe(
    "on disk",
  );
});

test("a cluster's health is open, no-spare, choosing or no-quorum", () => {
  expect(healthOf(CLUSTER)).toBe("open");
  expect(healthOf({ ...CLUSTER, leader: null, ready: false })).toBe("choosing");
  const [down, ...left] = CLUSTER.replicas;
  if (!down) throw new Error("no replica");
  for (const standing of ["down", "silent", "apart"] as const) {
    expect(healthOf({ ...CLUSTER, replicas: [{ ...down, standing }, ...left] })).toBe("no-spare");
  }
  const [first, ...others] = CLUSTER.replicas;
  if (!first) throw new Error("no replica");
  const alone = [first, ...others.map((row) => ({ ...row, standing: "silent" as const }))];
  expect(healthOf({ ...CLUSTER, replicas: alone })).toBe("no-quorum");
});
