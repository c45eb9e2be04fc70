// Replicas struck under clients that look up and trade, one after the other, each
// brought back before the next: how long clients wait, and whether a call fails.
//
// The wait is what a client sees: of all clients, the longest call from the blow
// until each has had three more trades answered.

import { once } from "node:events";
import { connect } from "node:net";
import { type LabBazaar, type LabCall, type LabResult, runLab } from "../src/cli/lab-client.ts";
import type { Cluster } from "./cluster.ts";
import { type LatencySummary, latencySummary, toMicroseconds } from "./statistics.ts";
import { until } from "./wait.ts";

/** Trades of each client before the next blow, and after one until its gap is over. */
const TRADES_BETWEEN = 25;
const TRADES_AFTER = 3;
const TRADES_LIMIT_MS = 60_000;
/** Of the progress, what the blows take; the rest is the final check. */
const BLOWS_PART = 0.8;
/** Of the timeline, milliseconds. */
export const MOMENT_MS = 100;

/** A blow: who, and how. */
export interface Strike {
  readonly how: "kill" | "pause";
  readonly whom: "leader" | "any";
}

export interface Blow {
  readonly how: Strike["how"];
  /** Id of the replica. */
  readonly replica: number;
  readonly led: boolean;
  /** Since the clients began. */
  readonly atMs: number;
  /** The longest that a call took, of all clients, from the blow until each had traded again. */
  readonly gapMs: number;
  /** Until a connection of this process to it was closed; null for one that was paused. */
  readonly closedMs: number | null;
  /** From when it was brought back until it was level with the others. */
  readonly backMs: number;
  /** The longest call of that time: what the way back costs. */
  readonly backGapMs: number;
}

/** A tenth of a second of the clients' calls, by when each was answered. */
export interface Moment {
  readonly atMs: number;
  readonly answers: number;
  readonly worstMs: number;
}

/** What is struck. */
export interface Struck {
  readonly replicas: readonly number[];
  /** The leader, once all replicas are level. */
  level(): Promise<number>;
  /** Strikes one; gives what brings it back. */
  strike(replica: number, how: Strike["how"]): Promise<Comeback>;
}

export interface Comeback {
  back(): void;
  readonly closedMs: Promise<number | null>;
}

export interface FailOverOptions {
  readonly struck: Struck;
  readonly strikes: readonly Strike[];
  /** The clients are spread over them. */
  readonly bazaars: readonly LabBazaar[];
  readonly names: readonly string[];
  readonly clients: number;
  /** Between two trades of a client. */
  readonly think?: () => Promise<unknown>;
  /** In [0, 1). */
  readonly random: () => number;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
  /** 0 to 1. */
  readonly onProgress?: (part: number) => void;
}

export interface FailOverResult extends Omit<LabResult, "latencyMs" | "seconds"> {
  readonly blows: readonly Blow[];
  /** Of lookups and trades. */
  readonly latency: LatencySummary;
  /** Tenths of a second in which nothing was answered are left out. */
  readonly timeline: readonly Moment[];
}

export async function failOver(options: FailOverOptions): Promise<FailOverResult> {
  const { struck, strikes, bazaars, names, clients, random, now, think } = options;
  await struck.level();
  const watch = new Watch(clients, now);
  let isOver = false;
  const trading = runLab({
    ...{ bazaars, names, clients, random, now },
    ...(think && { think }),
    iterations: Number.POSITIVE_INFINITY,
    probability: 1,
    isOver: () => isOver,
    onCall: (call) => {
      watch.note(call);
      if (isOver) options.onProgress?.(BLOWS_PART + watch.checked * (1 - BLOWS_PART));
    },
  });
  trading.catch(() => {}); // Told at the end.
  const blows: Blow[] = [];
  try {
    for (const strike of strikes) {
      await watch.traded(TRADES_BETWEEN);
      blows.push(await strikeOne(options, watch, strike));
      options.onProgress?.((blows.length / strikes.length) * BLOWS_PART);
    }
    await watch.traded(TRADES_BETWEEN);
  } finally {
    isOver = true;
    await trading;
  }
  const { latencyMs: _, seconds: __, ...counts } = await trading;
  return { ...counts, blows, latency: watch.latency, timeline: watch.timeline };
}

