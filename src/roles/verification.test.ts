// Copies that agree, copies that don't, and copies that aren't there.

import { expect, test } from "vitest";
import type { CatalogAudit, OrderAudit } from "./contract.ts";
import {
  type CatalogToVerify,
  NotReachable,
  type ReplicaToVerify,
  verifyCluster,
} from "./verification.ts";

const stocksDigest = (position: number) => `stocks at ${position}`;

function replica(
  id: number,
  changed: Partial<OrderAudit> = {},
  health: Partial<{ leads: boolean; commit: number }> = {},
): ReplicaToVerify & { asked: [number, readonly number[]][] } {
  const asked: [number, readonly number[]][] = [];
  return {
    name: `order-${id}`,
    asked,
    health: async () => ({ leads: id === 9094, commit: id === 9094 ? 100 : 90, ...health }),
    audit: async (position, stocksAt) => {
      asked.push([position, stocksAt]);
      return {
        position,
        entries: position,
        orders: 80,
        requests: 85,
        journalDigest: "j",
        ordersDigest: "o",
        requestsDigest: "r",
        stocksDigests: stocksAt.map(stocksDigest),
        problems: [],
        ...changed,
      };
    },
  };
}

function catalog(name: string, changed: Partial<CatalogAudit> = {}): CatalogToVerify {
  return {
    name,
    audit: async (position) => ({
      position,
      stocks: 10,
      stocksDigest: stocksDigest(changed.position ?? position),
      ...changed,
    }),
  };
}

const verify = (replicas: ReplicaToVerify[], catalogs: CatalogToVerify[], rounds = 1) =>
  verifyCluster({ replicas, catalogs, pause: async () => {}, leaderRoundsMax: rounds });

test("copies that agree are verified, wherever each catalog stands", async () => {
  const replicas = [replica(9090), replica(9092), replica(9094)];
  const catalogs = [catalog("catalog"), catalog("catalog-9097", { position: 104 })];
  expect(await verify(replicas, catalogs)).toEqual({
    ok: true,
    position: 104,
    orders: 80,
    differences: [],
  });
  for (const { asked } of replicas) expect(asked).toEqual([[104, [100, 104]]]);
});

test.each<[string, Partial<OrderAudit>, string]>([
  [
    "another journal",
    { journalDigest: "x" },
    "order-9092 has another journal than order-9090: x, not j",
  ],
  ["other orders", { ordersDigest: "x" }, "order-9092 has other orders than order-9090: x, not o"],
  ["one order less", { orders: 79 }, "order-9092 has another number of orders than order-9090"],
  ["other requests", { requestsDigest: "x" }, "order-9092 has other requests than order-9090"],
  ["other stocks", { stocksDigests: ["x"] }, "order-9092 has other stocks than order-9090"],
  ["no stocks", { stocksDigests: [] }, "order-9092 has other stocks than order-9090"],
  [
    "another position",
    { position: 99 },
    "order-9092 stands elsewhere than order-9090: 99, not 100",
  ],
  ["a broken rule", { problems: ["M3: 7 is missing"] }, "order-9092: M3: 7 is missing"],
])("a replica with %s is found", async (_, changed, line) => {
  const replicas = [replica(9090), replica(9092, changed), replica(9094)];
  const verdict = await verify(replicas, [catalog("catalog")]);
  expect(verdict.ok).toBe(false);
  expect(verdict.differences.length).toBe(1);
  expect(verdict.differences[0]).toContain(line);
});

test("a catalog with other stocks than the replicas is found", async () => {
  const verdict = await verify([replica(9094)], [catalog("catalog", { stocksDigest: "x" })]);
  expect(verdict.differences).toEqual(["catalog has other stocks than order-9094 at position 100"]);
});

test("a process that is down or can't be compared fails the verification, by name", async () => {
  const down = async () => Promise.reject(new NotReachable("ECONNREFUSED"));
  const replicas = [
    { ...replica(9090), health: down, audit: down },
    replica(9092),
    { ...replica(9094), audit: () => Promise.reject(new Error("too late")) },
  ];
  const verdict = await verify(
    replicas.with(2, { ...replica(9094), audit: () => Promise.reject(new Error("too late")) }),
    [{ name: "catalog", audit: down }],
  );
  expect(verdict).toEqual({
    ok: false,
    position: 100,
    orders: 80,
    differences: [
      "catalog is not reachable",
      "order-9090 is not reachable",
      "order-9094 could not be compared: too late",
    ],
  });
});

test("a leader that is still being elected is waited for", async () => {
  let rounds = 0;
  const late = {
    ...replica(9094),
    health: async () => ({ leads: ++rounds > 2, commit: 100 }),
  };
  expect((await verify([late], [], 2)).ok).toBe(false);
  rounds = 0;
  expect((await verify([late], [], 3)).ok).toBe(true);
});

test("without a leader the verification fails", async () => {
  const down = async () => Promise.reject(new NotReachable("ECONNREFUSED"));
  const verdict = await verify([replica(9090), { ...replica(9094), health: down }], []);
  expect(verdict).toEqual({
    ok: false,
    position: 0,
    orders: 0,
    differences: ["order-9094 is not reachable", "no replica leads"],
  });
});
