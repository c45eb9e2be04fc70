// The lab's clients over the probability of a trade, with the cache and without:
// how long lookups and trades take, and how many requests a second that makes.
//
// The two take turns, and in turn who is first: so whatever else the machine does
// meanwhile falls on both, and doesn't look like something that the cache did.

import type { CachePart } from "../../client/event-messages.ts";
import type { BazaarClient } from "../../client/index.ts";
import { type LabBazaar, type LabResult, runLab } from "../lab-client.ts";
import type { LoadCell } from "./results.ts";

/** The lab's. */
export const PROBABILITIES: readonly number[] = [0, 0.2, 0.4, 0.6, 0.8];
/** Lookups of each client before anything is measured: code is compiled by then, connections are open. */
const WARM_UP_ITERATIONS = 100;
const WARM_UP_PROBABILITY = 0.5;

/** A bazaar to be measured; while the other is, it has nothing to do. */
export interface LoadSide {
  readonly bazaar: LabBazaar;
  readonly hasCache: boolean;
  /** The cache's counters now. */
  readonly counters: () => Promise<{ readonly hits: number; readonly misses: number }>;
}

export interface LoadOptions {
  readonly sides: readonly LoadSide[];
  readonly names: readonly string[];
  readonly clients: number;
  readonly iterations: number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
  /** Told as each cell goes on: how much of all cells is done, 0 to 1. */
  readonly onProgress: (part: number, cell: Pick<LoadCell, "hasCache" | "probability">) => void;
}

/** A cell for each side and each of {@link PROBABILITIES}, one after the other; side by side in the result. */
export async function loadCells(options: LoadOptions): Promise<readonly LoadCell[]> {
  const { sides, iterations } = options;
  const warmUp = Math.min(iterations, WARM_UP_ITERATIONS);
  for (const side of sides) await lab(options, side, warmUp, WARM_UP_PROBABILITY, () => {});
  const cells: LoadCell[] = [];
  const count = sides.length * PROBABILITIES.length;
  for (const [index, probability] of PROBABILITIES.entries()) {
    for (const side of index % 2 === 0 ? sides : sides.toReversed()) {
      const done = cells.length;
      const onPart = (part: number) =>
        options.onProgress((done + part) / count, { hasCache: side.hasCache, probability });
      onPart(0);
      cells.push(await loadCell(options, side, probability, onPart));
    }
  }
  return sides.flatMap(({ hasCache }) => cells.filter((cell) => cell.hasCache === hasCache));
}

async function loadCell(
  options: LoadOptions,
  side: LoadSide,
  probability: number,
  onPart: (part: number) => void,
): Promise<LoadCell> {
  const before = await side.counters();
  const result = await lab(options, side, options.iterations, probability, onPart);
  const after = await side.counters();
  const { requests, seconds, refusals, failures, matched, total, latencyMs } = result;
  return {
    ...{ hasCache: side.hasCache, probability, requests, seconds },
    requestsPerSecond: seconds > 0 ? Math.round(requests / seconds) : 0,
    ...{ refusals, failures, matched, total },
    hits: after.hits - before.hits,
    misses: after.misses - before.misses,
    lookup: latencyMs.lookup,
    trade: latencyMs.trade,
  };
}

function lab(
  { names, clients, random, now }: LoadOptions,
  { bazaar }: LoadSide,
  iterations: number,
  probability: number,
  onPart: (part: number) => void,
): Promise<LabResult> {
  return runLab({
    ...{ bazaars: [bazaar], names, clients, iterations, probability, random, now },
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