async function strikeOne(
  { struck, random, now }: FailOverOptions,
  watch: Watch,
  { how, whom }: Strike,
): Promise<Blow> {
  const leader = await struck.level();
  const drawn = struck.replicas[Math.floor(random() * struck.replicas.length)] ?? leader;
  const replica = whom === "leader" ? leader : drawn;
  watch.takeWorstMs();
  const atMs = Math.round(watch.atMs);
  const comeback = await struck.strike(replica, how);
  await watch.traded(TRADES_AFTER);
  const gapMs = watch.takeWorstMs();
  // Apart from the blow: what is under way then isn't the way back's.
  await watch.traded(TRADES_BETWEEN);
  watch.takeWorstMs();
  const startedMs = now();
  comeback.back();
  await struck.level();
  const backMs = Math.round(now() - startedMs);
  const backGapMs = watch.takeWorstMs();
  const closedMs = await comeback.closedMs;
  return { how, replica, led: replica === leader, atMs, gapMs, closedMs, backMs, backGapMs };
}

/** A bazaar whose `up` doesn't restart: `up` gives up a role that crashes five times in a minute. */
export function struckCluster(cluster: Cluster): Struck {
  return {
    replicas: cluster.replicas,
    level: () => cluster.level(),
    async strike(replica, how) {
      const role = `order-${replica}`;
      if (how === "pause") {
        const pid = await cluster.signal(role, "SIGSTOP");
        return { closedMs: Promise.resolve(null), back: () => void process.kill(pid, "SIGCONT") };
      }
      const { closed } = await connectedTo(replica);
      const killedMs = performance.now();
      await cluster.kill(role);
      return {
        closedMs: closed.then((at) => at - killedMs),
        back: () => void cluster.start("order", String(replica)),
      };
    },
  };
}

/** Connects to a replica; `closed` settles once that is over, with the time of `performance.now()`. */
async function connectedTo(replica: number): Promise<{ readonly closed: Promise<number> }> {
  const socket = connect(replica, "127.0.0.1");
  await once(socket, "connect");
  const closed = new Promise<number>((resolve) => {
    socket.on("error", () => {}); // followed by close
    socket.on("close", () => resolve(performance.now()));
  });
  return { closed };
}

/** What the clients' calls tell while they go on. */
export class Watch {
  readonly #now: () => number;
  readonly #startMs: number;
  readonly #latencies: number[] = [];
  readonly #moments = new Map<number, { answers: number; worstMs: number }>();
  /** Trades that each client has had answered, a refusal too. */
  readonly #traded: number[];
  #checks = 0;
  #worstMs = 0;

  constructor(clients: number, now: () => number) {
    this.#now = now;
    this.#startMs = now();
    this.#traded = Array.from({ length: clients }, () => 0);
  }

  note({ kind, client, ms: exactMs }: LabCall): void {
    if (kind === "order") {
      this.#checks += 1;
      return;
    }
    if (kind === "trade") this.#traded[client] = (this.#traded[client] ?? 0) + 1;
    const ms = toMicroseconds(exactMs);
    this.#latencies.push(ms);
    this.#worstMs = Math.max(this.#worstMs, ms);
    const moment = Math.floor(this.atMs / MOMENT_MS);
    const { answers, worstMs } = this.#moments.get(moment) ?? { answers: 0, worstMs: 0 };
    this.#moments.set(moment, { answers: answers + 1, worstMs: Math.max(worstMs, ms) });
  }

  /** Milliseconds since the clients began. */
  get atMs(): number {
    return this.#now() - this.#startMs;
  }

  /** About how many of the orders have been checked, 0 to 1. */
  get checked(): number {
    const traded = this.#traded.reduce((sum, count) => sum + count, 0);
    return Math.min(1, this.#checks / Math.max(1, traded));
  }

  get latency(): LatencySummary {
    return latencySummary(this.#latencies);
  }

  get timeline(): readonly Moment[] {
    return [...this.#moments]
      .sort(([a], [b]) => a - b)
      .map(([moment, { answers, worstMs }]) => ({ atMs: moment * MOMENT_MS, answers, worstMs }));
  }

  /** The longest call that ended since this was last asked, milliseconds. */
  takeWorstMs(): number {
    const worstMs = this.#worstMs;
    this.#worstMs = 0;
    return worstMs;
  }

  /** Waits until each client has had so many more trades answered. */
  async traded(count: number): Promise<void> {
    const goals = this.#traded.map((traded) => traded + count);
    const isReached = () => goals.every((goal, client) => (this.#traded[client] ?? 0) >= goal);
    await until(`${count} more trades of each client`, isReached, TRADES_LIMIT_MS);
  }
}
