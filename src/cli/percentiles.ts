// Latencies of one kind of call, and what to say of them.

/** Milliseconds; null when there was no call. */
export interface LatencySummary {
  readonly count: number;
  readonly mean: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/** Sorts nothing in place. Percentiles are by nearest rank: each is a latency that was measured. */
export function summarize(latenciesMs: readonly number[]): LatencySummary {
  const sorted = Float64Array.from(latenciesMs).sort();
  const rank = (percent: number) => {
    const value = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
    return value === undefined ? null : rounded(value);
  };
  const sum = sorted.reduce((so, value) => so + value, 0);
  const mean = sorted.length === 0 ? null : rounded(sum / sorted.length);
  return { count: sorted.length, mean, p50: rank(50), p95: rank(95), p99: rank(99) };
}

/** To microseconds. */
function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
