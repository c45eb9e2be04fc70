// npm run flips -- [--flips 10000] [--seed N]
//
// Flips bits in files of every kind, one at a time, and has the role that owns
// them started, asked everything and started again. Exit status 1 when any flip
// comes to something else than being refused, healed or harmless. A flip's
// number is its seed: `--flips 1 --seed N` tries it again.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { counted } from "../history.ts";
import { Flips } from "./flips.ts";

const SEEDS = 1_000_000;
/** What is wrong is told up to here; the rest is counted. */
const WRONG_TOLD_MAX = 20;
const TOLD_EVERY = 1_000;

const { values } = parseArgs({
  options: {
    flips: { type: "string", default: "10000" },
    seed: { type: "string", default: String(1 + Math.floor(Math.random() * SEEDS)) },
  },
});
const [flips = 0, seed = 0] = [values.flips, values.seed].map(Number);
if (![flips, seed].every((value) => Number.isSafeInteger(value) && value > 0)) {
  console.error("flips: --flips and --seed take whole numbers above 0");
  process.exit(1);
}
console.log(`flips ${seed} to ${seed + flips - 1}`);
const folder = mkdtempSync(join(tmpdir(), "bazaar-flips-"));
try {
  const all = new Flips(folder);
  let wrong = 0;
  for (let number = seed; number < seed + flips; number++) {
    const problem = all.flip(number);
    if (problem !== null && ++wrong <= WRONG_TOLD_MAX) {
      console.log(`\n${problem}\nagain: npm run flips -- --flips 1 --seed ${number}`);
    }
    const done = number - seed + 1;
    if (done % TOLD_EVERY === 0 && done < flips) console.log(`${done} of ${flips}, ${wrong} wrong`);
  }
  console.log(`\n${counted(all.counts)}\n\n${wrong} of ${flips} flips went wrong`);
  if (wrong > 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
