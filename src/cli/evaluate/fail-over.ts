// Replicas killed under clients that trade, one after the other, each brought
// back before the next: how long clients wait, whether a call fails, and whether
// all copies are the same at the end.
//
// The first to be killed is the leader, so that every evaluation has one; each
// further one is drawn from all replicas, whoever leads.

import { setTimeout as pause } from "node:timers/promises";
import type { Verdict } from "../../roles/verification.ts";
import type { LabBazaar } from "../lab-client.ts";
import type { FailOver, Kill, ReplicaFile } from "./results.ts";
import { TradingClients } from "./trading-clients.ts";

const POLL_MS = 10;
/** Between two trades of a client, milliseconds. */
const THINK_MS = 10;
/** Trades of each client before the next kill, and after one until its gap is over. */
const TRADES_BETWEEN = 25;
const TRADES_AFTER = 3;
const TRADES_LIMIT_MS = 60_000;
/** Of the progress, what killing takes; the rest is the final check. */
const KILLS_PART = 0.8;

export interface FailOverOptions {
  readonly cluster: {
    readonly replicas: readonly number[];
    /** The leader, once all replicas are level. */
    level(): Promise<number>;
    kill(replica: number): Promise<void>;
    restart(replica: number): void;
    verify(): Promise<Verdict>;
    /** Stops everything; the replicas' files at `position`. */
    stoppedFiles(position: number): Promise<readonly ReplicaFile[]>;
  };
  readonly bazaar: LabBazaar;
  /** Attempts so far that the client library repeated by itself. */
  readonly repeated: () => number;
  readonly names: readonly string[];
  readonly clients: number;
  readonly kills: number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
  /** 0 to 1. */
  readonly onProgress: (part: number) => void;
}

export async function failOver(options: FailOverOptions): Promise<FailOver> {
  const { cluster, bazaar, names, random, now, onProgress } = options;
  await cluster.level();
  const clients = new TradingClients({
    bazaar,
    names,
    clients: options.clients,
    random,
    now,
    think: () => pause(THINK_MS),
  });
  const kills: Kill[] = [];
  try {
    while (kills.length < options.kills) {
      await traded(clients, TRADES_BETWEEN);
      kills.push(await killOne(options, clients, kills.length === 0));
      onProgress((kills.length / options.kills) * KILLS_PART);
    }
    await traded(clients, TRADES_BETWEEN);
  } finally {
    await clients.stop((part) => onProgress(KILLS_PART + part * (1 - KILLS_PART)));
  }
  const verdict = await cluster.verify();
  return {
    ...clients.counts,
    kills,
    repeated: options.repeated(),
    latency: clients.latency,
    timeline: clients.timeline,
    verdict,
    files: await cluster.stoppedFiles(verdict.position),
  };
}

async function killOne(
  { cluster, random, now }: FailOverOptions,
  clients: TradingClients,
  isFirst: boolean,
): Promise<Kill> {
  const leader = await cluster.level();
  const drawn = cluster.replicas[Math.floor(random() * cluster.replicas.length)] ?? leader;
  const replica = isFirst ? leader : drawn;
  clients.takeWorstMs();
  const atMs = Math.round(clients.atMs);
  await cluster.kill(replica);
  await traded(clients, TRADES_AFTER);
  const gapMs = clients.takeWorstMs();
  const restarted = now();
  cluster.restart(replica);
  await cluster.level();
  const backMs = Math.round(now() - restarted);
  return { replica, led: replica === leader, atMs, gapMs, backMs };
}

/** Waits until each client has had so many more trades answered. */
async function traded(clients: TradingClients, count: number): Promise<void> {
  const goal = clients.tradedByEach + count;
  const end = clients.atMs + TRADES_LIMIT_MS;
  while (clients.tradedByEach < goal) {
    if (clients.atMs > end) throw new Error("clients have had no answer for a minute");
    await pause(POLL_MS);
  }
}

/** `fetch` that counts the attempts which the client library will repeat, or give up. */
export function countingFetch(inner: typeof fetch, onRepeatable: () => void): typeof fetch {
  return async (input, init) => {
    try {
      const response = await inner(input, init);
      if (response.status >= 500 || response.status === 429) onRepeatable();
      return response;
    } catch (error) {
      onRepeatable();
      throw error;
    }
  };
}
