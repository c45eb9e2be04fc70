// Whether the simulation finds a deliberate bug: each search is a process of its
// own with the bug planted, and what it finds counts only if the first violation
// is of a rule that the bug breaks, and the same seed is clean without the bug.

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { BUGS, type Bug } from "./bugs.ts";
import { run } from "./run.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
/** A bug is looked for in so many runs from the seed at which a search found it: the next small change of a run need not move it. */
const LOOKED_FOR_SEEDS = 4;

export interface Seeds {
  readonly first: number;
  readonly seeds: number;
}

/**
 * `other`: the first violation, at `seed`, isn't the bug's. `failed`: nothing ran,
 * as when the bug doesn't apply to the code.
 */
export type Finding =
  | { readonly is: "found"; readonly seed: number; readonly rule: string }
  | { readonly is: "other"; readonly seed: number; readonly why: string }
  | { readonly is: "none" }
  | { readonly is: "failed"; readonly why: string };

/** What a process that runs seeds tells the one that started it. */
export interface FirstViolation {
  readonly seed: number;
  readonly violation: string;
}

/** Runs `seeds` with `bug` planted, each for `ticks` simulated milliseconds, up to the first violation. */
export async function find(bug: Bug, { first, seeds }: Seeds, ticks: number): Promise<Finding> {
  const args = ["--seeds", `${seeds}`, "--seed", `${first}`, "--ticks", `${ticks}`];
  const child = fork(MAIN, [...args, "--bug", bug.name], { silent: true });
  let told = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    told += text;
  });
  child.stdout?.resume();
  let violated: FirstViolation | null = null;
  child.on("message", (message: object) => {
    if ("violation" in message) violated = message as FirstViolation;
  });
  const [code] = await once(child, "close");
  if (code === 0) return { is: "none" };
  return violated === null ? { is: "failed", why: told.trim() } : judge(bug, violated, ticks);
}

function judge({ breaks }: Bug, { seed, violation }: FirstViolation, ticks: number): Finding {
  const rule = breaks.find((each) => violation.startsWith(told(each)));
  if (rule === undefined) return { is: "other", seed, why: violation };
  const clean = run(seed, ticks).violation;
  if (clean === null) return { is: "found", seed, rule };
  return { is: "other", seed, why: `without the bug too: ${clean}` };
}

/** How what breaks a rule is told: by a checker, or by an invariant of the core. */
function told(rule: string): string {
  return /^[A-Z]\d$/.test(rule) ? `Violation: ${rule}: ` : `InvariantViolation: ${rule}`;
}

/** Like `find`, and goes on behind each violation that isn't the bug's. */
export async function search(bug: Bug, { first, seeds }: Seeds, ticks: number): Promise<Finding> {
  const end = first + seeds;
  let finding = await find(bug, { first, seeds }, ticks);
  while (finding.is === "other" && finding.seed + 1 < end) {
    const from = finding.seed + 1;
    finding = await find(bug, { first: from, seeds: end - from }, ticks);
  }
  return finding;
}

/** The text of bugs.ts with other seeds for the bug `name`: looked for from `seed` on. */
export function reseeded(source: string, name: string, seed: number): string {
  const start = `(bug\\(\\s*"${name}",\\s*\\[[^\\]]*\\],\\s*)`;
  const place = new RegExp(`${start}(?:null|\\[\\d+, \\d+\\])`, "g");
  const { length } = [...source.matchAll(place)];
  if (length !== 1) throw new Error(`the seeds of ${name} stand at ${length} places, not one`);
  return source.replace(place, (_, before: string) => `${before}[${seed}, ${LOOKED_FOR_SEEDS}]`);
}

export interface TableOptions {
  /** Null: all. */
  readonly bug: Bug | null;
  readonly ticks: number;
  /** So many bugs at once. */
  readonly jobs: number;
  /** Where to search for each that isn't found at its own seeds; null: nowhere. */
  readonly searched: Seeds | null;
  readonly print: (line: string) => void;
  /** Told of each that a search found. */
  readonly reseed: (name: string, seed: number) => void;
}

/** Looks for each bug and prints the table. Returns how many weren't found. */
export async function bugTable(options: TableOptions): Promise<number> {
  const { bug, jobs, print } = options;
  const looked = (bug === null ? BUGS : [bug]).map((each) => ({
    bug: each,
    row: Promise.withResolvers<Row>(),
  }));
  const queue = looked.values();
  for (let job = 0; job < jobs; job += 1) void work(queue, options);
  print("| bug | breaks | found at seed | in run |\n| --- | --- | ---: | --- |");
  let missing = 0;
  for (const { row } of looked) {
    const { cells, isFound } = await row.promise;
    print(`| ${cells.join(" | ")} |`);
    if (!isFound) missing += 1;
  }
  print(`\n${looked.length - missing} of ${looked.length} found`);
  return missing;
}

interface Row {
  readonly cells: readonly string[];
  readonly isFound: boolean;
}

async function work(
  queue: Iterable<{ readonly bug: Bug; readonly row: PromiseWithResolvers<Row> }>,
  options: TableOptions,
): Promise<void> {
  for (const { bug, row } of queue) {
    await rowOf(bug, options).then(row.resolve, row.reject);
  }
}

async function rowOf(bug: Bug, { ticks, searched, reseed }: TableOptions): Promise<Row> {
  const { name, breaks, found } = bug;
  let finding: Finding = found === null ? { is: "none" } : await find(bug, found, ticks);
  let seeds = found;
  if (finding.is !== "found" && searched !== null) {
    finding = await search(bug, searched, ticks);
    seeds = searched;
    if (finding.is === "found") reseed(name, finding.seed);
  }
  if (finding.is !== "found") {
    return { cells: [`\`${name}\``, breaks.join(", "), "–", why(finding, seeds)], isFound: false };
  }
  const { rule, seed } = finding;
  const first = seeds?.first ?? seed;
  return {
    cells: [`\`${name}\``, rule, `${seed}`, `${seed - first + 1} from ${first}`],
    isFound: true,
  };
}

function why(finding: Exclude<Finding, { is: "found" }>, seeds: Seeds | null): string {
  if (finding.is === "none") {
    return seeds === null ? "no seed is known" : `not in ${seeds.seeds} from ${seeds.first}`;
  }
  const [line] = finding.why.split("\n");
  return finding.is === "other" ? `seed ${finding.seed}: ${line}` : `${line}`;
}
