// The command line of `npm run bench`.

import { parseArgs } from "node:util";
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

/** What was said, or one line that says what is wrong with it. */
export type Parsed =
  | { readonly kind: "options"; readonly options: Options }
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "wrong"; readonly message: string };

export function parseOptions(args: readonly string[], scenarios: readonly string[]): Parsed {
  const text = `npm run bench -- [OPTIONS]
  --only NAMES    only these rows, with commas between: ${scenarios.join(", ")}
  --rounds N      rounds (${ROUNDS_DEFAULT})
  --seconds S     how long each load is measured (${TIMING_DEFAULT.slotS})
  --publish       write the table and the plots into docs/ too
  --from FILE     measure nothing, print or publish this result
`;
  let values: Readonly<Record<string, string | boolean | undefined>>;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        only: { type: "string" },
        rounds: { type: "string" },
        seconds: { type: "string" },
        publish: { type: "boolean" },
        from: { type: "string" },
        help: { type: "boolean" },
      },
    }));
  } catch (error) {
    return { kind: "wrong", message: error instanceof Error ? error.message : String(error) };
  }
  if (values.help === true) return { kind: "help", text };
  const only = typeof values.only === "string" ? values.only.split(",") : scenarios;
  const unknown = only.filter((name) => !scenarios.includes(name));
  if (unknown.length > 0) {
    return { kind: "wrong", message: `no row ${unknown.join(", ")}: ${scenarios.join(", ")}` };
  }
  const rounds = Number(values.rounds ?? ROUNDS_DEFAULT);
  const slotS = Number(values.seconds ?? TIMING_DEFAULT.slotS);
  if (!Number.isInteger(rounds) || rounds < 1) {
    return { kind: "wrong", message: "--rounds must be a whole number from 1" };
  }
  if (!Number.isInteger(slotS) || slotS < 1) {
    return { kind: "wrong", message: "--seconds must be a whole number from 1" };
  }
  return {
    kind: "options",
    options: {
      scenarios: only,
      rounds,
      timing: { ...TIMING_DEFAULT, slotS },
      publish: values.publish === true,
      from: typeof values.from === "string" ? values.from : null,
    },
  };
}
