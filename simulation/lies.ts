// Disks that lie: a replica's tables lose something while it is down, and nothing
// tells, as a flipped bit may have them do. Its journal is as it was. Drawn from
// a stream of its own.

import { type FaultMix, WITHOUT_BLOWS } from "./faults.ts";
import { Random } from "./random.ts";

/**
 * Above all seeds: what is drawn from here leaves the other runs as they are. A
 * number by which none of the runs is about lies that bugs.ts names for other bugs.
 */
const LIES_STREAM = 2 ** 45 + 728_217 * 2 ** 25;

/** What the tables no longer show rightly: their newest orders, a stock, how much there is of one, what was recorded under half of the request ids. */
export const LIES = ["orders", "stock", "quantity", "requests"] as const;
export type Lie = (typeof LIES)[number];

export interface LieRun {
  readonly faults: Partial<FaultMix> & Pick<FaultMix, "liePerSecond">;
  /** One lies after the faults have ended, and is never done with checking itself. */
  readonly toTheEnd: boolean;
}

export const WITHOUT_LIES: LieRun = { faults: { liePerSecond: 0 }, toTheEnd: false };

export function drawLieRun(seed: number): LieRun {
  const random = new Random(seed + LIES_STREAM);
  if (!random.chance(0.1)) return WITHOUT_LIES;
  const quiet = random.chance(0.5) ? WITHOUT_BLOWS : {};
  const toTheEnd = random.chance(0.3);
  // Two at once would leave no majority.
  return { faults: { ...quiet, liePerSecond: toTheEnd ? 0 : random.between(0.3, 3) }, toTheEnd };
}
