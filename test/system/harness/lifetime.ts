// Who stops a test's clusters: the harness, whatever the test did, and after a
// failure it prints the end of every log first.
//
// Some files run on each engine (vitest.config.ts says which): their clusters are
// then made with it, and the tests don't know.

import { afterAll, afterEach, inject } from "vitest";
import { Cluster, type ClusterOptions } from "../../../lab/cluster.ts";
import { LabPostgres } from "../../../lab/postgres.ts";

declare module "vitest" {
  interface ProvidedContext {
    engine: "builtin" | "postgres";
  }
}

/** What keeps the log of the clusters in this run. */
export const engine = inject("engine");

/** Makes clusters that end by themselves. */
export interface Clusters {
  /** Ports and a folder, nothing started. */
  prepare(options?: ClusterOptions): Promise<Cluster>;
  /** `bazaar up`, open. */
  up(options?: ClusterOptions): Promise<Cluster>;
}

/**
 * Clusters that are stopped after each test, or once after the whole file; say
 * it at the top of the file. A cluster that can't be stopped by a signal, or
 * leaves a process behind, fails the test.
 */
export function useClusters(until: "test" | "file"): Clusters {
  const running = new Set<Cluster>();
  const stopAll = async () => {
    const clusters = [...running];
    running.clear();
    const stops = await Promise.allSettled(clusters.map((cluster) => cluster.stop()));
    for (const stop of stops) if (stop.status === "rejected") throw stop.reason;
  };
  afterEach(async ({ task }) => {
    if (task.result?.state === "fail") {
      for (const cluster of running) console.error(`${task.name}\n${cluster.report()}`);
    }
    if (until === "test") await stopAll();
  });
  if (until === "file") afterAll(stopAll);

  // One for the file: each cluster has a log of its own in it.
  let postgres: Promise<LabPostgres> | null = null;
  afterAll(async () => (await postgres)?.stop());
  const onEngine = async (options: ClusterOptions = {}): Promise<ClusterOptions> => {
    if (engine !== "postgres") return options;
    postgres ??= LabPostgres.start();
    const { url } = await postgres;
    return { ...options, options: [`--engine=${url}`, ...(options.options ?? [])] };
  };

  const prepare = async (options?: ClusterOptions) => {
    const cluster = await Cluster.prepare(await onEngine(options));
    running.add(cluster);
    return cluster;
  };
  return {
    prepare,
    async up(options) {
      const cluster = await prepare(options);
      try {
        await cluster.up();
      } catch (error) {
        // Outside a test, in beforeAll, nobody else would print it.
        throw new Error(`${error}\n${cluster.report()}`, { cause: error });
      }
      return cluster;
    },
  };
}
