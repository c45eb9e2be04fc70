// Who stops a test's clusters: the harness, whatever the test did, and after a
// failure it prints the end of every log first.

import { afterAll, afterEach } from "vitest";
import { Cluster, type ClusterOptions } from "../../../lab/cluster.ts";

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

  const prepare = async (options?: ClusterOptions) => {
    const cluster = await Cluster.prepare(options);
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
