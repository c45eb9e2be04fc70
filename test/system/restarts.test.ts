// What outlives the processes, and a disk: orders found after everything was
// stopped or killed, a replica's lost files replaced, and files that are half
// there never made anew, which would forget promises.

import { existsSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { dataOf } from "../../lab/http.ts";
import { until } from "../../lab/wait.ts";
import { engine, useClusters } from "./harness/lifetime.ts";
import { allOrders, quantityOf, times, tradeInTurn } from "./harness/load.ts";

const clusters = useClusters("test");

const BUY = { name: "FishCo", type: "buy", quantity: 1 } as const;

test("after a full restart earlier orders are found, and numbers go on", async () => {
  const cluster = await clusters.prepare();
  const first = await cluster.up();
  await tradeInTurn(cluster.client(), times(3, BUY));
  first.signal("SIGTERM");
  expect((await first.end()).status).toBe(0);

  await cluster.up();
  const client = cluster.client();
  expect(dataOf(await client.get("/orders/1"))).toEqual({ number: 1, ...BUY });
  expect(await tradeInTurn(client, [BUY])).toEqual([4]);
  expect(await quantityOf(client, "FishCo")).toBe(596);
});

test("after all processes were killed at once, every answered order is there", async () => {
  const cluster = await clusters.prepare();
  const first = await cluster.up();
  await tradeInTurn(cluster.client(), times(20, BUY));
  for (const pid of cluster.left()) process.kill(pid, "SIGKILL");
  await first.end();

  await cluster.up();
  const client = cluster.client();
  expect(await allOrders(client)).toHaveLength(20);
  expect(await quantityOf(client, "FishCo")).toBe(580);
  expect(await cluster.verify()).toMatchObject({ ok: true, orders: 20 });
});

test("a replica that lost its disk can be replaced, and starts only when it was", async () => {
  const cluster = await clusters.prepare();
  await cluster.up("--no-restart");
  const client = cluster.client();
  const [low] = cluster.replicas;
  await tradeInTurn(client, times(5, BUY));
  await cluster.kill(`order-${low}`);
  rmSync(join(cluster.data, `order-${low}`), { recursive: true });

  const alone = await cluster.run("order", String(low));
  expect(alone.status).toBe(1);
  expect(alone.stderr).toContain(`format --replace order-${low}`);

  expect(await cluster.run("format", "--replace", `order-${low}`)).toMatchObject({ status: 0 });
  // Nobody can admit it while the others are paused; where a database says who leads, nobody has to.
  const others = cluster.replicas.slice(1).map((id) => `order-${id}`);
  if (engine === "builtin") await cluster.signalAll(others, "SIGSTOP");
  cluster.start("order", String(low));
  if (engine === "builtin") {
    await until("the replacement waiting for its vote", async () =>
      (await cluster.status()).processes.some(
        ({ role, vote }) => role === `order-${low}` && vote === false,
      ),
    );
    expect((await cluster.run("status")).stdout).toMatch(
      new RegExp(`order-${low} .*hears no leader, no vote yet`),
    );
    await cluster.signalAll(others, "SIGCONT");
  }
  await tradeInTurn(client, times(5, BUY));
  await until("the replacement level with the others", async () => {
    const { processes } = await cluster.status();
    const applied = processes
      .filter(({ role }) => role.startsWith("order-"))
      .map((one) => (one.up ? one.applied : -1));
    return applied.length === 3 && new Set(applied).size === 1;
  });
  await until("the replacement with its vote", async () =>
    (await cluster.status()).processes.every(
      ({ role, vote }) => !role.startsWith("order-") || vote === true,
    ),
  );
  expect(await cluster.verify()).toMatchObject({ ok: true, orders: 10, differences: [] });

  // It votes again: with another replica gone there is still a quorum.
  await cluster.kill(`order-${cluster.replicas[1]}`);
  expect(await tradeInTurn(client, [BUY])).toEqual([11]);
});

test("a catalog that lost its disk can be replaced", async () => {
  const cluster = await clusters.prepare();
  await cluster.up("--no-restart");
  const client = cluster.client();
  await tradeInTurn(client, times(5, BUY));
  await cluster.kill("catalog");
  rmSync(join(cluster.data, "catalog"), { recursive: true });
  expect(await cluster.run("format", "--replace", "catalog")).toMatchObject({ status: 0 });
  cluster.start("catalog");
  await cluster.running("catalog");
  await tradeInTurn(client, [BUY]);
  expect(await cluster.verify()).toMatchObject({ ok: true, orders: 6, differences: [] });
  expect(await quantityOf(client, "FishCo")).toBe(594);
});

test.each(["order", "catalog"])(
  "a folder in which only the %s's file is missing is refused, and nothing is made anew",
  async (kind) => {
    const cluster = await clusters.prepare();
    expect(await cluster.run("format")).toMatchObject({ status: 0 });
    const role = kind === "order" ? `order-${cluster.replicas[1]}` : "catalog";
    rmSync(join(cluster.data, role), { recursive: true });
    const up = await cluster.run("up");
    expect(up.status).toBe(1);
    expect(up.stderr).toContain(`format --replace ${role}`);
    expect(up.stderr.trim().split("\n")).toHaveLength(1);
    expect(await cluster.run("format")).toMatchObject({ status: 1 });
    expect(existsSync(join(cluster.data, role))).toBe(false);
  },
);

test("a replacement for a replica is refused where there is no cluster", async () => {
  const cluster = await clusters.prepare();
  const { status, stderr } = await cluster.run(
    "format",
    "--replace",
    `order-${cluster.replicas[0]}`,
  );
  expect(status).toBe(1);
  expect(stderr.trim().split("\n")).toHaveLength(1);
});

test("a second format is refused, and the first one's files stay as they are", async () => {
  const cluster = await clusters.prepare();
  expect(await cluster.run("format")).toMatchObject({ status: 0 });
  const file = join(cluster.data, `order-${cluster.replicas[0]}`, "order.db");
  const before = statSync(file).mtimeMs;
  const again = await cluster.run("format");
  expect(again.status).toBe(1);
  expect(again.stderr.trim().split("\n")).toHaveLength(1);
  expect(statSync(file).mtimeMs).toBe(before);
});
