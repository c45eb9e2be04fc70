// One round: every subject in turn is started, measured in its slots, stopped.
//
// A subject is a server, ours or a peer; a slot one load on it, with a name like
// `bazaar.trades.64`. Only one subject runs at a time, so that an idle one takes
// nothing from another; rounds begin with different ones, so that drift of the
// machine hits all alike. A slot that fails is recorded as failed and the rest
// goes on: what falls over under load is a result too.

import { tmpdir } from "node:os";
import { CONNECTIONS, SLOT_S_DEFAULT, WARM_UP_S } from "./limits.ts";

/** Of a failure's text, which may end with a log. */
const FAILURE_LETTERS_MAX = 2_000;

/** Numbers of one slot by name, the unit last. */
export type Sample = Readonly<Record<string, number>>;

/** What one round measured. */
export interface RoundResult {
  /** By slot. */
  readonly samples: Readonly<Record<string, Sample>>;
  /** Why a slot, or a whole subject, has no numbers. */
  readonly failures: readonly string[];
  /** Load average before each subject was started. */
  readonly loadAverages: readonly number[];
}

/** How long to measure. */
export interface Timing {
  readonly slotS: number;
  readonly warmUpS: number;
}

export const TIMING_DEFAULT: Timing = { slotS: SLOT_S_DEFAULT, warmUpS: WARM_UP_S };

/** Connections other than the table's are for the plot, and get half the time. */
export function secondsFor({ slotS }: Timing, connections: number): number {
  return connections === CONNECTIONS ? slotS : Math.max(1, Math.round(slotS / 2));
}

/** A server that is measured. */
export interface Subject {
  readonly name: string;
  /** Its slots, in the order in which they are measured. */
  readonly slots: readonly string[];
  /** The Debian package it lacks; null when it can run. */
  missing(): string | null;
  /** Starts it, measures the slots that are wanted, and stops it whatever happens. */
  run(round: Round): Promise<void>;
}

/** What a subject is given to report to. */
export class Round {
  readonly timing: Timing;
  readonly #wanted: ReadonlySet<string>;
  readonly #say: (line: string) => void;
  readonly samples: Record<string, Sample> = {};
  readonly failures: string[] = [];
  /** One command for each slot, as a person would type it. */
  readonly commands: Record<string, string> = {};

  constructor(timing: Timing, wanted: ReadonlySet<string>, say: (line: string) => void) {
    this.timing = timing;
    this.#wanted = wanted;
    this.#say = say;
  }

  /** Whether any of these slots is to be measured. */
  wants(...slots: readonly string[]): boolean {
    return slots.some((slot) => this.#wanted.has(slot));
  }

  /** Measures a slot if it is wanted. */
  async measure(slot: string, command: string, measure: () => Promise<Sample>): Promise<void> {
    if (!this.wants(slot)) return;
    this.commands[slot] = command;
    try {
      const sample = await measure();
      this.samples[slot] = sample;
      this.#say(`  ${slot.padEnd(32)} ${describeSample(sample)}`);
    } catch (error) {
      this.fail(slot, error);
    }
  }

  fail(what: string, error: unknown): void {
    const text = `${what}: ${error instanceof Error ? error.message : error}`;
    const placeless = text.replaceAll(tmpdir(), "TMPDIR").replaceAll(process.cwd(), ".");
    this.failures.push(placeless.slice(0, FAILURE_LETTERS_MAX));
    this.#say(`  ${what.padEnd(32)} FAILED: ${String(error).split("\n")[0]}`);
  }
}

/** The order of the subjects in a round: each round begins with another one. */
export function rotated<T>(items: readonly T[], round: number): T[] {
  const start = items.length === 0 ? 0 : (round * Math.ceil(items.length / 3)) % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

/** One line of a slot's numbers; zeros of what went wrong are left out. */
export function describeSample(sample: Sample): string {
  return Object.entries(sample)
    .filter(([name, value]) => value !== 0 || name === "okPerSecond")
    .map(([name, value]) => `${name} ${formatNumber(value)}`)
    .join(", ");
}

/** Three digits that matter, thousands with commas. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return value.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}
