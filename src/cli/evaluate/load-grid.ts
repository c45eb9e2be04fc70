// The lab's clients over the probability of a trade, with the cache and without:
// how long lookups and trades take, and how many requests a second that makes.

import type { CachePart } from "../../client/event-messages.ts";
import type { BazaarClient } from "../../client/index.ts";
import { type LabBazaar, type LabResult, runLab } from "../lab-client.ts";
import type { LoadCell } from "./results.ts";

/** The lab's. */
export const PROBABILITIES: readonly number[] = [0, 0.2, 0.4, 0.6, 0.8];
/** Lookups of each client before anything is measured: code is compiled by then, connections are open. */
const WARM_UP_ITERATIONS = 100;
const WARM_UP_PROBABILITY = 0.5;

export interface LoadOptions {
  readonly bazaar: LabBazaar;
  readonly hasCache: boolean;
  readonly names: readonly string[];
  readonly clients: number;
  readonly iterations: number;
  /** The cache's counters now. */
  readonly counters: () => Promise<{ readonly hits: number; readonly misses: number }>;
  /** In [0, 1). */
  readonly random: () => number;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
  /** Told as each cell goes on, 0 to 1. */
  readonly onProgress: (probability: number, part: number) => void;
}

/** One cell for each of {@link PROBABILITIES}, one after the other. */
export async function loadCells(options: LoadOptions): Promise<readonly LoadCell[]> {
  const { iterations, counters, onProgress } = options;
  const warmUp = Math.min(iterations, WARM_UP_ITERATIONS);
  await lab(options, warmUp, WARM_UP_PROBABILITY, () => {});
  const cells: LoadCell[] = [];
  for (const probability of PROBABILITIES) {
    onProgress(probability, 0);
    const before = await counters();
    const result = await lab(options, iterations, probability, (part) =>
      onProgress(probability, part),
    );
    const after = await counters();
    cells.push({
      hasCache: options.hasCache,
      probability,
      requests: result.requests,
      requestsPerSecond: result.seconds > 0 ? Math.round(result.requests / result.seconds) : 0,
      seconds: result.seconds,
      refusals: result.refusals,
      failures: result.failures,
      matched: result.matched,
      total: result.total,
      hits: after.hits - before.hits,
      misses: after.misses - before.misses,
      lookup: result.latencyMs.lookup,
      trade: result.latencyMs.trade,
    });
  }
  return cells;
}

function lab(
  { bazaar, names, clients, random, now }: LoadOptions,
  iterations: number,
  probability: number,
  onPart: (part: number) => void,
): Promise<LabResult> {
  return runLab({
    bazaars: [bazaar],
    names,
    clients,
    iterations,
    probability,
    random,
    now,
    onProgress: (done, total) => onPart(done / total),
  });
}

/** The cache's part of what a front end tells to one who begins to watch. */
export async function cacheNow(bazaar: Pick<BazaarClient, "events">): Promise<CachePart> {
  const watching = new AbortController();
  try {
    for await (const event of bazaar.events({ signal: watching.signal })) {
      if (event.kind === "state") return event.data.cache;
    }
    throw new Error("a front end told nothing of its cache");
  } finally {
    watching.abort();
  }
}
