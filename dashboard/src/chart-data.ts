// The seconds of a front end as a chart draws them: nothing where nothing was
// measured, so that a pause isn't drawn as a slope to what came after it.

import type uPlot from "uplot";
import { RATES_MAX, type RatePoint } from "./model.ts";

/** Points come a second apart, give or take: beyond this one is missing, milliseconds. */
const APART_MAX_MS = 1_500;

/** What is drawn of a second; null: nothing. */
export interface Drawn {
  readonly value: (point: RatePoint) => number | null;
}

/**
 * Times in seconds since 1970, then each series' values. The axis is two minutes
 * long from the start, however little is known; after a second that is followed by
 * none, because the front end was paused, say, there is a gap.
 */
export function dataOf(
  series: readonly Drawn[],
  rates: readonly RatePoint[],
  nowMs: number,
): uPlot.AlignedData {
  const newestMs = rates.at(-1)?.at ?? nowMs;
  const rows: (readonly [atMs: number, point: RatePoint | null])[] = [];
  for (const point of rates) {
    const before = rows.at(-1)?.[0];
    if (before !== undefined && point.at - before > APART_MAX_MS) rows.push([before + 1_000, null]);
    rows.push([point.at, point]);
  }
  if (rows.length === 0) rows.push([newestMs, null]);
  const firstMs = newestMs - (RATES_MAX - 1) * 1_000;
  if ((rows[0]?.[0] ?? newestMs) > firstMs) rows.unshift([firstMs, null]);
  return [
    rows.map(([atMs]) => atMs / 1_000),
    ...series.map(({ value }) => rows.map(([, point]) => (point ? value(point) : null))),
  ];
}

/** Indices of the values that have none beside them, which no line is drawn to. */
export function lonePoints(values: readonly (number | null | undefined)[]): number[] {
  return values.flatMap((value, index) =>
    value != null && values[index - 1] == null && values[index + 1] == null ? [index] : [],
  );
}
