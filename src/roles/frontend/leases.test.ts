import pino from "pino";
import { expect, test } from "vitest";
import { Demand } from "../../core/coherence/demand.ts";
import type { Grant } from "../../core/coherence/lease-holder.ts";
import { DEMAND_MS } from "../../core/coherence/limits.ts";
import { RpcError } from "../../io/rpc/error.ts";
import { FakePeer, turns } from "../order/test-support.ts";
import type { Connected } from "./catalog-links.ts";
import { Leases } from "./leases.ts";

const GRANT: Grant = { epoch: 1, ask: 1, ms: 500, exposed: 3, sent: 3 };

function leasesOf(peer: FakePeer | null) {
  const granted: [string, Grant][] = [];
  const showed: boolean[] = [];
  const asked: Connected | null = peer && {
    peer,
    calls: {
      lease: (argument: unknown) =>
        new Promise((answer, fail) => {
          peer.received.push({
            name: "lease",
            argument,
            answer: answer as (result: unknown) => void,
            fail,
          });
        }),
    } as unknown as Connected["calls"],
  };
  const clock = { nowMs: 0 };
  const demand = new Demand();
  demand.read(clock.nowMs);
  const leases = new Leases({
    catalogs: { asked, showed: (_catalog, isLeased) => showed.push(isLeased) },
    demand,
    isLeased: () => granted.length > 0,
    nowMs: () => clock.nowMs,
    stocks: {
      askLease: () => ({ ask: 1, held: 3 }),
      granted: (catalog, grant) => granted.push([catalog, grant]),
    },
    log: pino({ level: "silent" }),
  });
  leases.close(); // by hand from here on
  return { leases, granted, showed, clock };
}

test("the catalog that is asked for stocks is asked for the lease, and told what is held", async () => {
  const peer = new FakePeer("catalog", "catalog");
  const { leases, granted, showed } = leasesOf(peer);
  void leases.ask();
  const call = peer.take();
  expect(call.argument).toEqual({ ask: 1, held: 3 });
  call.answer({ grant: GRANT });
  await turns();
  expect(granted).toEqual([["catalog", GRANT]]);
  expect(showed).toEqual([true]);
});

test("a grant over a connection that closed meanwhile counts for nothing", async () => {
  const peer = new FakePeer("catalog", "catalog");
  const { leases, granted } = leasesOf(peer);
  void leases.ask();
  peer.close();
  peer.take().answer({ grant: GRANT });
  await turns();
  expect(granted).toEqual([]);
});

test("no catalog, no answer and a refusal all leave the lease to end by itself", async () => {
  await leasesOf(null).leases.ask();
  const peer = new FakePeer("catalog", "catalog");
  const { leases, granted, showed } = leasesOf(peer);
  const failing = leases.ask();
  peer.take().fail(new RpcError("timeout", "no answer"));
  await failing;
  const refused = leases.ask();
  peer.take().answer({ grant: null });
  await refused;
  expect(granted).toEqual([]);
  expect(showed).toEqual([false]); // the refusal alone says so
});

test("a cache that nobody reads asks for a lease, and every trade waits for it", async () => {
  const peer = new FakePeer("catalog", "catalog");
  const { leases, clock } = leasesOf(peer);
  clock.nowMs += DEMAND_MS;
  await leases.ask();
  expect(peer.received).toEqual([]);
});

test("who looks up first for long fills no cache, though a lease was to be had", async () => {
  const peer = new FakePeer("catalog", "catalog");
  const { leases, granted, clock } = leasesOf(peer);
  clock.nowMs += DEMAND_MS;
  const waiting = leases.wanted();
  expect(leases.wanted()).toBe(waiting);
  peer.take().answer({ grant: GRANT });
  await waiting;
  expect(granted).toEqual([["catalog", GRANT]]);
  expect(leases.wanted()).toBeNull();
});

test("lookups wait for a lease that a catalog doesn't give, one after the other", async () => {
  const peer = new FakePeer("catalog", "catalog");
  const { leases, clock } = leasesOf(peer);
  clock.nowMs += DEMAND_MS;
  const waiting = leases.wanted();
  peer.take().answer({ grant: null });
  await waiting;
  expect(leases.wanted()).toBeNull();
});
