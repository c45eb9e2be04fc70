// In which runs second processes of one name come and go: see visits.ts. Drawn from a
// stream of its own.

import { type FaultMix, WITHOUT_BLOWS } from "./faults.ts";
import { Random } from "./random.ts";
import { type Setting, SPECIALISTS } from "./setting.ts";

/** Above all seeds: what is drawn from here leaves the rest of a run as it is. */
const VISITS_STREAM = 2 ** 46 + 22 * 2 ** 20;
/** How many runs have a second front end of one name among their faults, or a second catalog. */
const AMONG_FAULTS = { frontend: 0.03, catalog: 0.06 };
/** … and how many of the latter are about little else. */
const ALONE = 0.6;
/** How many have visits in calm. */
const IN_CALM = 0.3;
export type Visitor = "frontend" | "catalog";

/** Who comes and goes in a run, and what is other than in most runs. */
interface VisitRun {
  readonly amongFaults: readonly Visitor[];
  readonly isInCalm: boolean;
  readonly faults: Partial<FaultMix>;
  readonly setting: Partial<Setting>;
}

export function drawVisitRun(seed: number): VisitRun {
  const random = new Random(seed + VISITS_STREAM);
  const amongFaults = (["frontend", "catalog"] as const).filter((visitor) =>
    random.chance(AMONG_FAULTS[visitor]),
  );
  const isInCalm = random.chance(IN_CALM);
  const isAlone = amongFaults.includes("catalog") && random.chance(ALONE);
  return {
    amongFaults,
    isInCalm,
    faults: isAlone ? WITHOUT_BLOWS : {},
    setting: isAlone ? { catalogs: 1, habits: SPECIALISTS } : {},
  };
}
