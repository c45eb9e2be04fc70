// A real front end whose Redis can't be trusted: every lookup is answered as it
// is, and its memory stays where it was. The whole list of what a server can do
// is tried in src/roles/frontend/stocks/hostile-redis.test.ts.

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import type { HttpClient } from "../../lab/http.ts";
import { until } from "../../lab/wait.ts";
import {
  HONEST,
  HOSTILITIES,
  type HostileRedis,
  hostileRedis,
} from "../../src/io/cache/test-hostile-redis.ts";
import { useClusters } from "./harness/lifetime.ts";
import { quantityOf, tradeInTurn } from "./harness/load.ts";

const clusters = useClusters("file");
let server: HostileRedis;
let cluster: Cluster;
let client: HttpClient;
let pid: number;

beforeAll(async () => {
  server = await hostileRedis();
  cluster = await clusters.up({
    stocks: [
      ["Alpha", 5, 1_000],
      ["Beta", 5, 2_000],
    ],
    logLevel: "info",
    options: [`--cache=${server.url}`],
  });
  client = cluster.client();
  // Its file is written a moment after its port is open.
  pid = await until("the front end's pid", () => cluster.pid("frontend"));
});
afterAll(() => server.close());

/** Lookups answered by a copy, as the front end counts them. */
async function hits(): Promise<number> {
  const { text } = await client.get("/metrics");
  return Number(/^bazaar_cache_lookups_total\{.*result="hit".*\} (\d+)$/m.exec(text)?.[1] ?? 0);
}

/** The most memory that the front end ever had, MiB. */
function memoryPeakMiB(): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1_024;
}

describe("lookups are answered rightly, and their front end goes on, when Redis answers with", () => {
  test.each([
    "a page of HTML",
    "a page of HTML as the text",
    "another stock's copy",
    "an earlier copy of the same stock",
    "nothing, ever",
    "a whole number",
    "a map",
    "half a reply, and then silence",
    "a million lists in each other",
    "a list of four billion lists of four billion",
    "a text of half a gigabyte, of which some comes",
    "a line without end",
    "no to everything",
    "no to every drop",
    "bytes by chance without end",
  ])("%s", async (what) => {
    await until("a hit", async () => {
      const before = await hits();
      await quantityOf(client, "Alpha");
      return (await hits()) > before;
    });
    const hostility = HOSTILITIES.find((each) => each.what === what);
    if (!hostility) throw new Error(`nothing is ${what}`);
    server.be(hostility);
    let left = await quantityOf(client, "Alpha");
    for (let round = 0; round < 8; round++) {
      expect(await quantityOf(client, "Beta")).toBe(2_000);
      await tradeInTurn(client, [{ name: "Alpha", type: "buy", quantity: 1 }]);
      left--;
      expect(await quantityOf(client, "Alpha")).toBe(left);
      expect(await quantityOf(client, "Alpha")).toBe(left);
    }
    server.be(HONEST);
    expect(cluster.pid("frontend")).toBe(pid);
    expect(memoryPeakMiB()).toBeLessThan(300);
  });
});
