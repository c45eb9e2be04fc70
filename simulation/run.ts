// One run: a world, its clients and its nemesis, from one seed.

import { Clients } from "./clients.ts";
import type { Counters } from "./counters.ts";
import { Nemesis } from "./nemesis.ts";
import type { Process } from "./process.ts";
import { Violation } from "./violation.ts";
import { World } from "./world.ts";

/** How long clients go on after the faults ended: until the slowest mail of the faults has arrived, which holds up all that is behind it. */
const CALM_MS = 2_600;
/** Then every call is answered within this time, and all replicas are level (L1). */
const SETTLE_MS = 12_000;
const LOOK_MS = 100;
const DISTURBANCES = 10;
const DISTURBANCE_MS = 40;

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
    const fewest = world.setting.isNarrow ? 2 : 1;
    const clients = new Clients(world, fewest + world.random.below(8));
    const nemesis = new Nemesis(world);
    world.scheduler.runUntil(ticks);
    nemesis.rest(drawImpaired(world), world.random.chance(0.5));
    world.scheduler.runUntil(world.scheduler.now + CALM_MS);
    const deadline = world.scheduler.now + SETTLE_MS;
    settle(world, clients, deadline);
    clients.isCalm = true;
    undisturbed(world, nemesis);
    clients.stop();
    settle(world, clients, deadline);
    checkSettled(world, clients);
    lastRounds(world, clients);
  } catch (error) {
    violation = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    if (!(error instanceof Violation))
      violation += error instanceof Error ? `\n${error.stack}` : "";
  }
  const { counters, timeline } = world;
  counters.add("messages", world.network.messages);
  return { seed, simulatedMs: world.scheduler.now, counters, violation, timeline };
}

/** Who stays dead, or deaf, after the faults; null: nobody. */
function drawImpaired(world: World): Process | null {
  if (!world.random.chance(0.5)) return null;
  const { replicas, catalogs, frontends } = world;
  return world.random.pick([
    // A replacement that isn't admitted yet leaves no quorum without another one.
    ...(world.allVote ? replicas : []),
    ...catalogs,
    // Somebody must be there to ask.
    ...(frontends.length > 1 ? frontends : []),
  ]);
}

/** What every front end can show is asked for, and again, when it has copies. */
function lastRounds(world: World, clients: Clients): void {
  for (let round = 0; round < 2; round += 1) {
    for (const frontend of world.frontends)
      if (frontend !== world.impaired) clients.askAll(frontend);
    const deadline = world.scheduler.now + SETTLE_MS;
    while (clients.inFlight > 0 && world.scheduler.now < deadline)
      world.scheduler.runUntil(world.scheduler.now + LOOK_MS);
    if (clients.inFlight > 0)
      throw new Violation(`L1: ${clients.inFlight} calls are still unanswered`);
  }
}

function settle(world: World, clients: Clients, deadline: number): void {
  while (unsettled(world, clients) !== null && world.scheduler.now < deadline) {
    world.scheduler.runUntil(world.scheduler.now + LOOK_MS);
  }
}

/** A leader that works, and is heard, is not replaced, whoever is nominated. */
function undisturbed(world: World, nemesis: Nemesis): void {
  const leader = world.replicas.find((replica) => replica.replica?.status().leads);
  const epoch = leader?.replica?.status().epoch;
  if (!leader) return;
  for (let time = 0; time < DISTURBANCES; time += 1) {
    nemesis.disturb();
    world.scheduler.runUntil(world.scheduler.now + DISTURBANCE_MS);
  }
  const status = leader.replica?.status();
  if (!status?.leads || status.epoch !== epoch) {
    throw new Violation(`L1: ${leader.name}, leading epoch ${epoch} in calm, was disturbed`);
  }
}

/** L1 and convergence: nothing is left waiting, all replicas have the same journal, all views are fresh. */
function checkSettled(world: World, clients: Clients): void {
  const problem = unsettled(world, clients);
  if (problem !== null) throw new Violation(`L1: ${problem}`);
  if (clients.inFlight > 0)
    throw new Violation(`L1: ${clients.inFlight} calls are still unanswered`);
  clients.checkAll();
  const expected = JSON.stringify(world.oracle.stocks());
  for (const { name, stocks } of world.catalogs.filter((catalog) => catalog !== world.impaired)) {
    if (JSON.stringify(stocks) === expected) continue;
    throw new Violation(
      `C1: ${name} has ${JSON.stringify(stocks)}, by the journal it is ${expected}`,
    );
  }
  world.counters.add("entries committed", world.oracle.committed.length);
  world.counters.add("orders", world.oracle.market.lastNumber);
}

/** What isn't as it should be once all is calm; null if nothing. */
function unsettled(world: World, clients: Clients): string | null {
  const { impaired } = world;
  if (!clients.areWorking && clients.inFlight > 0)
    return `${clients.inFlight} calls are still unanswered`;
  const asleep = world.processes.find((process) => process.isPaused);
  if (asleep) return `${asleep.name} is still paused`;
  const leaders = world.replicas.filter((replica) => replica.replica?.status().leads);
  if (leaders.length !== 1) return `${leaders.length} replicas lead`;
  const epoch = leaders[0]?.replica?.status().epoch ?? 0;
  const ahead = world.replicas.find(
    (replica) => replica !== impaired && replica.disk.hardState.promise.epoch > epoch,
  );
  // It will be refused by that one, as it has to be, once they hear each other.
  if (ahead) return `${ahead.name} has promised a later epoch than the leader's`;
  const confirmedAt = leaders[0]?.replica?.status().reign?.confirmedAt ?? 0;
  if (leaders[0] && leaders[0].clock() - confirmedAt > 2 * LOOK_MS)
    return `${leaders[0].name} leads, and no quorum confirms it`;
  if (leaders[0] === impaired) return `${impaired?.name} leads, and is deaf`;
  if (clients.areWorking) return null;
  const committed = world.oracle.committed.length;
  for (const replica of world.replicas) {
    if (replica === impaired) continue;
    const status = replica.replica?.status();
    if (status?.commitPosition !== committed || status.lastPosition !== committed) {
      return `${replica.name} has committed ${status?.commitPosition} of ${committed}`;
    }
    if (!status.voter) return `${replica.name} was never admitted`;
  }
  const stale = world.catalogs.find(
    (catalog) => catalog !== impaired && !catalog.isLevel(committed),
  );
  if (stale) return `${stale.name} isn't level, or has no lease`;
  if (world.catalogs.every((catalog) => catalog === impaired)) return null;
  // Who asks one that is dead or deaf leaves it aside only when there is something to ask.
  const unleased = world.frontends.find(
    (frontend) =>
      frontend !== impaired && !frontend.holdsLease && frontend.catalog !== impaired?.name,
  );
  return unleased ? `${unleased.name} has no lease` : null;
}
