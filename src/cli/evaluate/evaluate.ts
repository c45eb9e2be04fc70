// An evaluation from its first cluster to its numbers: load with the cache and
// without, replacement in a small cache, fail-over; each on new clusters, so that
// none inherits what another left.

import { setTimeout as pause } from "node:timers/promises";
import type { BazaarClient } from "../../client/index.ts";
import { OwnCluster } from "./cluster.ts";
import { countingFetch, failOver } from "./fail-over.ts";
import { cacheNow, loadCells } from "./load-grid.ts";
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
const STARTS = { replacement: 0.5, failOver: 0.6 } as const;
const READY_PAUSE_MS = 50;
const READY_ROUNDS_MAX = 200;

export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  const { clients, iterations, about } = options;
  const common = { clients, random: Math.random, now: () => performance.now() };
  const load = await onClusters(options, [[], ["--no-cache"]], async (clusters) => {
    const sides = clusters.map((cluster, index) => {
      const bazaar = cluster.client();
      return { bazaar, hasCache: index === 0, counters: () => cacheNow(bazaar) };
    });
    return loadCells({
      ...common,
      sides,
      iterations,
      names: await stockNames(sides[0]?.bazaar),
      onProgress: (part, { hasCache, probability }) => {
        const what = `load, p = ${probability * 100} %, cache ${hasCache ? "on" : "off"}`;
        options.onProgress(STARTS.replacement * part, what);
      },
    });
  });
  const replacement = await onClusters(
    options,
    [[`--cache-size=${CACHE_SIZE}`]],
    async ([cluster]) => {
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
    },
  );
  const failedOver = await onClusters(options, [[]], async ([cluster]) => {
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
  return { about, clients, iterations, load, replacement, failOver: failedOver };
}

/** One cluster for each list of options. */
type Clusters<M extends readonly unknown[]> = { readonly [K in keyof M]: OwnCluster };

/** Runs `work` on new clusters and stops them, however it ends. */
async function onClusters<const M extends readonly (readonly string[])[], T>(
  { signal }: EvaluateOptions,
  options: M,
  work: (clusters: Clusters<M>) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const clusters: OwnCluster[] = [];
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  const open = async (more: readonly string[]) => {
    const cluster = await OwnCluster.prepare(more);
    clusters.push(cluster);
    await (signal.aborted ? cluster.close() : cluster.open());
  };
  const working = async () => {
    for (const more of options) await open(more); // In turn: open ports aren't taken twice.
    return work(clusters as unknown as Clusters<M>);
  };
  try {
    return await Promise.race([working(), aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    await Promise.all(clusters.map((cluster) => cluster.close()));
  }
}

async function stockNames(bazaar: BazaarClient | undefined): Promise<readonly string[]> {
  return ((await bazaar?.stocks()) ?? []).map(({ name }) => name);
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
