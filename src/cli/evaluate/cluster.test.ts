// Real processes, on free ports and in a temporary folder.

import { existsSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { clusterOptions, environment, levelLeader, OwnCluster } from "./cluster.ts";

// Processes and disks take longer when the machine does other things besides.
vi.setConfig({ testTimeout: 120_000 });

test("a killed replica that isn't brought back, or is compared too early, is a difference", async () => {
  const cluster = await OwnCluster.prepare(["--cache-size=3"]);
  try {
    await cluster.open();
    const leader = await cluster.level();
    expect(cluster.replicas).toContain(leader);
    await cluster.kill(leader);
    await expect(cluster.kill(leader)).rejects.toThrow("isn't running");
    const { number } = await cluster.client().trade({ name: "FishCo", type: "buy", quantity: 1 });
    expect(number).toBe(1);
    expect((await cluster.verify()).differences).toEqual([`order-${leader} is not reachable`]);
    cluster.restart(leader);
    expect(await cluster.level()).not.toBe(leader);
    expect(await cluster.verify()).toMatchObject({ ok: true, orders: 1 });
  } finally {
    await cluster.close();
  }
  await expect(fetch(cluster.url)).rejects.toThrow();
  await expect(cluster.level()).rejects.toThrow("the cluster is closed");
});

test("a bazaar that can't start is told of with its reason, and leaves no folder behind", async () => {
  const cluster = await OwnCluster.prepare(["--cache=nowhere"]);
  await expect(cluster.open()).rejects.toThrow("--cache must be");
  await cluster.close();
  expect(existsSync(cluster.folder)).toBe(false);
});

test("what the environment says of another bazaar doesn't reach this one", () => {
  const told = environment({ PATH: "/bin", BAZAAR_DATA: "/theirs", BAZAAR_CONFIG: "theirs.json" });
  expect(told).toEqual({ PATH: "/bin", npm_command: "exec" });
});

test("the cache is not given twice", () => {
  expect(clusterOptions("d", [1, 2, 3, 4, 5], ["--no-cache"])).not.toContain("--cache=memory");
  expect(clusterOptions("d", [1, 2, 3, 4, 5], [])).toContain("--replicas=3,4,5");
});

test("no replica is killed while another is still on its way back", () => {
  const ids = [1, 2, 3];
  const follows = { leads: false, leader: 3, last: 500 };
  const leads = { leads: true, leader: 3, last: 501 };
  expect(levelLeader([follows, follows, leads], ids)).toBe(3);
  expect(levelLeader([follows, null, leads], ids)).toBeNull();
  expect(levelLeader([follows, { ...follows, last: 200 }, leads], ids)).toBeNull();
  expect(levelLeader([follows, { ...follows, leader: 1 }, leads], ids)).toBeNull();
  expect(levelLeader([follows, follows, follows], ids)).toBeNull();
});
