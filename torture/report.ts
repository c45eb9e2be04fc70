// What a run was like, in numbers, so that a quiet run is seen to be quiet.

import { type Attempt, isUnknown } from "./history.ts";

/** How many calls of each kind had each outcome; reasons of unknown ones are left out. */
export function outcomes(history: readonly Attempt[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const attempt of history) {
    const kind = attempt.kind === "lookup" && attempt.name === undefined ? "stocks" : attempt.kind;
    const outcome = /^(?:unknown|wrong)|.+/.exec(attempt.outcome)?.[0] ?? attempt.outcome;
    const what = `${kind} ${outcome}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The longest time in which no trade of any client was answered, milliseconds. */
export function longestGapMs(history: readonly Attempt[]): number {
  const ends = history
    .filter((attempt) => attempt.kind === "trade" && !isUnknown(attempt))
    .map(({ end }) => end)
    .sort((a, b) => a - b);
  const gaps = ends.slice(1).map((end, index) => end - (ends[index] ?? end));
  return gaps.reduce((longest, gap) => Math.max(longest, gap), 0) / 1e6;
}

/** Two columns: a number, and what of. */
export function counted(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([what, count]) => `${String(count).padStart(9)}  ${what}`).join("\n");
}
