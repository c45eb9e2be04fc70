// Medians and percentiles: few, plain, and the same everywhere.

/** What several rounds come to. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Null when nothing was measured. The median of an even number is the mean of the two in the middle. */
export function summarize(values: readonly number[]): Summary | null {
  const sorted = [...values].sort((a, b) => a - b);
  const min = sorted[0];
  const max = sorted.at(-1);
  const low = sorted[Math.ceil(sorted.length / 2) - 1];
  const high = sorted[Math.floor(sorted.length / 2)];
  if (min === undefined || max === undefined || low === undefined || high === undefined)
    return null;
  return { median: (low + high) / 2, min, max };
}

/** By nearest rank, so each is a value that was measured. NaN when there is none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}
