// The front end's cache, in memory and in Redis: what leaves it when, and that
// it is never needed for a right answer.

import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import type { HttpClient } from "../../lab/http.ts";
import { RedisServer } from "../../lab/redis.ts";
import { until } from "../../lab/wait.ts";
import { useClusters } from "./harness/lifetime.ts";
import { quantityOf, tradeInTurn } from "./harness/load.ts";

const clusters = useClusters("test");
let redis: RedisServer | null = null;

afterEach(async () => {
  await redis?.kill();
  redis = null;
});

const STOCKS = ["Alpha", "Beta", "Gamma", "Delta"].map((name) => [name, 5, 100] as const);
/** A machine so busy that this many sequences in a row are disturbed is no place to test. */
const ATTEMPTS_MAX = 5;

/** Looks a stock up and says, by the front end's log, whether it came from the cache. */
async function lookup(cluster: Cluster, client: HttpClient, name: string): Promise<"hit" | "miss"> {
  const before = cluster.log("frontend").length;
  expect((await client.get(`/stocks/${name}`)).status).toBe(200);
  await cluster.logged("frontend", "Finished GET request", before);
  const response = await cluster.logged("frontend", /^Cache response - /, before);
  return response === "Cache response - None" ? "miss" : "hit";
}

/** The outcome of each lookup in turn. */
async function lookups(cluster: Cluster, client: HttpClient, names: string[]): Promise<string[]> {
  const outcomes: string[] = [];
  for (const name of names) outcomes.push(`${name} ${await lookup(cluster, client, name)}`);
  return outcomes;
}

/** Waits until the front end holds a lease: before, and whenever one lapsed, it keeps no copies. */
async function leased(cluster: Cluster, client: HttpClient): Promise<void> {
  await until("a hit", async () => (await lookup(cluster, client, "Alpha")) === "hit");
}

/**
 * Runs a sequence of lookups from an empty cache. A lease that lapses in its
 * middle, on a machine that lets a process wait for half a second, drops every
 * copy: then, and only then, the sequence is run again.
 */
