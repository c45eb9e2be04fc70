// npm run simulate -- --seeds N [--seed FIRST] [--ticks T] [--bug NAME] [--timeline]
//
// Exit status 1 at the first violation, with the seed, what happened before it,
// and the command that replays it.

import { parseArgs } from "node:util";
import { bugNamed, plant } from "./bugs.ts";
import { Counters } from "./counters.ts";

const TIMELINE_TAIL = 60;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    ticks: { type: "string", default: "6000" },
    bug: { type: "string" },
    timeline: { type: "boolean", default: false },
  },
});

const first = Number(values.seed);
const seeds = Number(values.seeds);
const ticks = Number(values.ticks);
if (![first, seeds, ticks].every((value) => Number.isSafeInteger(value) && value > 0)) {
  console.error("simulate: --seeds, --seed and --ticks take whole numbers above 0");
  process.exit(1);
}
if (values.bug !== undefined) plant(bugNamed(values.bug));

// Only now: a planted bug changes what is imported.
const { run } = await import("./run.ts");

const totals = new Counters();
let simulatedMs = 0;
const startedAt = performance.now();
for (let seed = first; seed < first + seeds; seed += 1) {
  const result = run(seed, ticks);
  totals.merge(result.counters);
  simulatedMs += result.simulatedMs;
  if (result.violation === null) {
    if (values.timeline) console.log(result.timeline.join("\n"));
    continue;
  }
  const shown = values.timeline ? result.timeline : result.timeline.slice(-TIMELINE_TAIL);
  console.log(shown.join("\n"));
  console.log(`\nseed ${seed}: ${result.violation}`);
  const bug = values.bug === undefined ? "" : ` --bug ${values.bug}`;
  console.log(
    `replay: npm run simulate -- --seeds 1 --seed ${seed} --ticks ${ticks}${bug} --timeline`,
  );
  process.exit(1);
}
const seconds = (performance.now() - startedAt) / 1_000;
console.log(totals.lines().join("\n"));
console.log(
  `\n${seeds} runs from seed ${first}, no violation: ${(simulatedMs / 3_600_000).toFixed(2)} hours simulated in ` +
    `${seconds.toFixed(1)} s`,
);
