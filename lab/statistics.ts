// Medians, percentiles and what to say of latencies: few, plain, and the same everywhere.

/** What several rounds come to. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Milliseconds; null when there was no call. */
export interface LatencySummary {
  readonly count: number;
  readonly mean: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/** Null when nothing was measured. The median of an even number is the mean of the two in the middle. */
export function summarize(values: readonly number[]): Summary | null {
  const sorted = Float64Array.from(values).sort();
  const [min, max] = [sorted[0], sorted.at(-1)];
  const low = sorted[Math.ceil(sorted.length / 2) - 1];
  const high = sorted[Math.floor(sorted.length / 2)];
  if (min === undefined || max === undefined || low === undefined || high === undefined)
    return null;
  return { median: (low + high) / 2, min, max };
}

/** By nearest rank, so each is a value that was measured. NaN when there is none. */
export function percentile(values: readonly number[] | Float64Array, percent: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

export function latencySummary(latenciesMs: readonly number[]): LatencySummary {
  const count = latenciesMs.length;
  const said = (ms: number) => (count === 0 ? null : toMicroseconds(ms));
  const [p50 = null, p95 = null, p99 = null] = [50, 95, 99].map((percent) =>
    said(percentile(latenciesMs, percent)),
  );
  const mean = said(latenciesMs.reduce((sum, ms) => sum + ms, 0) / count);
  return { count, mean, p50, p95, p99 };
}

/** More digits of a millisecond say nothing. */
export function toMicroseconds(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
