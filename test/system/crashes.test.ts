// Roles killed with -9 under load, and what the clients may notice: a wait,
// nothing else. Nothing lost, nothing doubled, nothing that disagrees.

import { expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { type Call, numberOf } from "../../lab/http.ts";
import { until } from "../../lab/wait.ts";
import { useClusters } from "./harness/lifetime.ts";
import {
  type Asking,
  allOrders,
  Either,
  failed,
  Load,
  longestCallMs,
  longestGapMs,
  movements,
  promised,
  type Seen,
  type Trade,
} from "./harness/load.ts";

const clusters = useClusters("test");

const NAMES = ["FishCo", "BoarCo", "MenhirCo"] as const;
const STOCKS = NAMES.map((name) => [name, 12.5, 10_000] as const);
/** No client waits longer for an answer when a role is killed. */
const KILL_LIMIT_MS = 1_000;
/** Nor when the leader is paused: nothing tells that it is, but that it is silent. */
const PAUSE_LIMIT_MS = 1_500;
const CALM_CALLS = 5;
/** Trades that must pass between one blow and the next, so that each hits a working bazaar. */
const TRADES_BETWEEN = 200;
const READS_BETWEEN = 20;

/** Buys and sells of every stock in turn, so that a movement that is lost shows. */
function mixed(client: number, nth: number): Trade {
  const name = NAMES[(client + nth) % NAMES.length] ?? NAMES[0];
  return { name, type: nth % 2 === 0 ? "buy" : "sell", quantity: 1 + (nth % 5) };
}

/** As many clients that trade, and half as many that look up and query. */
function loaded(traders: number, client: (index: number) => Asking): Load {
  const clients = Array.from({ length: traders * 1.5 }, (_, index) => client(index));
  return new Load(clients.slice(0, traders), mixed, clients.slice(traders));
}

/** Waits until so many more trades were accepted, and some more reads were answered. */
function more(load: Load): Promise<true> {
  const trades = load.accepted + TRADES_BETWEEN;
  const reads = load.reads.length + READS_BETWEEN;
  return until(
    `${trades} trades and ${reads} reads`,
    () => load.accepted >= trades && load.reads.length >= reads,
  );
}

/**
 * Nobody was kept waiting for longer than `limitMs`: neither all clients at once,
 * nor one of them for one answer. On top come a few times what a call may take
 * on this machine at this hour: the longest before the first blow.
 */
function nobodyWaited(seen: Seen, blowAtMs: number, limitMs: number): void {
  const before = ({ call }: { call: Call }) => call.endMs < blowAtMs;
  const calm = { traded: seen.traded.filter(before), reads: seen.reads.filter(before) };
  const limit = limitMs + CALM_CALLS * longestCallMs(calm);
  expect(longestGapMs(seen)).toBeLessThan(limit);
  expect(longestCallMs(seen)).toBeLessThan(limit);
}

/** The clients' final check: every answered order is there as answered, no other is, and stocks add up. */
async function addsUp(cluster: Cluster, seen: Seen): Promise<void> {
  expect(failed(seen)).toEqual([]);
  const expected = promised(seen.traded);
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

test("with the leader killed five times under load, no order is lost, doubled or refused", async () => {
  const cluster = await clusters.up({ stocks: STOCKS, logLevel: "info" });
  const load = loaded(8, () => cluster.client());
  await more(load);
  const blowAtMs = performance.now();
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
  const seen = await load.stop();
  nobodyWaited(seen, blowAtMs, KILL_LIMIT_MS);
  await addsUp(cluster, seen);
});

test("with the catalog killed under load, trades go on, and no change of a stock is lost", async () => {
  const cluster = await clusters.up({ stocks: STOCKS, logLevel: "info" });
  const load = loaded(8, () => cluster.client());
  await more(load);
  const blowAtMs = performance.now();
  const pid = await cluster.kill("catalog");
  await more(load);
  await cluster.running("catalog", pid);
  await more(load);
  const seen = await load.stop();
  nobodyWaited(seen, blowAtMs, KILL_LIMIT_MS);
  await addsUp(cluster, seen);
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

test("with a follower killed under load, clients notice nothing, and it catches up", async () => {
  const cluster = await clusters.up({ stocks: STOCKS, logLevel: "info" });
  const load = loaded(8, () => cluster.client());
  await more(load);
  const blowAtMs = performance.now();
  const [low] = cluster.replicas;
  const pid = await cluster.kill(`order-${low}`);
  await more(load);
  await cluster.running(`order-${low}`, pid);
  await more(load);
  const seen = await load.stop();
  nobodyWaited(seen, blowAtMs, KILL_LIMIT_MS);
  await addsUp(cluster, seen);
});

test("with a front end killed under load, trades repeated at another under the same key are made once", async () => {
  const cluster = await clusters.up({ stocks: STOCKS, logLevel: "info", frontends: 2 });
  const second = cluster.client(12, 1);
  const load = loaded(8, (index) => new Either(cluster.client(1, 0), second, `client ${index}`));
  await more(load);
  const blowAtMs = performance.now();
  const pid = await cluster.kill("frontend");
  await cluster.running("frontend", pid);
  await more(load);
  const seen = await load.stop();
  expect(second.calls.length).toBeGreaterThan(0);
  nobodyWaited(seen, blowAtMs, KILL_LIMIT_MS);
  await addsUp(cluster, seen);
});

test("with the leader paused under load, another takes over, and no order is lost or doubled", async () => {
  const cluster = await clusters.up({ stocks: STOCKS, logLevel: "info" });
  const load = loaded(8, () => cluster.client());
  await more(load);
  const blowAtMs = performance.now();
  const [, , high] = cluster.replicas;
  await cluster.signal(`order-${high}`, "SIGSTOP");
  await more(load);
  await cluster.signal(`order-${high}`, "SIGCONT");
  await more(load);
  const seen = await load.stop();
  expect(await cluster.leader()).not.toBe(high);
  nobodyWaited(seen, blowAtMs, PAUSE_LIMIT_MS);
  await addsUp(cluster, seen);
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
  const trade = { name: "FishCo", type: "buy", quantity: 1 } as const;
  await addsUp(cluster, { traded: [{ trade, call: await answer }], reads: [] });
});
