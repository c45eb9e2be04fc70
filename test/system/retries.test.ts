// Calls whose leader dies while they are under way: made once, whoever asks
// again. The followers are stopped, so that the call has arrived at the leader
// and can't have been committed when the leader is killed; what it sent them
// lies unread in their sockets, and they find it when they go on.

import { beforeEach, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { until } from "../../lab/wait.ts";
import { adjustContent, changeMarket } from "../../src/cli/change-market.ts";
import { Leader } from "../../src/cli/leader.ts";
import { commandIdentity, Peers } from "../../src/roles/peers.ts";
import { useClusters } from "./harness/lifetime.ts";
import { quantityOf } from "./harness/load.ts";

const clusters = useClusters("test");
let cluster: Cluster;

beforeEach(async () => {
  cluster = await clusters.prepare();
  await cluster.up("--no-restart");
});

/** Runs `call` so that the leader gets it, can't commit it, and dies; then the others go on. */
async function overLeaderKill<T>(call: () => Promise<T>): Promise<T> {
  const [low, middle, high] = cluster.replicas;
  const before = await lastPosition(high);
  const followers = [`order-${low}`, `order-${middle}`];
  await cluster.signalAll(followers, "SIGSTOP");
  const result = call();
  // A failure shows where it is awaited, below.
  result.catch(() => {});
  await until("the call in the leader's journal", async () => (await lastPosition(high)) > before);
  await cluster.kill(`order-${high}`);
  await cluster.signalAll(followers, "SIGCONT");
  return result;
}

async function lastPosition(replica: number): Promise<number> {
  return (await (await cluster.replica(replica)).health({})).lastPosition;
}

test("a catalog update whose leader dies meanwhile counts once", async () => {
  const calls = await cluster.catalog();
  const update = () => calls.update({ name: "FishCo", by: 10, requestId: "once" });
  const result = await overLeaderKill(update);
  expect(result).toEqual({ status: 200, message: "success" });
  expect(await update()).toEqual(result);
  expect(await quantityOf(cluster.client(), "FishCo")).toBe(610);
});

test("an adjust of the command line whose leader dies meanwhile counts once", async () => {
  const peers = new Peers(cluster.credentials(), commandIdentity(cluster.replicas));
  const replicas = cluster.replicas.map((id) => ({
    id,
    name: `order-${id}`,
    host: "127.0.0.1",
    port: id,
  }));
  const leader = new Leader({ replicas, peers });
  try {
    // The command does this, but starts for longer than a leader stays one that hears nobody.
    await changeMarket(leader, adjustContent("FishCo", "5"));
    await overLeaderKill(() => changeMarket(leader, adjustContent("FishCo", "10")));
  } finally {
    peers.close();
  }
  expect(await quantityOf(cluster.client(), "FishCo")).toBe(615);
});

test("a trade without a key whose leader dies meanwhile is made once", async () => {
  const client = cluster.client();
  const result = await overLeaderKill(() =>
    client.trade({ name: "FishCo", type: "sell", quantity: 10 }),
  );
  expect(result.text).toBe('{"data":{"transaction_number":1}}');
  expect(await quantityOf(client, "FishCo")).toBe(610);
  expect((await client.get("/orders/2")).status).toBe(400);
});
