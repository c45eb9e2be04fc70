// What a cache that is smaller than the catalog holds, request by request.
//
// One request at a time, and a look into the cache after each: so the picture is
// the same in every run, and each step can be held against the rule. The rule is
// told here once more, as a list, rather than taken from the cache's code: what
// was used last is first, what falls off the end is gone, and a trade takes its
// own stock out.

import type { BazaarClient } from "../../client/index.ts";
import type { Replacement, ReplacementStep } from "./results.ts";

/** Stocks that the cache holds; the shipped catalog has twelve. */
export const CACHE_SIZE = 5;

type Action = Pick<ReplacementStep, "action"> & { readonly stock: number };

const lookups = (...stocks: readonly number[]): readonly Action[] =>
  stocks.map((stock) => ({ action: "lookup", stock }));
const trade = (stock: number): Action => ({ action: "trade", stock });

/** Stocks by their place in the catalog. */
const SEQUENCE: readonly Action[] = [
  ...lookups(0, 1, 2, 3, 4), // It fills.
  ...lookups(0, 1), // Used again: 2 is the oldest now,
  ...lookups(5, 6), // so 2 goes, then 3.
  trade(0), // 0 alone goes,
  ...lookups(7), // and its place is free:
  ...lookups(8), // only now 4 goes.
  trade(9), // Not in it: nothing goes.
  ...lookups(0, 9, 0, 10, 0, 11, 0, 2), // In use all the time, 0 stays.
  trade(11),
  trade(0),
  ...lookups(0, 1, 0, 3, 4, 5, 6, 7, 8, 9, 10, 11), // All in turn: each was gone before it came again.
];

export interface ReplacementOptions {
  readonly bazaar: Pick<BazaarClient, "lookup" | "trade">;
  readonly names: readonly string[];
  readonly capacity: number;
  /** What is in the cache now, the most recently used first. */
  readonly cached: () => Promise<readonly string[]>;
  /** 0 to 1. */
  readonly onProgress: (part: number) => void;
}

/** Needs a cache that is empty at the beginning. */
export async function watchReplacement(options: ReplacementOptions): Promise<Replacement> {
  const { bazaar, names, capacity, cached, onProgress } = options;
  const steps: ReplacementStep[] = [];
  for (const [index, { action, stock }] of SEQUENCE.entries()) {
    const name = names[stock % names.length] ?? "";
    if (action === "lookup") await bazaar.lookup(name);
    else await bazaar.trade({ name, type: "sell", quantity: 1 });
    steps.push({ action, name, cached: await cached() });
    onProgress((index + 1) / SEQUENCE.length);
  }
  return { capacity, stocks: names, steps, unexpected: unexpectedSteps(steps, capacity) };
}

/** Steps, from 1, after which the cache held something else than the rule says. */
export function unexpectedSteps(
  steps: readonly ReplacementStep[],
  capacity: number,
): readonly number[] {
  let expected: readonly string[] = [];
  return steps.flatMap(({ action, name, cached }, index) => {
    const others = expected.filter((each) => each !== name);
    expected = action === "lookup" ? [name, ...others].slice(0, capacity) : others;
    const isSame =
      cached.length === expected.length && cached.every((each, place) => each === expected[place]);
    return isSame ? [] : [index + 1];
  });
}
