// One run: a cluster, its clients and its nemesis; then everything healed, every
// call settled, and all of it checked.
//
// What is written to the run's folder: `history.jsonl`, the calls; `orders.json`
// and `stocks.csv`, what they end and begin with; `timeline.txt`, what was done
// to whom; `data/logs`, what the processes say.

import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commandPeers } from "../src/cli/closed.ts";
import { resolveConfig } from "../src/cli/resolve-config.ts";
import type { ClusterConfig } from "../src/roles/config.ts";
import { Calls } from "./calls.ts";
import { Client, type Market } from "./client.ts";
import { TorturedCluster } from "./cluster.ts";
import {
  type Attempt,
  longestGapMs,
  type OrderSeen,
  outcomes,
  type StockSeen,
  toJsonLines,
} from "./history.ts";
import { mutations } from "./mutations.ts";
import { Nemesis } from "./nemesis.ts";
import { check } from "./operations.ts";

/** Everything must work within this after it was started, or healed, milliseconds. */
const READY_LIMIT_MS = 60_000;
/** Every call must be answered within this once everything works, milliseconds. */
const SETTLE_LIMIT_MS = 60_000;
const PATIENCE = { ms: 13_000 };
/** Queries at once, when all orders are asked for. */
const QUERIES_AT_ONCE = 16;
const STOCKS: readonly StockSeen[] = [
  { name: "FishCo", price: 17.99, quantity: 60 },
  { name: "BoarCo", price: 28.59, quantity: 40 },
  { name: "MenhirCo", price: 45.11, quantity: 30 },
  { name: "GameStart", price: 15.99, quantity: 20 },
];

export interface RunOptions {
  readonly folder: string;
  /** What keeps the order log. */
  readonly engine: "builtin" | "postgres";
  /** With TLS everywhere, certificates between processes, and a key that clients need. */
  readonly secured: boolean;
  readonly seed: number;
  /** With faults; healing and checking come on top. */
  readonly seconds: number;
  readonly clients: number;
  readonly thinkMs: number;
}

export interface RunResult {
  /** What is wrong, a line each. */
  readonly problems: readonly string[];
  readonly outcomes: ReadonlyMap<string, number>;
  readonly faults: ReadonlyMap<string, number>;
  readonly facts: ReadonlyMap<string, number>;
}

/** Rejects when the run itself fails: what doesn't start, or doesn't heal. */
export async function run(options: RunOptions): Promise<RunResult> {
  const { folder, engine, secured, seed, seconds } = options;
  const origin = process.hrtime.bigint();
  const now = () => Number(process.hrtime.bigint() - origin);
  const tell = (line: string) => {
    appendFileSync(join(folder, "timeline.txt"), `${(now() / 1e6).toFixed(3)} ms  ${line}\n`);
  };
  const tortured = { folder, engine, secured, stocks: STOCKS, tell };
  const cluster = await TorturedCluster.begin(tortured, READY_LIMIT_MS);
  const history: Attempt[] = [];
  try {
    const config = configAt(cluster.config);
    const peers = commandPeers(config);
    const calls = new Calls({
      clients: cluster.urls.map((_, nth) =>
        cluster.httpClient(nth, Number.POSITIVE_INFINITY, false),
      ),
      config,
      peers,
      record: (attempt) => history.push(attempt),
      now,
    });
    const clients = clientsOf(options, config, calls);
    const running = clients.map((client) => client.run());
    const nemesis = new Nemesis({ cluster, seed, durationMs: seconds * 1_000, tell });
    await nemesis.run();
    const facedMs = now() / 1e6;
    for (const client of clients) client.stop();
    await cluster.ready(READY_LIMIT_MS);
    tell("healed");
    await Promise.all(running);
    const left = await Promise.all(clients.map((client) => client.settle(SETTLE_LIMIT_MS)));
    const gapMs = longestGapMs(history.filter(({ end }) => end / 1e6 <= facedMs));
    const { orders, problems } = await finalOrders(calls, history);
    writeFileSync(join(folder, "orders.json"), `${JSON.stringify(orders)}\n`);
    const unsettled = left.reduce((sum, count) => sum + count, 0);
    if (unsettled > 0) problems.push(`${unsettled} calls have no answer though all is healed`);
    problems.push(...(await verified(cluster, orders.length)));
    problems.push(...cluster.surprises.map((line) => `nobody struck it: ${line}`));
    problems.push(...nemesis.wronglyStarted);
    const verdict = check({ stocks: STOCKS, history, orders });
    problems.push(...verdict.problems);
    let spoilt = 0;
    if (problems.length === 0) {
      for (const { what, copy } of mutations({ stocks: STOCKS, history, orders })) {
        spoilt += 1;
        if (check(copy).problems.length === 0) problems.push(`the checker doesn't find ${what}`);
      }
    }
    calls.close();
    peers.close();
    return {
      problems,
      outcomes: outcomes(history),
      faults: nemesis.counts,
      facts: new Map([
        ["orders", orders.length],
        ["operations checked", verdict.operations],
        ["possible states at once, at most", verdict.statesMax],
        ["spoilt copies of this history found to be spoilt", spoilt],
        ["leader changes", reigns(cluster.data) - 1],
        ["ms without an answered trade, at most", Math.round(gapMs)],
      ]),
    };
  } finally {
    writeFileSync(join(folder, "history.jsonl"), toJsonLines(history));
    await cluster.stop();
  }
}

