// Real processes, on free ports and in a temporary folder.

import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { Cluster, levelLeader } from "./cluster.ts";
import { numberOf } from "./http.ts";

// Processes and disks take longer when the machine does other things besides.
vi.setConfig({ testTimeout: 120_000 });

afterEach(() => vi.unstubAllEnvs());

test("a killed replica is missed, and is level again once it was brought back", async () => {
  // Of another bazaar.
  vi.stubEnv("BAZAAR_PORT", "1");
  const cluster = await Cluster.prepare({ options: ["--cache-size=3"] });
  try {
    await cluster.up("--no-restart");
    const leader = await cluster.level();
    expect(cluster.replicas).toContain(leader);
    await cluster.kill(`order-${leader}`);
    expect(cluster.pid(`order-${leader}`)).toBe(null);
    const trade = { name: "FishCo", type: "buy", quantity: 1 };
    expect(numberOf(await cluster.client().trade(trade))).toBe(1);
    expect((await cluster.verify()).differences).toEqual([`order-${leader} is not reachable`]);
    cluster.start("order", String(leader));
    expect(await cluster.level()).not.toBe(leader);
    expect(await cluster.verify()).toMatchObject({ ok: true, orders: 1 });
  } finally {
    await cluster.stop();
  }
  expect(cluster.left()).toEqual([]);
  expect(existsSync(dirname(cluster.data))).toBe(false);
  await expect(fetch(cluster.url)).rejects.toThrow();
  await expect(cluster.level()).rejects.toThrow("the cluster is stopped");
  expect(() => cluster.start("catalog")).toThrow("the cluster is stopped");
});

test("a bazaar that can't start is told of with its reason, and leaves no folder behind", async () => {
  const cluster = await Cluster.prepare({ options: ["--cache=nowhere"] });
  await expect(cluster.up()).rejects.toThrow("--cache must be");
  await cluster.stop();
  expect(existsSync(dirname(cluster.data))).toBe(false);
});

test("replicas are level only when all are there, follow one leader and hold what it holds", () => {
  const ids = [1, 2, 3];
  const follows = { leads: false, leader: 3, last: 500 };
  const leads = { leads: true, leader: 3, last: 501 };
  expect(levelLeader([follows, follows, leads], ids)).toBe(3);
  expect(levelLeader([follows, null, leads], ids)).toBeNull();
  expect(levelLeader([follows, { ...follows, last: 200 }, leads], ids)).toBeNull();
  expect(levelLeader([follows, { ...follows, leader: 1 }, leads], ids)).toBeNull();
  expect(levelLeader([follows, follows, follows], ids)).toBeNull();
});
