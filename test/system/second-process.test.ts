// A second process of a role's name, on the same machine: a wrong terminal, a
// script that ran twice.

import { expect, test } from "vitest";
import { numberOf } from "../../lab/http.ts";
import { messages } from "../../lab/logs.ts";
import { until } from "../../lab/wait.ts";
import { useClusters } from "./harness/lifetime.ts";

const clusters = useClusters("test");
const BUY = { name: "FishCo", type: "buy", quantity: 1 } as const;

test("a second process of any role ends with one line, and trades take no longer than before", async () => {
  const cluster = await clusters.prepare({ logLevel: "info", stocks: [["FishCo", 12.5, 1_000]] });
  await cluster.up();
  const client = cluster.client();
  const leased = () =>
    until("a front end with a lease", async () => {
      await client.get("/stocks/FishCo");
      const { text } = await client.get("/metrics");
      return /^bazaar_leased\S* 1$/m.test(text);
    });
  await leased();
  const before = messages(cluster.data, "catalog").length;

  const [, , high] = cluster.replicas;
  for (const args of [["frontend"], ["catalog"], ["order", String(high)]] as const) {
    const [command, ...more] = args;
    const { status, stderr } = await cluster.run(command, ...more);
    expect(status).toBe(1);
    expect(stderr).toMatch(/in use|is locked by another process/);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  }
  // It ended before it was connected to anybody.
  expect(messages(cluster.data, "catalog").slice(before).join("\n")).not.toContain("closed");
  await leased();

  // Each trade is held by the front end, not waited for until its lease has run out.
  const took: number[] = [];
  for (let trade = 0; trade < 20; trade += 1) {
    await client.get("/stocks/FishCo");
    const call = await client.trade(BUY);
    expect(numberOf(call)).toBe(trade + 1);
    took.push(call.endMs - call.startMs);
  }
  // Half a second each, if the front end's place at the catalog were gone.
  const total = took.reduce((sum, ms) => sum + ms, 0);
  expect(total).toBeLessThan(20 * 400);
});
