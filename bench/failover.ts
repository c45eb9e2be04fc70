// npm run failover -- --kills 20 [--pauses 5] [--clients 8]
//
// How long clients wait when the order leader is killed, and when it is paused.
// `bazaar up`, clients that trade without pause; kill -9 of the leader, again
// and again, each time once it was brought back and is level; then SIGSTOP of
// the leader, and SIGCONT once trades go through another. (`up` leaves the dead
// to this script: it gives up a role that crashes five times in a minute.)
//
// What bringing the replica back costs the clients is told beside their wait, and
// how much of it went by before the system had closed a killed leader's
// connections, which nobody can notice sooner. Everything runs on one machine,
// clients too. A request that fails, or an order that isn't found in the end, fails
// the benchmark, and so does a wait beyond the limits, which are for a machine that
// has nothing else to do.

import { availableParallelism, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { Cluster } from "../lab/cluster.ts";
import { type Blow, failOver, type Strike, struckCluster } from "../lab/fail-over.ts";
import { dataOf, HttpClient, numberOf } from "../lab/http.ts";
import { percentile } from "../lab/statistics.ts";
import type { LabBazaar } from "../src/cli/lab-client.ts";
import { BazaarError, type Order } from "../src/client/index.ts";

/** A machine with more to do than this measures something else. */
const LOAD_MAX = 1.5;
/** What clients may have to wait for, milliseconds. */
const LIMITS = [
  { kind: "killed", what: "median", limitMs: 50 },
  { kind: "killed", what: "worst", limitMs: 250 },
  { kind: "paused", what: "worst", limitMs: 1_500 },
] as const;
const STOCKS = [["FishCo", 12.5, 1_000_000_000]] as const;

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "20" },
    pauses: { type: "string", default: "5" },
    clients: { type: "string", default: "8" },
  },
});

const [loadBefore = 0] = loadavg();
const clients = Number(values.clients);
const cluster = await Cluster.prepare({ stocks: STOCKS, logLevel: "info" });
const client = new HttpClient(cluster.url, clients, false);
try {
  await cluster.up("--no-restart");
  const { blows, trades, failures, problems, matched, total } = await failOver({
    struck: struckCluster(cluster),
    strikes: [...leaders("kill", values.kills), ...leaders("pause", values.pauses)],
    bazaars: [asksOnce(client)],
    names: STOCKS.map(([name]) => name),
    clients,
    random: Math.random,
    now: () => performance.now(),
  });
  const [loadAfter = 0] = loadavg();
  const result = {
    clients,
    trades,
    failed: failures + total - matched,
    killed: summary(blows.filter(({ how }) => how === "kill")),
    paused: summary(blows.filter(({ how }) => how === "pause")),
    blows,
    machine: { processors: availableParallelism(), loadBefore, loadAfter },
  };
  console.table({ killed: result.killed, paused: result.paused });
  console.log(`gaps, ms: ${blows.map(({ gapMs }) => Math.round(gapMs)).join(" ")}`);
  console.log(`${trades} trades, ${result.failed} failed`);
  for (const { kind, what, limitMs } of LIMITS) {
    if (result[kind].blows === 0) continue;
    const tookMs = result[kind][`${what}Ms`];
    const isMet = tookMs <= limitMs;
    console.log(`${kind}, ${what}: ${tookMs} ms, at most ${limitMs}: ${isMet ? "met" : "not met"}`);
    if (!isMet) process.exitCode = 1;
  }
  if (loadBefore > LOAD_MAX) {
    console.log(`the machine was busy before (load ${loadBefore.toFixed(1)}): waits are too long`);
  }
  console.log(JSON.stringify(result));
  for (const problem of problems) console.log(problem);
  if (result.failed > 0) process.exitCode = 1;
} finally {
  client.close();
  await cluster.stop();
}

function leaders(how: Strike["how"], times: string): readonly Strike[] {
  return Array.from({ length: Number(times) }, () => ({ how, whom: "leader" }));
}

/** A bazaar whose every trade is sent once, and right after the one before. */
function asksOnce(client: HttpClient): LabBazaar {
  return {
    // Nobody looks: what clients wait for are trades.
    lookup: async (name) => ({ name, price: 0, quantity: 0 }),
    async trade(trade) {
      const call = await client.trade(trade);
      if (call.status === 200) return { number: numberOf(call) };
      throw new BazaarError("unavailable", `${call.status} ${call.text} ${call.error}`);
    },
    order: async (number) => dataOf(await client.get(`/orders/${number}`)) as Order,
  };
}

function summary(blows: readonly Blow[]) {
  const gaps = blows.map(({ gapMs }) => gapMs);
  const closings = blows.map(({ closedMs }) => closedMs).filter((ms) => ms !== null);
  const at = (ms: readonly number[], percent: number) => Math.round(percentile(ms, percent) || 0);
  return {
    blows: gaps.length,
    bestMs: at(gaps, 0),
    medianMs: at(gaps, 50),
    p90Ms: at(gaps, 90),
    worstMs: at(gaps, 100),
    medianUntilClosedMs: closings.length > 0 ? at(closings, 50) : null,
    worstOnTheWayBackMs: Math.max(0, ...blows.map(({ backGapMs }) => Math.round(backGapMs))),
  };
}
