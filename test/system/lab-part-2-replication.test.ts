// The document's "Part 2: Replication": who becomes leader at the start, with
// all replicas running and with 9094 missing, and how the leader's orders reach
// the others; by the logs of the front end and of each replica.

import { afterEach, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { findInOrder } from "../../lab/logs.ts";
import { RedisServer } from "../../lab/redis.ts";
import { until } from "../../lab/wait.ts";
import { isLabLine, labLog } from "./harness/lab-document.ts";
import { useClusters } from "./harness/lifetime.ts";
import { times, tradeInTurn } from "./harness/load.ts";

const clusters = useClusters("test");
let redis: RedisServer | null = null;

afterEach(async () => {
  await redis?.kill();
  redis = null;
});

/** The document's front end runs on such a Redis server. */
async function withRedis(): Promise<readonly string[]> {
  redis = await RedisServer.open("--maxmemory", "10485760", "--maxmemory-policy", "volatile-ttl");
  return [`--cache=${redis.url}`];
}

/** The lines of `role` after the first `from` hold the block, in order. */
async function shows(block: string, cluster: Cluster, role: string, from: number): Promise<void> {
  const expected = labLog(block, cluster);
  // Followers write after the client has its answer.
  await until(`${role} showing ${block}`, () => {
    findInOrder(expected, cluster.log(role).slice(from), isLabLine);
    return true;
  });
}

test("case 1: with all replicas running 9094 leads, and the others save what it forwards", async () => {
  const cluster = await clusters.prepare({
    stocks: [
      ["FishCo", 17.99, 506],
      ["BoarCo", 28.59, 992],
      ["MenhirCo", 12.5, 100],
    ],
    options: await withRedis(),
  });
  const [low, middle, high] = cluster.replicas;
  const first = await cluster.up();
  await tradeInTurn(cluster.client(), times(10, { name: "MenhirCo", type: "buy", quantity: 1 }));
  first.signal("SIGTERM");
  expect((await first.end()).status).toBe(0);

  const roles = ["frontend", `order-${high}`, `order-${low}`, `order-${middle}`];
  const from = new Map(roles.map((role) => [role, cluster.log(role).length]));
  await cluster.up();
  expect(await cluster.leader()).toBe(high);
  await shows("part-2-case-1-frontend", cluster, "frontend", from.get("frontend") ?? 0);
  const numbers = await tradeInTurn(cluster.client(), [
    { name: "FishCo", type: "sell", quantity: 43 },
    { name: "BoarCo", type: "sell", quantity: 6 },
  ]);
  expect(numbers).toEqual([11, 12]);
  for (const [block, role] of [
    ["part-2-case-1-leader-9094", `order-${high}`],
    ["part-2-case-1-replica-9090", `order-${low}`],
    ["part-2-case-1-replica-9092", `order-${middle}`],
  ] as const) {
    await shows(block, cluster, role, from.get(role) ?? 0);
  }
});

test("case 2: without 9094 the front end finds 9092 and tells all", async () => {
  const cluster = await clusters.prepare({ options: await withRedis() });
  const [, middle, high] = cluster.replicas;
  await cluster.startWithout(high);
  expect(await cluster.leader()).toBe(middle);
  await shows("part-2-case-2-frontend", cluster, "frontend", 0);
});
