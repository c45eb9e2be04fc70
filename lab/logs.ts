// The logs of a cluster's processes, as lines to look for in order.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** One line of a log, as much of it as tests look at. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** All whole lines of `ROLE.log`, rolled parts first; empty when there is none yet. */
export function readLog(data: string, role: string): readonly LogLine[] {
  const folder = join(data, "logs");
  return logFiles(folder, role).flatMap((file) =>
    readFileSync(join(folder, file), "utf8")
      .split("\n")
      // What follows the last line end is still being written.
      .slice(0, -1)
      .map((line) => JSON.parse(line) as LogLine),
  );
}

/** The messages only. */
export function messages(data: string, role: string): readonly string[] {
  return readLog(data, role).map((line) => line.msg);
}

/** The last `count` messages of every role, for a failed test's report. */
export function tails(data: string, count: number): string {
  let names: string[];
  try {
    names = readdirSync(join(data, "logs"));
  } catch {
    return "(no logs)";
  }
  const roles = new Set(names.map((name) => name.replace(/\..*$/, "")));
  return [...roles]
    .sort()
    .map((role) => {
      const lines = readLog(data, role).slice(-count);
      return [`--- ${role}`, ...lines.map((line) => JSON.stringify(line))].join("\n");
    })
    .join("\n");
}

/** What an expected line is compared with: true when `actual` is it. */
export type LineMatch = (expected: string, actual: string) => boolean;

/**
 * Finds `expected` in `actual`, in order, other lines between them allowed.
 * Returns the index after the last one found; throws with the first line that
 * is missing, where it was looked for, and what came there.
 */
export function findInOrder(
  expected: readonly string[],
  actual: readonly string[],
  matches: LineMatch = (wanted, line) => wanted === line,
): number {
  let at = 0;
  for (const [index, wanted] of expected.entries()) {
    const found = actual.findIndex((line, position) => position >= at && matches(wanted, line));
    if (found < 0) {
      const seen = actual.slice(at, at + 20).map((line) => `    ${line}`);
      throw new Error(
        [
          `line ${index + 1} of ${expected.length} is missing: ${wanted}`,
          `  after: ${expected[index - 1] ?? "(the start)"}`,
          "  there came:",
          ...seen,
        ].join("\n"),
      );
    }
    at = found + 1;
  }
  return at;
}

function logFiles(folder: string, role: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  // ROLE.log is the newest, ROLE.log.1 the one before, and so on.
  const age = (name: string) => Number(/\.log\.(\d+)$/.exec(name)?.[1] ?? 0);
  return names
    .filter((name) => name === `${role}.log` || name.startsWith(`${role}.log.`))
    .sort((a, b) => age(b) - age(a));
}
