import { expect, test } from "vitest";
import { CatalogView } from "../../core/coherence/catalog-view.ts";
import type { Grant } from "../../core/coherence/lease-holder.ts";
import { LEASE_MARGIN_MS, LEASE_MS } from "../../core/coherence/limits.ts";
import { RpcError } from "../../io/rpc/error.ts";
import { FakePeer, silent, turns } from "../order/test-support.ts";
import { Following } from "./following.ts";
import { Replicas } from "./replicas.ts";

function following() {
  const replicas = new Replicas();
  const clock = { nowMs: LEASE_MS + LEASE_MARGIN_MS };
  const leaders: [number, number][] = [];
  const grants: Grant[] = [];
  const subject = new Following({
    replicas,
    view: new CatalogView({ applied: 7, nowMs: 0 }),
    service: {
      follows(leader, epoch) {
        leaders.push([leader, epoch]);
        return true;
      },
      granted: (grant) => grants.push(grant),
    },
    nowMs: () => clock.nowMs,
    log: silent,
  });
  return { replicas, clock, leaders, grants, subject };
}

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
