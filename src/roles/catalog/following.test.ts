import { expect, test } from "vitest";
import { CatalogView } from "../../core/coherence/catalog-view.ts";
import { Demand } from "../../core/coherence/demand.ts";
import type { Grant } from "../../core/coherence/lease-holder.ts";
import {
  DEMAND_MS,
  LEASE_MARGIN_MS,
  LEASE_MS,
  LEASE_WAIT_MS,
} from "../../core/coherence/limits.ts";
import { RpcError } from "../../io/rpc/error.ts";
import { FakePeer, silent, turns } from "../order/test-support.ts";
import { Following } from "./following.ts";
import { LEADER_HEARD_MS } from "./limits.ts";
import { Replicas } from "./replicas.ts";

function following() {
  const replicas = new Replicas();
  const clock = { nowMs: LEASE_MS + LEASE_MARGIN_MS };
  const demand = new Demand();
  demand.read(clock.nowMs);
  const view = new CatalogView({ applied: 7, nowMs: 0 });
  const leaders: [number, number][] = [];
  const grants: Grant[] = [];
  const subject = new Following({
    replicas,
    view,
    demand,
    service: {
      follows(leader, epoch) {
        leaders.push([leader, epoch]);
        return view.follow(`order-${leader}`, epoch);
      },
      granted(grant) {
        grants.push(grant);
        view.granted(grant, clock.nowMs);
      },
    },
    nowMs: () => clock.nowMs,
    log: silent,
  });
  return { replicas, clock, leaders, grants, subject };
}

test("a catalog that has a leader and no lease, since nobody reads it, doesn't wait for a leader", async () => {
  const { subject, clock } = following();
  expect(subject.isLed).toBe(false);
  const leader = new FakePeer("order", "order-9094");
  subject.opened(9094, leader);
  leader.take().answer({ leads: true, epoch: 3, grant: null });
  await turns();
  expect(subject.isLed).toBe(true);
  clock.nowMs += LEADER_HEARD_MS;
  expect(subject.isLed).toBe(false);
});

test("each replica is told what this catalog has received, as soon as it is connected", async () => {
  const { subject, leaders, grants } = following();
  const follower = new FakePeer("order", "order-9090");
  subject.opened(9090, follower);
  const call = follower.take();
  expect(call).toMatchObject({ name: "follow", argument: { received: 7, epoch: 0, ask: 1 } });
  call.answer({ leads: false, epoch: 3, grant: null });
  await turns();
  expect(leaders).toEqual([]);

  const leader = new FakePeer("order", "order-9094");
  subject.opened(9094, leader);
  const grant: Grant = { epoch: 3, ask: 2, ms: 400, exposed: 7, sent: 7 };
  leader.take().answer({ leads: true, epoch: 3, grant });
  await turns();
  expect(leaders).toEqual([[9094, 3]]);
  expect(grants).toEqual([grant]);
});

test("a call that got lost is made up for by the next, to every replica", async () => {
  const { subject } = following();
  const peers = [new FakePeer("order", "order-9090"), new FakePeer("order", "order-9094")];
  subject.opened(9090, peers[0] as FakePeer);
  subject.opened(9094, peers[1] as FakePeer);
  for (const peer of peers) peer.take().fail(new RpcError("timeout", "no answer"));
  subject.askAll();
  await turns();
  expect(peers.map((peer) => peer.take().name)).toEqual(["follow", "follow"]);
});

test("a catalog that just started asks nobody: it has forgotten whom it granted leases to", () => {
  const { subject, clock } = following();
  clock.nowMs -= 1;
  const peer = new FakePeer("order", "order-9094");
  subject.opened(9094, peer);
  subject.askAll();
  expect(peer.received).toEqual([]);
  clock.nowMs += 1;
  subject.askAll();
  expect(peer.received).toHaveLength(1);
});

test("a connection that closed is left alone, and its replica is no longer asked", () => {
  const { subject, replicas } = following();
  const peer = new FakePeer("order", "order-9094");
  subject.opened(9094, peer);
  peer.take();
  subject.closed(9094, peer);
  subject.askAll();
  expect(peer.received).toEqual([]);
  expect(replicas.toAsk(0)).toBeNull();
});

test("a catalog that nobody reads asks for a lease, and every trade waits for it", async () => {
  const { subject, clock } = following();
  const peer = new FakePeer("order", "order-9094");
  subject.opened(9094, peer);
  peer.take().answer({ leads: true, epoch: 3, grant: null });
  clock.nowMs += DEMAND_MS;
  subject.askAll();
  expect(peer.take().argument).toEqual({ received: 7, epoch: 0, ask: null });
});

test("who reads first for long finds no lease, though one was to be had", async () => {
  const { subject, clock } = following();
  const peer = new FakePeer("order", "order-9094");
  subject.opened(9094, peer);
  peer.take().answer({ leads: true, epoch: 3, grant: null });
  await turns();
  clock.nowMs += DEMAND_MS;
  const readers = [subject.wanted(), subject.wanted()];
  const call = peer.take();
  expect(peer.received).toEqual([]); // the second waits with the first
  const { ask } = call.argument as { ask: number };
  const grant = { epoch: 3, ask, ms: LEASE_MS, exposed: 7, sent: 7 };
  call.answer({ leads: true, epoch: 3, grant });
  await Promise.all(readers);
  expect(readers).not.toContain(null);
  expect(subject.wanted()).toBeNull();
});

test("readers of a catalog that is cut off wait for a lease each time", async () => {
  const { subject, clock } = following();
  clock.nowMs += DEMAND_MS;
  const started = performance.now();
  await subject.wanted();
  expect(performance.now() - started).toBeGreaterThan(LEASE_WAIT_MS / 2);
  expect(subject.wanted()).toBeNull();
});
