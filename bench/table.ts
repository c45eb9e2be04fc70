// The result as a table, for a terminal and for the documentation.

import { type Summary, summarize } from "../lab/statistics.ts";
import { CONNECTIONS_COSTED, IDLE_FIRST_SLOT, IDLE_SLOT } from "./costs.ts";
import { formatNumber, type RoundResult } from "./round.ts";
import type { MeasuredRow, Row } from "./rows.ts";

const PARTS = ["frontend", "leader", "follower-1", "follower-2", "catalog"] as const;
const PER_BATCH = [
  ["cpuUsPerTrade", "CPU µs/trade"],
  ["cpuUsPerBatch", "CPU µs/batch"],
  ["callsPerBatch", "system calls/batch"],
  ["fsyncsPerBatch", "fsyncs/batch"],
  ["messagesPerBatch", "messages/batch"],
  ["framesPerBatch", "frames/batch"],
  ["wakeUpsPerBatch", "wake-ups/batch"],
] as const;
const PER_SECOND = [
  ["cpuMsPerSecond", "CPU ms/s"],
  ["callsPerSecond", "system calls/s"],
  ["messagesPerSecond", "messages/s"],
  ["framesPerSecond", "frames/s"],
  ["wakeUpsPerSecond", "wake-ups/s"],
] as const;

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

/** Medians of the rounds: what trades cost by process and connections, then what nothing costs. Empty where none was measured. */
export function costsTables(rounds: readonly RoundResult[]): readonly Table[] {
  const loads = CONNECTIONS_COSTED.map((connections) => `costs.trades.${connections}`);
  const tables = [
    costsTable(rounds, loads, PER_BATCH, (slot) => [
      slot,
      figureText(median(rounds, slot, "tradesPerBatch")),
    ]),
    costsTable(rounds, [IDLE_FIRST_SLOT, IDLE_SLOT], PER_SECOND, (slot) => [slot]),
  ];
  const heads = [
    ["load", "trades/batch", "process"],
    ["idle", "process"],
  ];
  return tables.flatMap((rows, index) => {
    const columns = (index === 0 ? PER_BATCH : PER_SECOND).map(([, title]) => title);
    return rows.length === 0 ? [] : [[[...(heads[index] ?? []), ...columns], ...rows]];
  });
}

function costsTable(
  rounds: readonly RoundResult[],
  slots: readonly string[],
  columns: readonly (readonly [field: string, title: string])[],
  head: (slot: string) => readonly string[],
): Table {
  const measured = slots.filter((slot) => rounds.some(({ samples }) => samples[slot]));
  return measured.flatMap((slot) =>
    PARTS.map((part) => [
      ...head(slot),
      part,
      ...columns.map(([field]) => figureText(median(rounds, slot, `${part}.${field}`))),
    ]),
  );
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
