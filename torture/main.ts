// npm run torture -- --seconds 120 [--seed N] [--clients N] [--think MS] [--engine postgres] [--secured] [--out DIR]
//
// Breaks a real cluster for a while and checks what its clients saw. Exit status
// 1 when anything is wrong; the run's folder, which is kept, says what happened.

import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { counted } from "./history.ts";
import { run } from "./run.ts";

const SEEDS = 1_000_000;
/** What is wrong is told up to here; the rest is counted. */
const PROBLEMS_TOLD_MAX = 20;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "120" },
    seed: { type: "string", default: String(1 + Math.floor(Math.random() * SEEDS)) },
    clients: { type: "string", default: "10" },
    think: { type: "string", default: "15" },
    engine: { type: "string", default: "builtin" },
    secured: { type: "boolean", default: false },
    out: { type: "string" },
  },
});
const [seconds = 0, seed = 0, clients = 0, thinkMs = 0] = [
  values.seconds,
  values.seed,
  values.clients,
  values.think,
].map(Number);
if (![seconds, seed, clients, thinkMs].every((value) => Number.isSafeInteger(value) && value > 0)) {
  console.error("torture: --seconds, --seed, --clients and --think take whole numbers above 0");
  process.exit(1);
}
const { engine, secured } = values;
if (engine !== "builtin" && engine !== "postgres") {
  console.error("torture: --engine is builtin or postgres");
  process.exit(1);
}
// Settings that whoever runs this has for a bazaar of their own aren't meant for this one.
for (const name of Object.keys(process.env)) if (/^BAZAAR_/.test(name)) delete process.env[name];

const folder = values.out ? resolve(values.out) : mkdtempSync(join(tmpdir(), `torture-${seed}-`));
mkdirSync(folder, { recursive: true });
console.log(
  `seed ${seed}, ${seconds} s, ${clients} clients, ${engine}${secured ? ", secured" : ""}, in ${folder}`,
);
const startedAt = performance.now();
try {
  const { problems, ...what } = await run({
    folder,
    engine,
    secured,
    seed,
    seconds,
    clients,
    thinkMs,
  });
  console.log([what.outcomes, what.faults, what.facts].map(counted).join("\n\n"));
  for (const problem of problems.slice(0, PROBLEMS_TOLD_MAX)) console.log(`\n${problem}`);
  if (problems.length > 0) fail(`${problems.length} violations`);
} catch (error) {
  fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
const took = ((performance.now() - startedAt) / 1_000).toFixed(1);
if (process.exitCode === undefined) console.log(`\nno violation, in ${took} s`);

function fail(why: string): void {
  console.log(`\n${why}\nsee ${folder}: history.jsonl, timeline.txt, data/logs`);
  const options = `--seconds ${seconds} --seed ${seed} --clients ${clients} --think ${thinkMs} --engine ${engine}${secured ? " --secured" : ""}`;
  console.log(`again: npm run torture -- ${options}`);
  process.exitCode = 1;
}
