// Which replicas a cluster has is checked everywhere: whoever names another set,
// on the command line as after "port in use", is refused in one line, and what was
// answered before is there afterwards.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { dataOf } from "../../lab/http.ts";
import { until } from "../../lab/wait.ts";
import { useClusters } from "./harness/lifetime.ts";
import { allOrders, times, tradeInTurn } from "./harness/load.ts";

const clusters = useClusters("test");

const BUY = { name: "FishCo", type: "buy", quantity: 1 } as const;

/** One line, and the set of replicas that there is. */
function expectRefused(
  { status, stderr }: { readonly status: number | null; readonly stderr: string },
  members: readonly number[],
) {
  expect(status, stderr).toBe(1);
  expect(stderr.trim().split("\n"), stderr).toHaveLength(1);
  expect(stderr).toContain(`give it --replicas ${members}`);
}

test("one replica of three can't be started as a cluster of its own, and no order is lost", async () => {
  const cluster = await clusters.prepare();
  const first = await cluster.up();
  await tradeInTurn(cluster.client(), times(5, BUY));
  first.signal("SIGTERM");
  await first.end();

  for (const id of cluster.replicas) {
    expectRefused(await cluster.run("up", `--replicas=${id}`), cluster.replicas);
    expectRefused(await cluster.run("order", String(id), `--replicas=${id}`), cluster.replicas);
  }
  await cluster.up();
  const client = cluster.client();
  expect(await allOrders(client)).toHaveLength(5);
  expect(await tradeInTurn(client, [BUY])).toEqual([6]);
  expect((await cluster.verify()).ok).toBe(true);
});

test("a replica whose port is taken can be moved to another port, and can't be exchanged for another id", async () => {
  const cluster = await clusters.prepare();
  const [low, middle, high] = cluster.replicas;
  const first = await cluster.up();
  await tradeInTurn(cluster.client(), times(3, BUY));
  first.signal("SIGTERM");
  await first.end();

  const squatter = createServer().listen(high, "127.0.0.1");
  const other = createServer().listen(0, "127.0.0.1");
  await until("both listen", () => squatter.listening && other.listening);
  try {
    const { port: free } = other.address() as { port: number };
    const taken = await cluster.run("up");
    expect(taken.stderr).toContain(`port ${high} is in use`);
    expect(taken.stderr).toContain(`--replicas ${low},${middle},${high}=127.0.0.1:PORT`);
    const strange = `--replicas=${low},${middle},${free}`;
    expectRefused(await cluster.run("up", strange), cluster.replicas);
    expectRefused(
      await cluster.run("format", strange, `--replace=order-${free}`),
      cluster.replicas,
    );
    expectRefused(
      await cluster.run("format", `--replicas=${free}`, `--replace=order-${free}`),
      cluster.replicas,
    );
    expect(existsSync(join(cluster.data, `order-${free}`))).toBe(false);

    await new Promise((closed) => other.close(closed));
    await cluster.up(`--replicas=${low},${middle},${high}=127.0.0.1:${free}`);
    expect(await cluster.leader()).toBe(high);
    const client = cluster.client();
    expect(await tradeInTurn(client, [BUY])).toEqual([4]);
    expect(dataOf(await client.get("/orders/1"))).toEqual({ number: 1, ...BUY });
  } finally {
    squatter.close();
  }
});

test("every other set of replicas is refused by every command, while trades go on", async () => {
  const [cluster, idle] = [await clusters.prepare(), await clusters.prepare()];
  const [low, middle, high] = cluster.replicas;
  const [free] = idle.frontendPorts;
  await cluster.up();
  const client = cluster.client();
  const sets = [
    [high],
    [low, high],
    [low, middle, high, 9],
    [high, 8, 9],
    [low, middle, 9],
    [low, middle, high, 8, 9],
  ];
  for (const set of sets) {
    const replicas = `--replicas=${set}`;
    for (const command of ["status", "verify", "orders"]) {
      expectRefused(await cluster.run(command, replicas), cluster.replicas);
    }
    expectRefused(await cluster.run("adjust", "FishCo", "1", replicas), cluster.replicas);
    expectRefused(await cluster.run("frontend", replicas, `--port=${free}`), cluster.replicas);
    expect(await tradeInTurn(client, [BUY])).toHaveLength(1);
  }
  const permuted = await cluster.run("status", `--replicas=${[high, low, middle]}`);
  expect(permuted.status, permuted.stderr).toBe(0);
  const twice = await cluster.run("status", `--replicas=${[low, middle, middle]}`);
  expect([twice.status, twice.stderr]).toEqual([
    1,
    `bazaar: replica ${middle} is given twice: give each its own id\n`,
  ]);
  expect(await allOrders(client)).toHaveLength(sets.length);
});

test("a cluster of format 1 is refused until it is upgraded, and then trades on with all its orders", async () => {
  const cluster = await clusters.prepare();
  const fixture = join(import.meta.dirname, "../../src/io/journal/testdata/format-1.tar.gz");
  execFileSync("mkdir", ["-p", "-m", "700", cluster.data]);
  execFileSync("tar", ["xzf", fixture, "-C", cluster.data]);
  execFileSync("chmod", ["-R", "go-rwx", cluster.data]);
  const [low, middle, high] = cluster.replicas;
  // The ids of the old cluster, where this one's ports are free.
  const members = `--replicas=9090=${low},9092=${middle},9094=${high}`;
  const refused = await cluster.run("up", members);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain("bazaar format --upgrade");
  const wrong = await cluster.run("format", "--upgrade", `--replicas=9090=${low}`);
  expect(wrong.status).toBe(1);
  expect(wrong.stderr).toContain("give all replicas of this cluster");
  const upgraded = await cluster.run("format", "--upgrade", members);
  expect(upgraded.stderr).toBe("");
  expect(upgraded.status).toBe(0);
  await cluster.up(members);
  const client = cluster.client();
  expect(await allOrders(client)).toHaveLength(11);
  expect(await tradeInTurn(client, [BUY])).toEqual([12]);
  await until("all agree", async () => {
    const { stdout } = await cluster.run("verify", "--json", members);
    return (JSON.parse(stdout) as { ok: boolean }).ok;
  });
});
