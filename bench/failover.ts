// npm run failover -- --kills 20 [--pauses 5] [--clients 8] [--json FILE]
//
// How long clients wait when the order leader is killed, and when it is paused.
// `bazaar up`, clients that trade without pause; kill -9 of the leader, again
// and again, each time once it was brought back and is level; then SIGSTOP of
// the leader, and SIGCONT once trades go through another. (`up` leaves the dead
// to this script: it gives up a role that crashes five times in a minute.)
//
// The wait is what a client sees: of all clients, the longest time between two
// answers, from the blow until each has had three. What bringing the replica back
// costs them is told beside it, and how much of the wait went by before the system
// had closed a killed leader's connections, which nobody can notice sooner.
// Everything runs on one machine, clients too. A request that fails fails the
// benchmark, and so does a wait beyond the limits, which are for a machine that has
// nothing else to do.

import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { availableParallelism, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { Cluster } from "../lab/cluster.ts";
import { type Call, HttpClient } from "../lab/http.ts";
import { until } from "../lab/wait.ts";

/** Entries a replica may be behind and still be level with a leader that goes on. */
const BEHIND_MAX = 200;
const LEVEL_LIMIT_MS = 60_000;
/** Trades that must pass before the next blow. */
const TRADES_BETWEEN = 200;
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
    level: { type: "string", default: "info" },
    json: { type: "string" },
  },
});
const [kills = 0, pauses = 0, clientCount = 0] = [values.kills, values.pauses, values.clients].map(
  Number,
);

interface Blow {
  readonly kind: "killed" | "paused";
  readonly leader: number;
  /** Until each client was answered again. */
  readonly gapMs: number;
  /** Until a connection of this process to it was closed; null for one that was paused. */
  readonly closedMs: number | null;
  /** From then until all were level: what the way back cost. */
  readonly backMs: number;
}

const [loadBefore = 0] = loadavg();
const cluster = await Cluster.prepare({
  stocks: STOCKS,
  logLevel: values.level === "debug" ? "debug" : "info",
});
const clients: HttpClient[] = [];
let stopping = false;
let accepted = 0;
const failed: Call[] = [];
const blows: Blow[] = [];
/** Of all clients, the longest time between two answers since this was last set to 0. */
let longestMs = 0;
const answers: number[] = [];

async function trade(client: HttpClient, index: number): Promise<void> {
  let last = performance.now();
  answers[index] = 0;
  while (!stopping) {
    const call = await client.trade({ name: "FishCo", type: "buy", quantity: 1 });
    client.calls.length = 0;
    if (call.status === 200) accepted += 1;
    else failed.push(call);
    longestMs = Math.max(longestMs, call.endMs - last);
    last = call.endMs;
    answers[index] = (answers[index] ?? 0) + 1;
  }
}

async function traded(count: number): Promise<void> {
  const goal = accepted + count;
  await until(`${goal} trades`, () => accepted >= goal, LEVEL_LIMIT_MS);
}

async function level(): Promise<void> {
  await until(
    "all replicas level",
    async () => {
      const { processes } = await cluster.status();
      const replicas = processes.filter(({ role }) => role.startsWith("order-"));
      const newest = Math.max(...replicas.map(({ last = 0 }) => last));
      return replicas.every(({ up, last = 0 }) => up && newest - last < BEHIND_MAX);
    },
    LEVEL_LIMIT_MS,
  );
}

async function strike(kind: Blow["kind"]): Promise<void> {
  await traded(TRADES_BETWEEN);
  const leader = await cluster.leader();
  const role = `order-${leader}`;
  const pid = await cluster.running(role);
  const closed = kind === "killed" ? await whenClosed(leader) : null;
  longestMs = 0;
  process.kill(pid, kind === "killed" ? "SIGKILL" : "SIGSTOP");
  const goals = answers.map((count) => count + 3);
  await until("answers", () => answers.every((count, index) => count >= (goals[index] ?? 0)));
  const gapMs = longestMs;
  longestMs = 0;
  await traded(TRADES_BETWEEN);
  if (kind === "killed") cluster.start("order", String(leader));
  else process.kill(pid, "SIGCONT");
  await level();
  blows.push({ kind, leader, gapMs, closedMs: (await closed?.()) ?? null, backMs: longestMs });
}

/** Connects to a replica; the result tells how long after this it was closed, milliseconds. */
async function whenClosed(replica: number): Promise<() => Promise<number>> {
  const socket = connect(replica, "127.0.0.1");
  await once(socket, "connect");
  const startMs = performance.now();
  const closed = new Promise<number>((resolve) => {
    socket.on("error", () => {}); // followed by close
    socket.on("close", () => resolve(performance.now() - startMs));
  });
  return () => closed;
}

function summary(kind: Blow["kind"]) {
  const ofKind = blows.filter((blow) => blow.kind === kind);
  const gaps = ofKind.map(({ gapMs }) => gapMs);
  const closings = ofKind.map(({ closedMs }) => closedMs).filter((ms) => ms !== null);
  return {
    blows: gaps.length,
    bestMs: at(gaps, 0.01),
    medianMs: at(gaps, 0.5),
    p90Ms: at(gaps, 0.9),
    worstMs: at(gaps, 1),
    medianUntilClosedMs: closings.length > 0 ? at(closings, 0.5) : null,
    worstOnTheWayBackMs: Math.max(0, ...ofKind.map(({ backMs }) => Math.round(backMs))),
  };
}

/** The value below which `part` of the others lie, rounded; 0 of none. */
function at(values: readonly number[], part: number): number {
  return Math.round(values.toSorted((a, b) => a - b)[Math.ceil(part * values.length) - 1] ?? 0);
}

try {
  await cluster.up("--no-restart");
  for (let index = 0; index < clientCount; index++) clients.push(new HttpClient(cluster.url));
  const trading = clients.map(trade);
  for (let kill = 0; kill < kills; kill++) {
    await strike("killed");
  }
  for (let pause = 0; pause < pauses; pause++) await strike("paused");
  stopping = true;
  await Promise.all(trading);
  const [loadAfter = 0] = loadavg();
  const result = {
    clients: clientCount,
    trades: accepted,
    failed: failed.length,
    killed: summary("killed"),
    paused: summary("paused"),
    blows,
    machine: { processors: availableParallelism(), loadBefore, loadAfter },
  };
  console.table({ killed: result.killed, paused: result.paused });
  console.log(`gaps, ms: ${blows.map(({ gapMs }) => Math.round(gapMs)).join(" ")}`);
  console.log(`${accepted} trades, ${failed.length} failed`);
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
  if (values.json) writeFileSync(values.json, `${JSON.stringify(result)}\n`);
  for (const { status, text, error } of failed.slice(0, 5)) console.log(status, text, error);
  if (failed.length > 0) process.exitCode = 1;
} finally {
  for (const client of clients) client.close();
  await cluster.stop();
}
