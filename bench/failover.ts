// npm run failover -- --kills 20 [--pauses 5] [--clients 8] [--engine postgres [--primaries 5]]
//
// How long clients wait when the order leader is killed, and when it is paused; with
// PostgreSQL under the log also when its primary is killed and a script promotes the
// standby that has more, at once: a manager of fail-overs would first wait to be sure.
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
import { type Blow, failOver, type Strike, type Struck, struckCluster } from "../lab/fail-over.ts";
import { dataOf, HttpClient, numberOf } from "../lab/http.ts";
import { LabPostgres } from "../lab/postgres.ts";
import { percentile } from "../lab/statistics.ts";
import type { LabBazaar } from "../src/cli/lab-client.ts";
import { BazaarError, type Order } from "../src/client/index.ts";

/** A machine with more to do than this measures something else. */
const LOAD_MAX = 1.5;
/** What clients may have to wait for, milliseconds. */
const LIMITS = [
  { kind: "killed", what: "median", limitMs: 50, engine: "builtin" },
  { kind: "killed", what: "worst", limitMs: 250, engine: null },
  { kind: "paused", what: "worst", limitMs: 1_500, engine: null },
  { kind: "primaries", what: "worst", limitMs: 1_500, engine: "postgres" },
] as const;
const STOCKS = [["FishCo", 12.5, 1_000_000_000]] as const;

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "20" },
    pauses: { type: "string", default: "5" },
    clients: { type: "string", default: "8" },
    engine: { type: "string", default: "builtin" },
    primaries: { type: "string", default: "5" },
  },
});

const [loadBefore = 0] = loadavg();
const clients = Number(values.clients);
const postgres = values.engine === "postgres" ? await LabPostgres.start({ isDurable: true }) : null;
const options = postgres ? [`--engine=${postgres.url}`] : [];
const cluster = await Cluster.prepare({ stocks: STOCKS, logLevel: "info", options });
const client = new HttpClient(cluster.url, clients, false);
try {
  await cluster.up("--no-restart");
  const measured = (struck: Struck, strikes: readonly Strike[]) =>
    failOver({
      ...{ struck, strikes, clients },
      bazaars: [asksOnce(client)],
      names: STOCKS.map(([name]) => name),
      random: Math.random,
      now: () => performance.now(),
    });
  const strikes = [...leaders("kill", values.kills), ...leaders("pause", values.pauses)];
  const ofReplicas = await measured(struckCluster(cluster), strikes);
  const ofPrimaries =
    postgres &&
    (await measured(struckPrimary(cluster, postgres), leaders("kill", values.primaries)));
  const runs = [ofReplicas, ...(ofPrimaries ? [ofPrimaries] : [])];
  const { blows } = ofReplicas;
  const primaryBlows = ofPrimaries?.blows ?? [];
  const trades = runs.reduce((sum, run) => sum + run.trades, 0);
  const failed = runs.reduce((sum, run) => sum + run.failures + run.total - run.matched, 0);
  const [loadAfter = 0] = loadavg();
  const result = {
    clients,
    engine: values.engine,
    trades,
    failed,
    killed: summary(blows.filter(({ how }) => how === "kill")),
    paused: summary(blows.filter(({ how }) => how === "pause")),
    primaries: summary(primaryBlows),
    blows: [...blows, ...primaryBlows],
    machine: { processors: availableParallelism(), loadBefore, loadAfter },
  };
  const { killed, paused, primaries } = result;
  console.table({ killed, paused, ...(postgres && { primaries }) });
  console.log(`gaps, ms: ${result.blows.map(({ gapMs }) => Math.round(gapMs)).join(" ")}`);
  console.log(`${trades} trades, ${result.failed} failed`);
  for (const { kind, what, limitMs, engine } of LIMITS) {
    if (result[kind].blows === 0 || (engine !== null && engine !== values.engine)) continue;
    const tookMs = result[kind][`${what}Ms`];
    const isMet = tookMs <= limitMs;
    console.log(`${kind}, ${what}: ${tookMs} ms, at most ${limitMs}: ${isMet ? "met" : "not met"}`);
    if (!isMet) process.exitCode = 1;
  }
  if (loadBefore > LOAD_MAX) {
    console.log(`the machine was busy before (load ${loadBefore.toFixed(1)}): waits are too long`);
  }
  console.log(JSON.stringify(result));
  for (const problem of runs.flatMap((run) => run.problems)) console.log(problem);
  if (result.failed > 0) process.exitCode = 1;
} finally {
  client.close();
  await cluster.stop();
  await postgres?.stop();
}

function leaders(how: Strike["how"], times: string): readonly Strike[] {
  return Array.from({ length: Number(times) }, () => ({ how, whom: "leader" }));
}

/** The primary of the database, whatever is said to be struck: killed, and another promoted by a script. */
function struckPrimary(cluster: Cluster, servers: LabPostgres): Struck {
  let rejoined: Promise<void> = Promise.resolve();
  return {
    replicas: cluster.replicas,
    async level() {
      await rejoined;
      await servers.hasStandbys(servers.servers.length - 1);
      return cluster.level();
    },
    async strike() {
      const old = servers.primary;
      await servers.server(old).kill();
      await servers.failOver();
      return {
        closedMs: Promise.resolve(null),
        back: () => {
          rejoined = servers.rejoin(old);
        },
      };
    },
  };
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
