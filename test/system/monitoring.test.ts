// What a monitoring system sees: the metrics of every process, held against the
// table that documents them, and whether a front end is ready.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Cluster } from "../../lab/cluster.ts";
import { ROOT } from "../../lab/process.ts";
import { until } from "../../lab/wait.ts";
import { useClusters } from "./harness/lifetime.ts";

const TRADES = 5;
const STOCKS = [
  ["FishCo", 17.99, 600],
  ["BoarCo", 28.59, 1102],
] as const;

const clusters = useClusters("test");

/** A leader is a replica like the others, and names the same metrics. */
const KINDS = { "front end": "frontend", catalog: "catalog", replica: "order", leader: "order" };
type Kind = (typeof KINDS)[keyof typeof KINDS];

/** Names in the table of docs/api.md, by who tells them. */
function documented(): ReadonlyMap<Kind, readonly string[]> {
  const page = readFileSync(join(ROOT, "docs/api.md"), "utf8");
  const names = new Map<Kind, Set<string>>();
  for (const [, metrics = "", of = ""] of page.matchAll(/^\| (`bazaar_[^|]*) \| ([^|]*) \|/gm)) {
    for (const each of of.split(", ")) {
      const kind = KINDS[each as keyof typeof KINDS];
      expect(kind, `${each} of ${metrics}`).toBeDefined();
      const known = names.get(kind) ?? new Set();
      for (const [name] of metrics.matchAll(/bazaar_\w+/g)) known.add(name);
      names.set(kind, known);
    }
  }
  return new Map([...names].map(([kind, all]) => [kind, [...all].sort()]));
}

interface Scrape {
  readonly names: readonly string[];
  /** Of a sample, its labels but `role` in braces: `bazaar_trades_total{outcome="accepted"}`. */
  value(sample: string): number | undefined;
}

async function scrape(port: number, role: string): Promise<Scrape> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(response.status).toBe(200);
  const text = await response.text();
  const samples = new Map<string, number>();
  for (const [, name = "", labels = "", value] of text.matchAll(/^(bazaar_\w+)\{(.*)\} (\S+)$/gm)) {
    const own = labels.split(",").filter((label) => label !== `role="${role}"`);
    expect(own.length, `${name}{${labels}} of ${role}`).toBe(labels.split(",").length - 1);
    samples.set(own.length === 0 ? name : `${name}{${own.join(",")}}`, Number(value));
  }
  const names = [...text.matchAll(/^# HELP (bazaar_\w+) ./gm)].map(([, name = ""]) => name);
  return { names: names.sort(), value: (sample) => samples.get(sample) };
}

async function trade(cluster: Cluster): Promise<void> {
  const client = cluster.client();
  for (let each = 0; each < TRADES; each++) {
    const { status } = await client.trade({ name: "FishCo", type: "buy", quantity: 1 });
    expect(status).toBe(200);
  }
}

test("each process tells the documented metrics and no others, and they move", async () => {
  const cluster = await clusters.prepare({ stocks: STOCKS, secured: false });
  await cluster.up("--no-restart");
  await trade(cluster);
  await cluster.client().get("/stocks/FishCo");
  const first = await cluster.leader();
  await cluster.kill(`order-${first}`);
  await trade(cluster);
  const [frontendPort = 0] = cluster.frontendPorts;
  const [catalogPort = 0] = cluster.catalogPorts;
  const names = documented();

  const frontend = await until("ready", async () => {
    const now = await scrape(frontendPort, "frontend");
    return now.value("bazaar_ready") === 1 && now;
  });
  expect(frontend.names).toEqual(names.get("frontend"));
  expect(frontend.value('bazaar_trades_total{outcome="accepted"}')).toBe(2 * TRADES);
  expect(frontend.value('bazaar_cache_lookups_total{result="miss"}')).toBe(1);
  const durations = 'bazaar_http_request_duration_seconds_count{route="POST /orders",status="200"}';
  expect(frontend.value(durations)).toBe(2 * TRADES);
  expect(frontend.value("bazaar_leader_changes_total")).toBeGreaterThanOrEqual(2);

  const left = cluster.replicas.filter((id) => id !== first);
  const replicas = await until("both to have all trades, and one to lead", async () => {
    const told = await Promise.all(left.map((id) => scrape(id, `order-${id}`)));
    const have = told.every((each) => each.value("bazaar_orders_total") === 2 * TRADES);
    return have && sum(told, "bazaar_leads") === 1 && told;
  });
  for (const told of replicas) {
    expect(told.names).toEqual(names.get("order"));
    expect(told.value("bazaar_entry_commands_sum")).toBe(2 * TRADES + STOCKS.length);
    expect(told.value("bazaar_leader_changes_total")).toBeGreaterThanOrEqual(2);
    expect(told.value("bazaar_journal_write_entries_count")).toBeGreaterThan(0);
  }
  for (const counted of ["call_questions", "commit_duration_seconds", "expose_duration_seconds"]) {
    expect(sum(replicas, `bazaar_${counted}_count`), counted).toBeGreaterThan(0);
  }

  const shown = Math.max(...replicas.map((told) => told.value("bazaar_exposed_position") ?? 0));
  const catalog = await until("the catalog, leased, showing all trades", async () => {
    const now = await scrape(catalogPort, "catalog");
    const shows = (now.value("bazaar_applied_position") ?? 0) >= shown;
    return shows && now.value("bazaar_leased") === 1 && now;
  });
  expect(catalog.names).toEqual(names.get("catalog"));
  expect(catalog.value("bazaar_received_position")).toBeGreaterThanOrEqual(shown);
  expect(catalog.value("bazaar_epoch")).toBeGreaterThan(1);
  expect(catalog.value("bazaar_stocks")).toBe(STOCKS.length);
});

function sum(told: readonly Scrape[], sample: string): number {
  return told.reduce((total, each) => total + (each.value(sample) ?? 0), 0);
}

test("a front end isn't ready while its leader, alive, has no quorum", async () => {
  const cluster = await clusters.prepare({ secured: false });
  await cluster.up("--no-restart");
  const client = cluster.client();
  const leader = await cluster.leader();
  const others = cluster.replicas.filter((id) => id !== leader).map((id) => `order-${id}`);
  const pid = await cluster.running(`order-${leader}`);
  await cluster.signalAll(others, "SIGSTOP");
  const unready = await until("unready", async () => {
    const call = await client.get("/readyz");
    return call.status === 503 && call;
  });
  expect(unready.answered["retry-after"]).toBe("1");
  expect((await client.get("/healthz")).status).toBe(200);
  const port = cluster.frontendPorts[0] ?? 0;
  expect((await scrape(port, "frontend")).value("bazaar_ready")).toBe(0);
  expect(cluster.pid(`order-${leader}`)).toBe(pid);
  await cluster.signalAll(others, "SIGCONT");
  await cluster.open();
});
