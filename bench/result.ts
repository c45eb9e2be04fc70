// A whole run, as it is kept in bench/results.

import type { Machine } from "./machine.ts";
import type { RoundResult } from "./round.ts";
import type { MeasuredRow } from "./rows.ts";

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
