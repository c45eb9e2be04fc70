// Replicas and a catalog together, over real sockets and files.

import { createServer } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { catalogContract, frontendContract, type Health } from "../contract.ts";
import { TestCluster } from "./test-cluster.ts";
import { trade } from "./test-support.ts";

const WAIT = { timeout: 8_000, interval: 10 };

const accepted = (number: number) => ({
  kind: "answers",
  answers: [{ kind: "outcome", outcome: { kind: "accepted", number } }],
});

/** A front end's connection to the catalog, under a lease, and what it was told to drop. */
async function frontendOf(cluster: TestCluster) {
  const dropped: { names: readonly string[]; through: number }[] = [];
  const { hold } = frontendContract;
  const { peer, calls } = await cluster.catalog(
    catalogContract,
    { hold },
    {
      hold: (which) => {
        dropped.push(which);
        calls.holding({ through: which.through });
      },
    },
  );
  let ask = 0;
  await expect
    .poll(async () => (await calls.lease({ ask: ++ask, held: null })).grant, WAIT)
    .not.toBeNull();
  /** The quantity of a stock as the catalog says once it has a lease; null for an unknown one. */
  const quantity = async (name: string): Promise<number | null> => {
    let found: number | null = null;
    await expect
      .poll(async () => {
        const answer = await calls.lookup({ names: [name] });
        if (answer.kind === "stocks") found = answer.stocks[0]?.quantity ?? null;
        return answer.kind;
      }, WAIT)
      .toBe("stocks");
    return found;
  };
  return { peer, calls, dropped, quantity };
}

test("a trade is answered after the catalog shows it and front ends have dropped their copies", async () => {
  const cluster = await TestCluster.make();
  const leader = await cluster.startAll();
  const { dropped, quantity } = await frontendOf(cluster);
  const { ask } = await cluster.order(leader);
  expect(await ask(trade("a", "FishCo", "buy", 10))).toEqual(accepted(1));
  expect(dropped.map(({ names }) => names)).toContainEqual(["FishCo"]);
  expect([await quantity("FishCo"), await quantity("Ash")]).toEqual([590, null]);
  const question = { kind: "orders" as const, after: 0, limit: 10 };
  expect(await ask({ kind: "order", number: 1 }, question)).toEqual({
    kind: "answers",
    answers: [
      { kind: "order", order: { number: 1, name: "FishCo", type: "buy", quantity: 10 } },
      {
        kind: "orders",
        orders: [{ number: 1, name: "FishCo", type: "buy", quantity: 10 }],
        next: null,
      },
    ],
  });
});

test("an order survives its leader, and the same request id is the same order at the next", async () => {
  const cluster = await TestCluster.make();
  const leader = await cluster.startAll();
  const first = await cluster.order(leader);
  expect(await first.ask(trade("a", "FishCo", "buy", 10))).toEqual(accepted(1));
  await cluster.stop(`order-${leader}`);
  const next = cluster.ids.at(-2) ?? 0;
  await cluster.elect(next);
  const second = await cluster.order(next);
  expect(await second.ask(trade("a", "FishCo", "buy", 10))).toEqual(accepted(1));
  expect(await second.ask(trade("b", "FishCo", "buy", 10))).toEqual(accepted(2));
});

test("a follower passes trades on, and a catalog's update counts once", async () => {
  const cluster = await TestCluster.make();
  await cluster.startAll();
  const { ask } = await cluster.order(cluster.ids[0] ?? 0);
  expect(await ask(trade("a", "FishCo", "sell", 1))).toEqual(accepted(1));
  const { quantity } = await frontendOf(cluster);
  const { calls } = await cluster.catalog({ update: catalogContract.update }, {}, {}, "cli");
  for (let attempt = 0; attempt < 2; attempt++) {
    const update = { name: "FishCo", by: 10, requestId: "update" };
    expect(await calls.update(update)).toEqual({ status: 200, message: "success" });
  }
  expect(await quantity("FishCo")).toBe(611);
});

test("a catalog that was away reads on from its file, and answers no lookup before that", async () => {
  const cluster = await TestCluster.make();
  const leader = await cluster.startAll();
  const { ask } = await cluster.order(leader);
  await ask(trade("a", "FishCo", "buy", 10));
  await cluster.stop("catalog");
  for (let index = 0; index < 20; index++) await ask(trade(`${index}`, "FishCo", "sell", 1));
  await cluster.startCatalog();
  const { quantity } = await frontendOf(cluster);
  expect(await quantity("FishCo")).toBe(610);
});

test("front ends hear who leads as soon as they connect, and when it changes", async () => {
  const cluster = await TestCluster.make();
  const leader = await cluster.startAll();
  const beats: Health[] = [];
  const other = cluster.ids[0] ?? 0;
  await cluster.order(other, (health) => beats.push(health));
  await expect.poll(() => beats[0], WAIT).toMatchObject({ replica: other, leader, leads: false });
  await cluster.stop(`order-${leader}`);
  await cluster.elect(other);
  await expect.poll(() => beats.at(-1), WAIT).toMatchObject({ leader: other, leads: true });
});

test("a replica that returns catches up", async () => {
  const cluster = await TestCluster.make();
  const leader = await cluster.startAll();
  const away = cluster.ids[0] ?? 0;
  await cluster.stop(`order-${away}`);
  const { ask } = await cluster.order(leader);
  for (let index = 0; index < 20; index++) await ask(trade(`${index}`, "FishCo", "buy", 1));
  await cluster.startOrder(away);
  const { calls } = await cluster.order(away);
  const { calls: leading } = await cluster.order(leader);
  const { commitPosition } = await leading.health({});
  await expect
    .poll(async () => (await calls.status({})).applied, WAIT)
    .toBeGreaterThanOrEqual(commitPosition);
});

test("two processes can't be the same replica", async () => {
  const cluster = await TestCluster.make();
  await cluster.startOrder(cluster.ids[0] ?? 0);
  await expect(cluster.startOrder(cluster.ids[0] ?? 0)).rejects.toThrow("locked");
});

test("a start that fails frees what it had taken", async () => {
  const cluster = await TestCluster.make();
  const [id = 0, taken = 0] = cluster.ids;
  const squatter = createServer();
  await new Promise<void>((listening) => squatter.listen(id, "127.0.0.1", () => listening()));
  await expect(cluster.startOrder(id)).rejects.toThrow(`port ${id} is in use`);
  await new Promise((closed) => squatter.close(closed));
  await cluster.startOrder(id);
  await cluster.startOrder(taken);
});

test("a replica whose disk fails stops with the reason, and the others go on", async () => {
  const cluster = await TestCluster.make();
  await Promise.all(cluster.ids.slice(1).map((id) => cluster.startOrder(id)));
  const [failing = 0, , leader = 0] = cluster.ids;
  const replica = await cluster.startOrder(failing);
  await cluster.elect(leader);
  const { ask } = await cluster.order(leader);
  const { calls } = await cluster.order(failing);
  await expect.poll(async () => (await calls.health({})).leader, WAIT).toBe(leader);
  expect(await ask(trade("a", "FishCo", "buy", 10))).toEqual(accepted(1));

  const path = join(cluster.config.data, `order-${failing}`, "order.db");
  using intruder = new DatabaseSync(path);
  intruder.exec("BEGIN IMMEDIATE"); // from now on the replica can't write
  const second = ask(trade("b", "FishCo", "buy", 10));
  expect((await replica.failed).message).toContain(path);
  expect(await second).toEqual(accepted(2));
  expect((await calls.health({})).leads).toBe(false);
  expect(await ask(trade("c", "FishCo", "buy", 10))).toEqual(accepted(3));
});
