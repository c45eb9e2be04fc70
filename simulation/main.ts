// npm run simulate -- --seeds N [--seed FIRST|random] [--ticks T] [--jobs J] [--bug NAME] [--timeline]
// npm run simulate -- --seed N [--ticks T] [--bug NAME] --view
// npm run simulate -- --bugs [--bug NAME] [--ticks T] [--jobs J] [--reseed [--seeds N] [--seed FIRST]]
//
// Exit status 1 at the first violation, with the seed, what happened before it,
// and the command that replays it. With --bugs, looks for each deliberate bug at
// its seed and prints the table; exit status 1 if one isn't found. With --view,
// serves one run as a page, to step through it in slow motion.

import { fork } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { FirstViolation } from "./bug-search.ts";
import { bugNamed, plant } from "./bugs.ts";
import { Counters } from "./counters.ts";

const BUGS_FILE = fileURLToPath(new URL("./bugs.ts", import.meta.url));
const SEEDS = 100;
/** With --reseed, for each bug: three minutes on one processor. */
const RESEED_SEEDS = 500;
const TIMELINE_TAIL = 60;
const JOBS_MAX = 64;

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    seed: { type: "string", default: "1" },
    ticks: { type: "string", default: "4000" },
    jobs: { type: "string", default: "1" },
    bug: { type: "string" },
    bugs: { type: "boolean", default: false },
    reseed: { type: "boolean", default: false },
    timeline: { type: "boolean", default: false },
    view: { type: "boolean", default: false },
  },
});

/** What runs without a violation amount to. */
interface Totals {
  readonly counts: readonly (readonly [name: string, count: number])[];
  readonly simulatedMs: number;
}

function fail(message: string): never {
  console.error(`simulate: ${message}`);
  process.exit(1);
}

const first = values.seed === "random" ? randomInt(2 ** 40) : Number(values.seed);
const seeds = Number(values.seeds ?? (values.reseed ? RESEED_SEEDS : SEEDS));
const ticks = Number(values.ticks);
const jobs = Number(values.jobs);
if (![first, seeds, ticks, jobs].every((value) => Number.isSafeInteger(value) && value > 0)) {
  fail("--seeds, --seed, --ticks and --jobs take whole numbers above 0");
}
if (jobs > JOBS_MAX) fail(`at most ${JOBS_MAX} jobs`);
if (values.reseed && !values.bugs) fail("--reseed goes with --bugs");

const startedAt = performance.now();
const isJob = process.send !== undefined;
if (values.view) await view();
else if (values.bugs) await findBugs();
else await runSeeds();

async function runSeeds(): Promise<void> {
  const totals = jobs === 1 ? await runHere() : await runInJobs();
  if (totals === null) process.exitCode = 1;
  else if (isJob) process.send?.(totals);
  else report(totals);
}

/** Serves the run of the first seed until the process is ended. */
async function view(): Promise<void> {
  if (values.bug !== undefined) orFail(plant, orFail(bugNamed, values.bug));
  // Only now: a planted bug changes what is imported.
  const [{ run }, { RunRecorder, serveRun }] = await Promise.all([
    import("./run.ts"),
    import("./view.ts"),
  ]);
  let recorder: InstanceType<typeof RunRecorder> | null = null;
  const { violation } = run(first, ticks, (world) => {
    recorder = new RunRecorder(world);
  });
  const bug = values.bug === undefined ? "" : ` with the bug ${values.bug}`;
  const title = `Seed ${first}${bug}`;
  const recorded = (recorder as InstanceType<typeof RunRecorder> | null)?.recording(
    title,
    violation,
  );
  if (!recorded) return fail("the run was not recorded");
  console.log(`${title}: ${violation ?? "no violation"}`);
  console.log(`open ${await serveRun(recorded)}`);
}

async function findBugs(): Promise<void> {
  const { bugTable, reseeded } = await import("./bug-search.ts");
  const missing = await bugTable({
    bug: values.bug === undefined ? null : orFail(bugNamed, values.bug),
    ticks,
    jobs,
    searched: values.reseed ? { first, seeds } : null,
    print: (line) => console.log(line),
    reseed: (name, seed) =>
      writeFileSync(BUGS_FILE, reseeded(readFileSync(BUGS_FILE, "utf8"), name, seed)),
  });
  if (missing > 0) process.exitCode = 1;
}

function orFail<T, R>(action: (argument: T) => R, argument: T): R {
  try {
    return action(argument);
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

/** Null at the first violation, which is printed. */
async function runHere(): Promise<Totals | null> {
  if (values.bug !== undefined) orFail(plant, orFail(bugNamed, values.bug));
  // Only now: a planted bug changes what is imported.
  const { run } = await import("./run.ts");
  const counters = new Counters();
  let simulatedMs = 0;
  for (let seed = first; seed < first + seeds; seed += 1) {
    const result = run(seed, ticks);
    counters.merge(result.counters);
    simulatedMs += result.simulatedMs;
    if (result.violation === null) {
      if (values.timeline) console.log(result.timeline.join("\n"));
      continue;
    }
    process.send?.({ seed, violation: result.violation });
    const shown = values.timeline ? result.timeline : result.timeline.slice(-TIMELINE_TAIL);
    const bug = values.bug === undefined ? "" : ` --bug ${values.bug}`;
    console.log(
      `${shown.join("\n")}\n\nseed ${seed}: ${result.violation}\n` +
        `replay: npm run simulate -- --seeds 1 --seed ${seed} --ticks ${ticks}${bug} --timeline`,
    );
    return null;
  }
  return { counts: counters.entries(), simulatedMs };
}

/** The seeds shared out to processes; the first violation ends them all. */
async function runInJobs(): Promise<Totals | null> {
  const share = Math.ceil(seeds / jobs);
  const counters = new Counters();
  let simulatedMs = 0;
  let failed = false;
  const children = Array.from({ length: Math.ceil(seeds / share) }, (_, index) => {
    const from = first + index * share;
    const count = Math.min(share, first + seeds - from);
    const args = ["--seeds", `${count}`, "--seed", `${from}`, "--ticks", `${ticks}`];
    if (values.bug !== undefined) args.push("--bug", values.bug);
    if (values.timeline) args.push("--timeline");
    return fork(fileURLToPath(import.meta.url), args);
  });
  const over = children.map(async (child) => {
    child.on("message", (message: Totals | FirstViolation) => {
      if ("violation" in message) return;
      for (const [name, count] of message.counts) counters.add(name, count);
      simulatedMs += message.simulatedMs;
    });
    const [code] = await once(child, "exit");
    if (code === 0 || failed) return;
    failed = true;
    for (const other of children) if (other !== child) other.kill();
  });
  await Promise.all(over);
  return failed ? null : { counts: counters.entries(), simulatedMs };
}

function report({ counts, simulatedMs }: Totals): void {
  const counters = new Counters();
  for (const [name, count] of counts) counters.add(name, count);
  const seconds = (performance.now() - startedAt) / 1_000;
  const hours = (simulatedMs / 3_600_000).toFixed(2);
  console.log(
    `${counters.lines().join("\n")}\n\n` +
      `${seeds} runs from seed ${first}, no violation: ${hours} hours simulated in ${seconds.toFixed(1)} s`,
  );
}
