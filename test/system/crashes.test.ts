// Roles killed with -9 under load, and what the clients may notice: a wait,
// nothing else. Nothing lost, nothing doubled, nothing that disagrees.

import { expect, test } from "vitest";
import type { Cluster } from "./harness/cluster.ts";
import { numberOf } from "./harness/http.ts";
import { useClusters } from "./harness/lifetime.ts";
import {
  allOrders,
  failed,
  Load,
  longestGapMs,
  movements,
  promised,
  type Trade,
  type Traded,
} from "./harness/load.ts";
import { until } from "./harness/wait.ts";

const clusters = useClusters("test");

const NAMES = ["FishCo", "BoarCo", "MenhirCo"] as const;
const STOCKS = NAMES.map((name) => [name, 12.5, 10_000] as const);
/** After a crash the next trade is answered within this, on two shared cores. */
const GAP_LIMIT_MS = 1_000;
/** Trades that must pass between one blow and the next, so that each hits a working bazaar. */
const TRADES_BETWEEN = 200;

/** Buys and sells of every stock in turn, so that a movement that is lost shows. */
function mixed(client: number, nth: number): Trade {
  const name = NAMES[(client + nth) % NAMES.length] ?? NAMES[0];
  return { name, type: nth % 2 === 0 ? "buy" : "sell", quantity: 1 + (nth % 5) };
}

function loaded(cluster: Cluster, clients: number): Load {
  return new Load(
    Array.from({ length: clients }, () => cluster.client()),
    mixed,
  );
}

/** Waits for `count` more accepted trades. */
function more(load: Load, count = TRADES_BETWEEN): Promise<true> {
  const goal = load.accepted + count;
  return until(`${goal} trades`, () => load.accepted >= goal);
}

/** The clients' final check: every answered order is there as answered, no other is, and stocks add up. */
async function addsUp(cluster: Cluster, traded: readonly Traded[]): Promise<void> {
  expect(failed(traded)).toEqual([]);
  const expected = promised(traded);
  const client = cluster.client();
  expect(await allOrders(client)).toEqual(expected);
  expect(expected.map(({ number }) => number)).toEqual(expected.map((_, index) => index + 1));
  const moved = movements(expected);
  for (const [name, price, quantity] of STOCKS) {
    expect(await client.get(`/stocks/${name}`)).toMatchObject({
      text: JSON.stringify({ data: { name, price, quantity: quantity + (moved.get(name) ?? 0) } }),
    });
  }
  expect(await cluster.verify()).toMatchObject({
    ok: true,
    orders: expected.length,
    differences: [],
  });
}

test("the leader killed five times under 8 clients: no order lost, doubled or refused", async () => {
  const cluster = await clusters.up({ stocks: STOCKS, logLevel: "info" });
  const load = loaded(cluster, 8);
  for (let kill = 0; kill < 5; kill++) {
    await more(load);
    const role = `order-${await cluster.leader()}`;
    const pid = await cluster.kill(role);
    await more(load);
    await cluster.running(role, pid);
    // Only with all three back can the next one be spared.
    await until("all replicas level", async () => {
      const { processes } = await cluster.status();
      const replicas = processes.filter((one) => one.role.startsWith("order-"));
      const lead = Math.max(...replicas.map(({ last = 0 }) => last));
      return replicas.every(({ up, last = 0 }) => up && lead - last < TRADES_BETWEEN);
    });
  }
  const traded = await load.stop();
  expect(longestGapMs(traded)).toBeLessThan(GAP_LIMIT_MS);
  await addsUp(cluster, traded);
});

test("the catalog killed under load: trades go on, and no stock movement is lost", async () => {
  const cluster = await clusters.up({ stocks: STOCKS, logLevel: "info" });
  const load = loaded(cluster, 8);
  await more(load);
  const pid = await cluster.kill("catalog");
  await more(load);
  await cluster.running("catalog", pid);
  await more(load);
  const traded = await load.stop();
  expect(longestGapMs(traded)).toBeLessThan(GAP_LIMIT_MS);
  await addsUp(cluster, traded);
});