function clientsOf(
  { clients, seed, thinkMs }: RunOptions,
  config: ClusterConfig,
  calls: Calls,
): readonly Client[] {
  const market: Market = { names: [...STOCKS.map(({ name }) => name), "NoSuchCo"], lastNumber: 0 };
  return Array.from(
    { length: clients },
    (_, index) =>
      new Client({
        name: `client-${index}`,
        seed: seed * 1_000 + index + 1,
        calls,
        market,
        frontends: config.frontends.length,
        catalogs: config.catalogs.length,
        thinkMs,
      }),
  );
}

/** All orders as every front end lists them; each that was answered is also asked for by number, everywhere. */
async function finalOrders(
  calls: Calls,
  history: readonly Attempt[],
): Promise<{ orders: readonly OrderSeen[]; problems: string[] }> {
  const [orders, others] = await Promise.all([
    calls.orders(0, PATIENCE),
    calls.orders(1, PATIENCE),
  ]);
  if (!orders || !others) throw new Error("a front end doesn't list the orders");
  const isSame = JSON.stringify(orders) === JSON.stringify(others);
  const problems = isSame ? [] : ["the front ends list different orders"];
  const numbers = new Set(
    history.filter(({ outcome }) => outcome === "accepted").flatMap(({ number }) => number ?? []),
  );
  const waiting = [...numbers].flatMap((number) => [0, 1].map((frontend) => [number, frontend]));
  const asking = Array.from({ length: QUERIES_AT_ONCE }, async (_, index) => {
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const [number = 0, frontend = 0] = next;
      const { outcome } = await calls.query(`check-${index}`, frontend, number, PATIENCE);
      if (outcome !== "found") problems.push(`front end ${frontend}, order ${number}: ${outcome}`);
    }
  });
  await Promise.all(asking);
  await Promise.all(
    [0, 1].map((frontend) => calls.stocks(`check-${frontend}`, frontend, PATIENCE)),
  );
  return { orders, problems };
}

async function verified(cluster: TorturedCluster, orders: number): Promise<string[]> {
  const verdict = await cluster.verify();
  const isRight = verdict.ok && verdict.orders === orders;
  return isRight ? [] : [`verify, of ${orders} orders: ${JSON.stringify(verdict)}`];
}

/** The reigns that the replicas' logs tell of. */
function reigns(data: string): number {
  const logs = join(data, "logs");
  return readdirSync(logs)
    .filter((name) => name.startsWith("order-"))
    .map((name) => readFileSync(join(logs, name), "utf8").split('"msg":"Leading"').length - 1)
    .reduce((sum, count) => sum + count, 0);
}

function configAt(path: string): ClusterConfig {
  return resolveConfig({
    flags: {},
    environment: {},
    file: { path, content: JSON.parse(readFileSync(path, "utf8")) },
    cwd: process.cwd(),
    stocksShipped: "",
  });
}
