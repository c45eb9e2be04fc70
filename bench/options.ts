// The command line of `npm run bench`.

import { Command } from "commander";
import { numberGiven } from "../src/cli/numbers.ts";
import { UserError } from "../src/cli/user-error.ts";
import { ROUNDS_DEFAULT } from "./limits.ts";
import { TIMING_DEFAULT, type Timing } from "./round.ts";

export interface Options {
  /** Which rows; all when nothing was said. */
  readonly scenarios: readonly string[];
  readonly rounds: number;
  readonly timing: Timing;
  /** Write the result into docs/ too. */
  readonly publish: boolean;
  /** Measure nothing: take this result file. */
  readonly from: string | null;
}

const COUNT = { min: 1, max: 1_000, isWhole: true } as const;

/** Throws UserError or CommanderError for what is wrong; a request for help throws too, once it is answered. */
export function parseOptions(args: readonly string[], scenarios: readonly string[]): Options {
  const command = new Command("npm run bench --")
    .option("--only <NAMES>", `only these rows, with commas between: ${scenarios.join(", ")}`)
    .option("--rounds <N>", "rounds", String(ROUNDS_DEFAULT))
    .option("--seconds <S>", "how long each load is measured", String(TIMING_DEFAULT.slotS))
    .option("--publish", "write the table and the plots into docs/ too", false)
    .option("--from <FILE>", "measure nothing, print or publish this result")
    .exitOverride()
    .parse(args, { from: "user" });
  const { only, rounds, seconds, publish, from } = command.opts();
  const named: readonly string[] = only === undefined ? scenarios : only.split(",");
  const unknown = named.filter((name) => !scenarios.includes(name));
  if (unknown.length > 0) {
    throw new UserError(`no row ${unknown.join(", ")}: ${scenarios.join(", ")}`);
  }
  const slotS = numberGiven("--seconds", seconds, COUNT);
  return {
    scenarios: named,
    rounds: numberGiven("--rounds", rounds, COUNT),
    timing: { ...TIMING_DEFAULT, slotS },
    publish,
    from: from ?? null,
  };
}
