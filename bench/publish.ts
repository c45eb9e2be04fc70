// A whole run, as it is kept in bench/results, and how it goes into the documentation: the tables between their markers in
// docs/benchmarks.md, the plots beside it. The prose around them is people's.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { markdownTable } from "../lab/report.ts";
import type { Machine } from "./machine.ts";
import { connectionsPlot, growthPlot } from "./plots.ts";
import { formatNumber, type RoundResult } from "./round.ts";
import type { MeasuredRow } from "./rows.ts";
import { FSYNC_SLOT } from "./subjects.ts";
import { median, rowsTable, slotsTable } from "./table.ts";

/** As JSON. */
export interface Result {
  /** When it began, ISO 8601. */
  readonly date: string;
  readonly minutes: number;
  /** As it was typed. */
  readonly command: string;
  readonly machine: Machine;
  /** Of peers and load generators. */
  readonly versions: Readonly<Record<string, string>>;
  readonly rounds: readonly RoundResult[];
  readonly rows: readonly MeasuredRow[];
  /** Who was left out, and what to install. */
  readonly missing: readonly string[];
  /** The command of each slot. */
  readonly commands: Readonly<Record<string, string>>;
}

/** `2026-01-31T12-59.json`. */
export function resultName(date: string): string {
  return `${date.slice(0, 16).replace(":", "-")}.json`;
}

/** Writes everything; returns the paths, relative to `root`. */
export function publish(result: Result, root: string): string[] {
  const page = "docs/benchmarks.md";
  const text = readFileSync(join(root, page), "utf8");
  const files: Readonly<Record<string, string>> = {
    [page]: Object.entries(sections(result)).reduce(
      (before, [name, content]) => replaceSection(before, name, content),
      text,
    ),
    "docs/benchmarks-connections.svg": connectionsPlot(result.rounds),
    "docs/benchmarks-growth.svg": growthPlot(result.rounds),
  };
  for (const [path, content] of Object.entries(files)) writeFileSync(join(root, path), content);
  return Object.keys(files);
}

/** What is between `<!-- NAME -->` and `<!-- end NAME -->`, exchanged. Throws when it isn't there. */
export function replaceSection(text: string, name: string, content: string): string {
  const begin = `<!-- ${name} -->`;
  const end = `<!-- end ${name} -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the page has no section ${begin} … ${end}`);
  return `${text.slice(0, from + begin.length)}\n${content}\n${text.slice(to)}`;
}

function sections(result: Result): Readonly<Record<string, string>> {
  return {
    machine: machineText(result),
    table: markdownTable(rowsTable(result.rows), false),
    loads: markdownTable(slotsTable(result.rounds), false),
    commands: commandsText(result),
  };
}

/** What it was measured on and when. */
export function machineText({ date, minutes, machine, versions, rounds, missing }: Result): string {
  const fsync = median(rounds, FSYNC_SLOT, "p50Ms");
  const loads = rounds.map(({ loadAverages }) => loadAverages[0] ?? 0);
  return [
    `- ${date.slice(0, 10)}, ${rounds.length} rounds, ${minutes} minutes; load average before the first ${formatNumber(loads[0] ?? 0)}`,
    `- ${machine.cpus} processors (${machine.cpu}), ${formatNumber(machine.memoryGiB)} GiB of memory, ${machine.kernel}`,
    ...(fsync === null ? [] : [`- an append of 4 KiB and an fsync: ${formatNumber(fsync)} ms`]),
    `- Node.js ${machine.node.slice(1)}${Object.entries(versions)
      .map(([name, version]) => `, ${name} ${/\d+(\.\d+)+/.exec(version)?.[0] ?? version}`)
      .join("")}`,
    ...missing.map((line) => `- left out: ${line}`),
    ...rounds.flatMap(({ failures }) => failures.map((line) => `- failed: ${line.split("\n")[0]}`)),
  ].join("\n");
}

/** Each load's command; loads that differ in nothing but connections share one. */
export function commandsText({ command, commands }: Result): string {
  const seen = new Map<string, string>();
  for (const [slot, each] of Object.entries(commands)) {
    const load = slot.replace(/\.\d+$/, "");
    if (!seen.has(load)) seen.set(load, each);
  }
  const lines = [...seen].map(([load, each]) => `${load}: ${each}`);
  return ["```", command, "", ...lines, "```"].join("\n");
}
