// An evaluation from its first cluster to its numbers: load with the cache, load
// without, replacement in a small cache, fail-over; each on a new cluster, so
// that none inherits what another left.

import { setTimeout as pause } from "node:timers/promises";
import type { BazaarClient } from "../../client/index.ts";
import { OwnCluster } from "./cluster.ts";
import { countingFetch, failOver } from "./fail-over.ts";
import { cacheNow, loadCells, PROBABILITIES } from "./load-grid.ts";
import { CACHE_SIZE, watchReplacement } from "./replacement.ts";
import type { About, Evaluation } from "./results.ts";

export interface EvaluateOptions {
  readonly clients: number;
  /** Lookups of each client in each cell of the load. */
  readonly iterations: number;
  readonly kills: number;
  readonly about: About;
  /** Told what is being done, and how much of all is, 0 to 1. */
  readonly onProgress: (part: number, what: string) => void;
  /** Ends it: it throws, and every process is stopped before. */
  readonly signal: AbortSignal;
}

/** Of the progress, where each part begins; about what each takes of the time. */
const STARTS = { cacheOn: 0, cacheOff: 0.25, replacement: 0.5, failOver: 0.6 } as const;
const READY_PAUSE_MS = 50;
const READY_ROUNDS_MAX = 200;

export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  const { clients, iterations, about } = options;
  const common = { clients, random: Math.random, now: () => performance.now() };
  const load = (hasCache: boolean) =>
    onCluster(options, hasCache ? [] : ["--no-cache"], async (cluster) => {
      const bazaar = cluster.client();
      const start = hasCache ? STARTS.cacheOn : STARTS.cacheOff;
      return loadCells({
        ...common,
        bazaar,
        hasCache,
        iterations,
        names: await stockNames(bazaar),
        counters: () => cacheNow(bazaar),
        onProgress: (probability, part) => {
          const done = (PROBABILITIES.indexOf(probability) + part) / PROBABILITIES.length;
          const what = `load, cache ${hasCache ? "on" : "off"}, p = ${probability * 100} %`;
          options.onProgress(start + 0.25 * done, what);
        },
      });
    });
  const cells = [...(await load(true)), ...(await load(false))];
  const replacement = await onCluster(options, [`--cache-size=${CACHE_SIZE}`], async (cluster) => {
    const bazaar = cluster.client();
    const cached = async () => (await cacheNow(bazaar)).names ?? [];
    const names = await stockNames(bazaar);
    await whenCopiesAreKept(bazaar, names[0] ?? "", cached);
    return watchReplacement({
      bazaar,
      names,
      capacity: CACHE_SIZE,
      cached,
      onProgress: (part) =>
        options.onProgress(STARTS.replacement + 0.1 * part, "cache replacement"),
    });
  });
  const failedOver = await onCluster(options, [], async (cluster) => {
    let repeated = 0;
    const counting = countingFetch(fetch, () => {
      repeated += 1;
    });
    return failOver({
      ...common,
      cluster,
      bazaar: cluster.client(counting),
      repeated: () => repeated,
      names: await stockNames(cluster.client()),
      kills: options.kills,
      onProgress: (part) => options.onProgress(STARTS.failOver + 0.4 * part, "fail-over"),
    });
  });
  return { about, clients, iterations, load: cells, replacement, failOver: failedOver };
}

/** Runs `work` on a new cluster and stops that, however it ends. */
async function onCluster<T>(
  { signal }: EvaluateOptions,
  more: readonly string[],
  work: (cluster: OwnCluster) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const cluster = await OwnCluster.prepare(more);
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    const working = cluster.open().then(() => work(cluster));
    return await Promise.race([working, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    await cluster.close();
  }
}

async function stockNames(bazaar: BazaarClient): Promise<readonly string[]> {
  return (await bazaar.stocks()).map(({ name }) => name);
}

/** A front end keeps copies once it has a lease, a moment after it is open. Leaves the cache empty. */
async function whenCopiesAreKept(
  bazaar: BazaarClient,
  name: string,
  cached: () => Promise<readonly string[]>,
): Promise<void> {
  for (let round = 1; ; round++) {
    await bazaar.lookup(name);
    if ((await cached()).includes(name)) break;
    if (round >= READY_ROUNDS_MAX) throw new Error("the front end keeps no copies");
    await pause(READY_PAUSE_MS);
  }
  await bazaar.trade({ name, type: "sell", quantity: 1 });
}