test("with the catalog gone for good, lookups and trades are answered by the leader", async () => {
  const cluster = await clusters.prepare({ stocks: STOCKS });
  await cluster.up("--no-restart");
  const client = cluster.client();
  await cluster.kill("catalog");
  numberOf(await client.trade({ name: "FishCo", type: "buy", quantity: 1 }));
  expect((await client.get("/stocks/FishCo")).text).toBe(
    '{"data":{"name":"FishCo","price":12.5,"quantity":9999}}',
  );
  expect((await client.get("/stocks/Ash")).status).toBe(400);
});

test("a follower killed under load: nobody notices, and it catches up", async () => {
  const cluster = await clusters.up({ stocks: STOCKS, logLevel: "info" });
  const load = loaded(cluster, 8);
  await more(load);
  const [low] = cluster.replicas;
  const pid = await cluster.kill(`order-${low}`);
  await more(load);
  await cluster.running(`order-${low}`, pid);
  await more(load);
  const traded = await load.stop();
  expect(longestGapMs(traded)).toBeLessThan(GAP_LIMIT_MS);
  await addsUp(cluster, traded);
});

test("a front end killed under load: the same key asked of another doubles nothing", async () => {
  const cluster = await clusters.up({ stocks: STOCKS, logLevel: "info", frontends: 2 });
  const [first, second] = [cluster.client(8, 0), cluster.client(8, 1)];
  let stopping = false;
  const traded: Traded[] = [];
  const clients = Array.from({ length: 8 }, async (_, client) => {
    for (let nth = 0; !stopping; nth++) {
      const trade = mixed(client, nth);
      const key = { "Idempotency-Key": `client ${client} trade ${nth}` };
      let call = await first.trade(trade, key);
      if (call.status === 0) call = await second.trade(trade, key);
      traded.push({ trade, call });
    }
  });
  const passed = (count: number) => until(`${count} trades`, () => traded.length >= count);
  await passed(TRADES_BETWEEN);
  const pid = await cluster.kill("frontend");
  await cluster.running("frontend", pid);
  await passed(traded.length + TRADES_BETWEEN);
  stopping = true;
  await Promise.all(clients);
  expect(second.calls.length).toBeGreaterThan(0);
  await addsUp(cluster, traded);
});

test("the leader paused under load: another takes over, and it can't answer with the past", async () => {
  const cluster = await clusters.up({ stocks: STOCKS, logLevel: "info" });
  const load = loaded(cluster, 8);
  await more(load);
  const [, , high] = cluster.replicas;
  await cluster.signal(`order-${high}`, "SIGSTOP");
  await more(load);
  await cluster.signal(`order-${high}`, "SIGCONT");
  await more(load);
  const traded = await load.stop();
  expect(await cluster.leader()).not.toBe(high);
  await addsUp(cluster, traded);
});

test("without a quorum a trade waits for one, and is made once", async () => {
  const cluster = await clusters.prepare({ stocks: STOCKS });
  await cluster.up("--no-restart");
  const client = cluster.client();
  const [low, middle, high] = cluster.replicas;
  const before = cluster.log(`order-${high}`).length;
  const followers = [`order-${low}`, `order-${middle}`];
  await cluster.signalAll(followers, "SIGSTOP");
  const answer = client.trade({ name: "FishCo", type: "buy", quantity: 1 });
  await cluster.logged(`order-${high}`, "FishCo present in db", before);
  // It is on its way to both when its leader dies: they find it in what they didn't read yet.
  await cluster.kill(`order-${high}`);
  await cluster.signalAll(followers, "SIGCONT");
  expect(numberOf(await answer)).toBe(1);
  // The dead one's journal may hold the trade too; it is compared with the others.
  const back = cluster.log(`order-${high}`).length;
  cluster.start("order", String(high));
  await cluster.logged(`order-${high}`, "Order service ready", back);
  await addsUp(cluster, [
    { trade: { name: "FishCo", type: "buy", quantity: 1 }, call: await answer },
  ]);
});
