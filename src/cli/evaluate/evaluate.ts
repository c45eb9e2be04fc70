// An evaluation from its first cluster to its numbers: load with the cache and
// without, replacement in a small cache, fail-over; each on new clusters, so that
// none inherits what another left.

import { arch, availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";
import { Cluster } from "../../../lab/cluster.ts";
import { until } from "../../../lab/wait.ts";
import product from "../../../package.json" with { type: "json" };
import { BazaarClient } from "../../client/index.ts";
import { evaluateFailOver } from "./fail-over.ts";
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
const BYTES_PER_GIB = 2 ** 30;

export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  const { clients, iterations, about } = options;
  const common = { clients, random: Math.random, now: () => performance.now() };
  const load = await onClusters(options, [[], ["--no-cache"]], async (clusters) => {
    const sides = clusters.map((cluster, index) => {
      const bazaar = clientOf(cluster);
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
      const bazaar = clientOf(cluster);
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
    return evaluateFailOver({
      ...common,
      cluster,
      names: await stockNames(clientOf(cluster)),
      kills: options.kills,
      onProgress: (part) => options.onProgress(STARTS.failOver + 0.4 * part, "fail-over"),
    });
  });
  return { about, clients, iterations, load, replacement, failOver: failedOver };
}

/** One cluster for each list of options. */
type Clusters<M extends readonly unknown[]> = { readonly [K in keyof M]: Cluster };

/** Runs `work` on new clusters and stops them, however it ends. */
async function onClusters<const M extends readonly (readonly string[])[], T>(
  { signal }: EvaluateOptions,
  options: M,
  work: (clusters: Clusters<M>) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const clusters: Cluster[] = [];
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  const open = async (more: readonly string[]) => {
    const cluster = await Cluster.prepare({ logLevel: "info", options: more });
    clusters.push(cluster);
    // Who kills a replica starts it again: `up` gives up a role that crashes five times in a minute.
    await (signal.aborted ? cluster.stop() : cluster.up("--no-restart"));
  };
  const working = async () => {
    for (const more of options) await open(more); // In turn: open ports aren't taken twice.
    return work(clusters as unknown as Clusters<M>);
  };
  try {
    return await Promise.race([working(), aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    await Promise.all(clusters.map((cluster) => cluster.stop()));
  }
}

function clientOf({ url }: Cluster): BazaarClient {
  return new BazaarClient({ url });
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
  await until("copies kept by the front end", async () => {
    await bazaar.lookup(name);
    return (await cached()).includes(name);
  });
  await bazaar.trade({ name, type: "sell", quantity: 1 });
}

/** The machine and the programs as they are now; `commands` are what was typed and what that runs. Names nobody and no host. */
export function aboutNow(commands: readonly string[]): About {
  const [loadBefore = 0] = loadavg();
  return {
    date: new Date().toISOString(),
    bazaar: product.version,
    node: process.version,
    system: `${type()} ${release()} ${arch()}`,
    processor: cpus()[0]?.model.trim() || "unknown",
    processors: availableParallelism(),
    memoryGiB: Math.round((totalmem() / BYTES_PER_GIB) * 10) / 10,
    loadBefore: Math.round(loadBefore * 100) / 100,
    commands,
  };
}
