// Catalogs that go astray: one loses its lease, then what it should hold, while it
// gets the next one, then its answers; meanwhile another keeps the leader waiting.
// That takes much at the right moments, so some runs are about little else, with
// impatient clients, and with entries sent in small pieces. Drawn from a stream
// of its own.

import { type FaultMix, WITHOUT_BLOWS } from "./faults.ts";
import { Random } from "./random.ts";
import type { Setting } from "./setting.ts";
import { SPECIALISTS } from "./setting.ts";

/** Above all seeds: what is drawn from here leaves the other runs as they are. */
const ASTRAY_STREAM = 2 ** 44;

/** What is lost between a catalog and the leader, for how long, one after the other. */
export interface Astray {
  /** Its questions for a lease, until the lease has run out. */
  readonly followMs: number;
  /** What it should hold, while it gets its next lease. */
  readonly entriesMs: number;
  /** That it holds something. */
  readonly heldMs: number;
  /** Another catalog hears of nothing new, from so long before the next lease on. */
  readonly otherBeforeMs: number;
  readonly otherMs: number;
}

export function drawAstray(random: Random): Astray {
  return {
    followMs: random.between(560, 720),
    entriesMs: random.between(80, 200),
    heldMs: random.between(500, 1_500),
    otherBeforeMs: random.between(0, 60),
    otherMs: random.between(250, 700),
  };
}

/** What is other than in most runs. */
export interface AstrayRun {
  readonly faults: Partial<FaultMix> & Pick<FaultMix, "astrayPerSecond">;
  readonly setting: Partial<Setting>;
  readonly pieceBytes: number | null;
}

const NONE: AstrayRun = { faults: { astrayPerSecond: 0 }, setting: {}, pieceBytes: null };

export function drawAstrayRun(seed: number): AstrayRun {
  const random = new Random(seed + ASTRAY_STREAM);
  if (!random.chance(0.1)) return NONE;
  return {
    faults: { ...WITHOUT_BLOWS, astrayPerSecond: random.between(0.5, 1) },
    setting: {
      isNarrow: true,
      catalogs: 2,
      frontends: 2,
      habits: SPECIALISTS,
      patienceMs: random.pick([20, 30, 60]),
    },
    pieceBytes: random.pick([60, 150]),
  };
}
