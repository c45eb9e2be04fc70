// One run: a world, its clients and its nemesis, from one seed.

import { Clients } from "./clients.ts";
import type { Counters } from "./counters.ts";
import { Nemesis } from "./nemesis.ts";
import { Violation } from "./violation.ts";
import { World } from "./world.ts";

/** How long clients go on after the faults ended. */
const CALM_MS = 1_500;
/** Then every call is answered within this time, and all replicas are level (L1). */
const SETTLE_MS = 12_000;
const LOOK_MS = 100;

export interface RunResult {
  readonly seed: number;
  readonly simulatedMs: number;
  readonly counters: Counters;
  /** Null if every promise held. */
  readonly violation: string | null;
  readonly timeline: readonly string[];
}

/** Runs `seed` for `ticks` simulated milliseconds with faults, then until all is settled. */
export function run(seed: number, ticks: number): RunResult {
  const world = new World(seed);
  let violation: string | null = null;
  try {
    for (const process of world.processes) {
      world.scheduler.after(world.random.between(0, 50), () => process.start());
    }
    const clients = new Clients(world, 1 + world.random.below(8));
    const nemesis = new Nemesis(world);
    world.scheduler.runUntil(ticks);
    nemesis.rest();
    world.scheduler.runUntil(world.scheduler.now + CALM_MS);
    clients.stop();
    const deadline = world.scheduler.now + SETTLE_MS;
    while (unsettled(world, clients) !== null && world.scheduler.now < deadline) {
      world.scheduler.runUntil(world.scheduler.now + LOOK_MS);
    }
    checkSettled(world, clients);
  } catch (error) {
    violation = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    if (!(error instanceof Violation))
      violation += error instanceof Error ? `\n${error.stack}` : "";
  }
  const { counters, timeline } = world;
  return { seed, simulatedMs: world.scheduler.now, counters, violation, timeline };
}

/** L1 and convergence: nothing is left waiting, and all replicas have the same journal. */
function checkSettled(world: World, clients: Clients): void {
  const problem = unsettled(world, clients);
  if (problem !== null) throw new Violation(`L1: ${problem}`);
  clients.checkAll();
  world.counters.add("entries committed", world.oracle.committed.length);
  world.counters.add("orders", world.oracle.lastNumber);
}

/** What isn't as it should be once all is calm; null if nothing. */
function unsettled(world: World, clients: Clients): string | null {
  const committed = world.oracle.committed.length;
  if (clients.inFlight > 0) return `${clients.inFlight} calls are still unanswered`;
  const leaders = world.replicas.filter((replica) => replica.replica?.status().leads);
  if (leaders.length !== 1) return `${leaders.length} replicas lead`;
  for (const { name, replica } of world.replicas) {
    const status = replica?.status();
    if (status?.commitPosition !== committed || status.lastPosition !== committed) {
      return `${name} has committed ${status?.commitPosition} of ${committed}`;
    }
    if (!status.voter) return `${name} was never admitted`;
  }
  return null;
}
