import { expect, test } from "vitest";
import { RpcError } from "../../io/rpc/error.ts";
import { FakePeer, silent, turns } from "../order/test-support.ts";
import { Following } from "./following.ts";
import { Replicas } from "./replicas.ts";

function following() {
  const replicas = new Replicas();
  const state = { position: 7, commits: [] as number[] };
  const subject = new Following({
    replicas,
    position: () => state.position,
    onLeader: (commitPosition) => state.commits.push(commitPosition),
    log: silent,
  });
  return { replicas, state, subject };
}

test("each replica is told where this catalog stands, as soon as it is connected", async () => {
  const { subject, state, replicas } = following();
  const follower = new FakePeer("order", "order-9090");
  void subject.opened(9090, follower);
  const call = follower.take();
  expect(call).toMatchObject({ name: "follow", argument: { position: 7 } });
  call.answer({ commitPosition: 5, leads: false });
  await turns();
  expect(state.commits).toEqual([]);
  expect(replicas.leader).toBeNull();

  const leader = new FakePeer("order", "order-9094");
  void subject.opened(9094, leader);
  leader.take().answer({ commitPosition: 12, leads: true });
  await turns();
  expect(state.commits).toEqual([12]);
  expect(replicas.leader).toBe(9094);
});

test("a replica that couldn't be told is told again, from where the catalog stands then", async () => {
  const { subject, state } = following();
  const peer = new FakePeer("order", "order-9090");
  void subject.opened(9090, peer);
  peer.take().fail(new RpcError("timeout", "no answer"));
  state.position = 9;
  await expect.poll(() => peer.received.length, { timeout: 2_000 }).toBe(1);
  expect(peer.take().argument).toEqual({ position: 9 });
});

test("a connection that closed is left alone, and its replica is no longer asked", async () => {
  const { subject, replicas } = following();
  const peer = new FakePeer("order", "order-9094");
  const done = subject.opened(9094, peer);
  peer.close();
  peer.take().fail(new RpcError("closed", "gone"));
  subject.closed(9094, peer);
  await done;
  expect(peer.received).toEqual([]);
  expect(replicas.toAsk(0)).toBeNull();
});
