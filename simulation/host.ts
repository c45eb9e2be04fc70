// What a simulated process has of its run: network, clock, chance, and where it
// is counted and logged. A World is a host; tests may bring another.

import type { DeskLimits } from "../src/core/service/leader-desk.ts";
import type { Counters } from "./counters.ts";
import type { FaultMix } from "./faults.ts";
import type { Network } from "./network.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

export interface Host {
  readonly network: Network;
  /** True time; processes have clocks of their own. */
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly counters: Counters;
  /** As they are now. */
  readonly faults: FaultMix;
  /** Whether connections fall silent, and processes watch for it. */
  readonly hasMutes: boolean;
  /** How much leaders and catalogs take on: little in some runs. */
  readonly deskLimits: DeskLimits;
  /** The members of the cluster. */
  readonly replicaIds: readonly number[];
  readonly frontendNames: readonly string[];
  readonly catalogNames: readonly string[];
  /** What a process is called, which two may be. */
  calledOf(name: string): string;
  /** One line of the timeline. */
  log(line: string): void;
}
