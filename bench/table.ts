// The result as a table, for a terminal and for the documentation.

import { type Summary, summarize } from "../lab/statistics.ts";
import { formatNumber, type RoundResult } from "./round.ts";
import type { MeasuredRow, Row } from "./rows.ts";

/** The first row is the head. */
export type Table = readonly (readonly string[])[];

/** The rows against their targets. */
export function rowsTable(rows: readonly MeasuredRow[]): Table {
  return [
    ["what", "target", "median", "min to max", "from", "met"],
    ...rows.map((row) => [
      row.what,
      targetText(row),
      row.measured === null ? "not measured" : valueText(row.measured.median, row.unit),
      row.measured === null ? "" : rangeText(row.measured),
      row.figures.length > 1 ? row.medians.map(figureText).join(" / ") : "",
      row.met === null ? "" : row.met ? "yes" : "**no**",
    ]),
  ];
}

/** Everything that was measured, slot by slot: medians of the rounds. */
export function slotsTable(rounds: readonly RoundResult[]): Table {
  const slots = [...new Set(rounds.flatMap(({ samples }) => Object.keys(samples)))];
  const rates = slots.filter((slot) => median(rounds, slot, "okPerSecond") !== null);
  return [
    ["load", "200s/s", "min to max", "p50 ms", "p99 ms"],
    ...rates.map((slot) => {
      const rate = summaryOf(rounds, slot, "okPerSecond");
      return [
        slot,
        figureText(rate?.median ?? null),
        rate === null ? "" : rangeText(rate),
        figureText(median(rounds, slot, "p50Ms")),
        figureText(median(rounds, slot, "p99Ms")),
      ];
    }),
  ];
}

/** Median, least and greatest of a slot's number over the rounds. */
export function summaryOf(
  rounds: readonly RoundResult[],
  slot: string,
  field: string,
): Summary | null {
  const values = rounds.map(({ samples }) => samples[slot]?.[field] ?? Number.NaN);
  return summarize(values.filter(Number.isFinite));
}

export function median(rounds: readonly RoundResult[], slot: string, field: string): number | null {
  return summaryOf(rounds, slot, field)?.median ?? null;
}

function targetText({ target, unit }: Pick<Row, "target" | "unit">): string {
  if (target === null) return "";
  return "atLeast" in target
    ? `at least ${valueText(target.atLeast, unit)}`
    : `at most ${valueText(target.atMost, unit)}`;
}

function valueText(value: number, unit: Row["unit"]): string {
  const number = formatNumber(value);
  if (unit === "times" || unit === "") return number;
  return unit === "per s" ? `${number}/s` : `${number} ${unit}`;
}

function rangeText({ min, max }: Summary): string {
  return min === max ? "" : `${formatNumber(min)} to ${formatNumber(max)}`;
}

function figureText(value: number | null): string {
  return value === null ? "–" : formatNumber(value);
}