async function undisturbed(
  cluster: Cluster,
  client: HttpClient,
  sequence: () => Promise<void>,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    await leased(cluster, client);
    const before = cluster.log("frontend").length;
    for (const [name] of STOCKS) await client.get(`/cache_invalid/${name}`);
    try {
      await sequence();
      return;
    } catch (error) {
      await leased(cluster, client);
      const lapsed = cluster
        .log("frontend")
        .slice(before)
        .includes("Cache begun anew under a new lease");
      if (!lapsed || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

describe("in memory", () => {
  const shared = useClusters("file");
  let cluster: Cluster;
  let client: HttpClient;

  beforeAll(async () => {
    cluster = await shared.up({ stocks: STOCKS, options: ["--cache-size=3"] });
    client = cluster.client();
  });

  test("a cache smaller than the catalog drops what was used least recently", async () => {
    await undisturbed(cluster, client, async () => {
      const filled = await lookups(cluster, client, ["Alpha", "Beta", "Gamma", "Alpha"]);
      expect(filled).toEqual(["Alpha miss", "Beta miss", "Gamma miss", "Alpha hit"]);
      // Room is made for Delta by Beta, which was used before Gamma and Alpha.
      const after = await lookups(cluster, client, ["Delta", "Alpha", "Gamma", "Delta", "Beta"]);
      expect(after).toEqual(["Delta miss", "Alpha hit", "Gamma hit", "Delta hit", "Beta miss"]);
    });
  });

  test("a trade drops its stock and no other", async () => {
    await undisturbed(cluster, client, async () => {
      await lookups(cluster, client, ["Alpha", "Beta", "Gamma"]);
      const before = await quantityOf(client, "Beta");
      await tradeInTurn(client, [{ name: "Beta", type: "buy", quantity: 1 }]);
      const after = await lookups(cluster, client, ["Alpha", "Beta", "Gamma", "Beta"]);
      expect(after).toEqual(["Alpha hit", "Beta miss", "Gamma hit", "Beta hit"]);
      expect(await quantityOf(client, "Beta")).toBe(before - 1);
    });
  });

  test("/cache_invalid drops the stock that it names, and no other", async () => {
    await undisturbed(cluster, client, async () => {
      await lookups(cluster, client, ["Alpha", "Beta"]);
      expect((await client.get("/cache_invalid/Alpha")).status).toBe(200);
      const after = await lookups(cluster, client, ["Alpha", "Beta"]);
      expect(after).toEqual(["Alpha miss", "Beta hit"]);
    });
  });
});

test("with several front ends, a trade through one leaves no old copy at another", async () => {
  const cluster = await clusters.up({ stocks: STOCKS, frontends: 2, logLevel: "info" });
  const [one, other] = [cluster.client(1, 0), cluster.client(1, 1)];
  for (let left = 99; left >= 70; left--) {
    await quantityOf(other, "Alpha");
    await tradeInTurn(one, [{ name: "Alpha", type: "buy", quantity: 1 }]);
    expect(await quantityOf(other, "Alpha")).toBe(left);
  }
});

test("without a cache every lookup is answered by the catalog", async () => {
  const cluster = await clusters.up({ stocks: STOCKS, options: ["--no-cache"] });
  const client = cluster.client();
  await quantityOf(client, "Alpha");
  await tradeInTurn(client, [{ name: "Alpha", type: "buy", quantity: 1 }]);
  expect(await quantityOf(client, "Alpha")).toBe(99);
  expect(cluster.log("frontend").filter((line) => line.includes("from cache"))).toEqual([]);
});

test("the password of Redis is in no process's arguments, in no log and in no answer", async () => {
  const password = "Pa55word";
  redis = await RedisServer.open("--requirepass", password);
  const url = redis.url.replace("//", "//default@");
  // It is refused before it has any files, so also before it could have certificates.
  const options = [`--cache=${url}`];
  const cluster = await clusters.prepare({ stocks: STOCKS, secured: false, options });
  const file = join(cluster.data, "../redis-password");
  writeFileSync(file, `${password}\n`, { mode: 0o644 });

  const inUrl = await cluster.run("up", `--cache=${url.replace("default@", `:${password}@`)}`);
  expect(inUrl.status).toBe(1);
  expect(inUrl.stderr).toContain("put it into BAZAAR_REDIS_PASSWORD, or into a file");
  const open = await cluster.run("up", `--redis-password-file=${file}`);
  expect(open.status).toBe(1);
  expect(open.stderr).toContain(`chmod 600 ${file}`);
  chmodSync(file, 0o600);

  const up = await cluster.up(`--redis-password-file=${file}`);
  const client = cluster.client();
  await leased(cluster, client);
  const roles = ["frontend", "catalog", ...cluster.replicas.map((id) => `order-${id}`)];
  // A role's pid file is written a moment after its port is open.
  const pids = roles.map((role) => until(`the pid of ${role}`, () => cluster.pid(role)));
  for (const pid of [up.child.pid, ...(await Promise.all(pids))]) {
    const args = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    expect(args).toContain(file);
    expect(args).not.toContain(password);
  }
  const status = await cluster.run("status", "--json");
  const logs = roles.map((role) => readFileSync(join(cluster.data, "logs", `${role}.log`), "utf8"));
  for (const text of [inUrl.stdout, inUrl.stderr, open.stderr, up.stdout, up.stderr, ...logs]) {
    expect(text).not.toContain(password);
  }
  expect(status.stdout + status.stderr).not.toContain(password);
});

test("while Redis is down and after it is back no client sees an error, and it fills again", async () => {
  redis = await RedisServer.open();
  const cluster = await clusters.up({ stocks: STOCKS, options: [`--cache=${redis.url}`] });
  const client = cluster.client();
  await leased(cluster, client);

  await redis.kill();
  await tradeInTurn(client, [{ name: "Alpha", type: "buy", quantity: 1 }]);
  expect(await quantityOf(client, "Alpha")).toBe(99);
  expect(await quantityOf(client, "Alpha")).toBe(99);

  await redis.start();
  await leased(cluster, client);
  await tradeInTurn(client, [{ name: "Alpha", type: "buy", quantity: 1 }]);
  expect(await quantityOf(client, "Alpha")).toBe(98);
  expect(client.calls.filter(({ status }) => status !== 200)).toEqual([]);
});
