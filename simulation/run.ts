// One run: a world, its clients and its nemesis, from one seed.

import { LEASE_MARGIN_MS, LEASE_MS } from "../src/core/coherence/limits.ts";
import { Clients, RECONNECTION_MS, RECONNECTIONS } from "./clients.ts";
import type { Counters } from "./counters.ts";
import { drawImpairment, impair } from "./impairments.ts";
import { Misconfigured } from "./misconfigured.ts";
import { Nemesis } from "./nemesis.ts";
import type { ReplicaNode } from "./replica-node.ts";
import { Violation } from "./violation.ts";
import { World } from "./world.ts";

/** How long clients go on after the faults ended: until the slowest mail of the faults has arrived, which holds up all that is behind it. */
const CALM_MS = 2_600;
/** Meanwhile, once what was held up by the faults is done, clients call less often: nothing more goes wrong, and it would be most of a run's work. */
const HASTE_MS = 400;
const LEISURE = 6;
/** In calm a call every few milliseconds shows what keeps others waiting. */
const CALM_LEISURE = 3;
/** Then every call is answered within this time, and all replicas are level (L1). */
const SETTLE_MS = 12_000;
const LOOK_MS = 100;
const DISTURBANCES = 10;
const DISTURBANCE_MS = 40;
/** Three leases: who waits for a view again and again is seen to. */
const IMPAIRED_VIEW_MS = 3 * (LEASE_MS + LEASE_MARGIN_MS);

export interface RunResult {
  readonly seed: number;
  readonly simulatedMs: number;
  readonly counters: Counters;
  /** Null if every promise held. */
  readonly violation: string | null;
  readonly timeline: readonly string[];
}

/** Runs `seed` for `ticks` simulated milliseconds with faults, then until all is settled. `watch` sees its world before it begins. */
export function run(
  seed: number,
  ticks: number,
  watch: (world: World) => void = () => {},
): RunResult {
  const world = new World(seed);
  watch(world);
  let violation: string | null = null;
  try {
    for (const process of world.processes) {
      world.scheduler.after(world.random.between(0, 50), () => process.start());
    }
    const fewest = world.setting.isNarrow ? 2 : 1;
    const clients = new Clients(world, fewest + world.random.below(8));
    const nemesis = new Nemesis(world);
    const misconfigured = new Misconfigured(world);
    world.scheduler.runUntil(ticks);
    nemesis.rest();
    misconfigured.rest();
    impair(world, drawImpairment(world));
    world.scheduler.runUntil(world.scheduler.now + HASTE_MS);
    clients.leisure = LEISURE;
    world.scheduler.runUntil(world.scheduler.now + CALM_MS - HASTE_MS);
    const deadline = world.scheduler.now + SETTLE_MS;
    settle(world, clients, deadline);
    clients.isCalm = true;
    clients.leisure = CALM_LEISURE;
    undisturbed(world, nemesis);
    reconnected(world);
    nemesis.visit();
    if (world.impaired && world.impaired.role !== "replica")
      world.scheduler.runUntil(world.scheduler.now + IMPAIRED_VIEW_MS);
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

/** What every front end can show is asked for, and again, when it has copies. */
function lastRounds(world: World, clients: Clients): void {
  for (let round = 0; round < 2; round += 1) {
    for (const frontend of world.frontends)
      if (frontend !== world.impaired) clients.askAll(frontend);
    const deadline = world.scheduler.now + SETTLE_MS;
    while (clients.inFlight > 0 && world.scheduler.now < deadline)
      world.scheduler.runUntil(world.scheduler.now + LOOK_MS);
    settle(world, clients, deadline);
    const problem = unsettled(world, clients);
    if (problem !== null) throw new Violation(`L1: ${problem}`);
  }
}

function settle(world: World, clients: Clients, deadline: number): void {
  while (unsettled(world, clients) !== null && world.scheduler.now < deadline) {
    world.scheduler.runUntil(world.scheduler.now + LOOK_MS);
  }
}

/** A leader that works, and is heard, is not replaced, whoever is nominated. */
function undisturbed(world: World, nemesis: Nemesis): void {
  const leader = world.replicas.find((replica) => replica.leads && !replica.isPaused);
  const epoch = leader?.status?.epoch;
  if (!leader) return;
  for (let time = 0; time < DISTURBANCES; time += 1) {
    nemesis.disturb();
    world.scheduler.runUntil(world.scheduler.now + DISTURBANCE_MS);
  }
  const { status } = leader;
  if (!status?.leads || status.epoch !== epoch) {
    throw new Violation(`L1: ${leader.name}, leading epoch ${epoch} in calm, was disturbed`);
  }
}

/** Connections of views break and are there again: a trade waits for that, and not for the end of a lease (K3, D2). */
function reconnected(world: World): void {
  const { network, random, scheduler, catalogs, frontends, impaired, counters } = world;
  const leader = world.replicas.find((replica) => replica.leads && !replica.isPaused);
  if (!leader || impaired) return;
  for (let time = 0; time < RECONNECTIONS; time += 1) {
    const catalog = random.pick(catalogs);
    network.reset(random.pick([leader, ...frontends]).name, catalog.name);
    counters.add("connections of views broken in calm");
    scheduler.runUntil(scheduler.now + RECONNECTION_MS);
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
  const { impaired, network } = world;
  if (!clients.areWorking && clients.inFlight > 0)
    return `${clients.inFlight} calls are still unanswered`;
  const asleep = world.processes.find((process) => process.isPaused && process !== impaired);
  if (asleep) return `${asleep.name} is still paused`;
  // One that is frozen knows nothing of the next.
  const leaders = world.replicas.filter((replica) => replica.leads && !replica.isPaused);
  const [leader] = leaders;
  if (!leader || leaders.length > 1) return `${leaders.length} replicas lead`;
  const { epoch, reign } = leader.status ?? {};
  const isApart = (replica: ReplicaNode) =>
    replica === impaired ||
    network.isCut(leader.name, replica.name) ||
    network.isCut(replica.name, leader.name);
  const ahead = world.replicas.find(
    (replica) => !isApart(replica) && replica.disk.hardState.promise.epoch > (epoch ?? 0),
  );
  // It will be refused by that one, as it has to be, once they hear each other.
  if (ahead) return `${ahead.name} has promised a later epoch than the leader's`;
  if (leader.clock() - (reign?.confirmedAt ?? 0) > 2 * LOOK_MS)
    return `${leader.name} leads, and no quorum confirms it`;
  if (leader === impaired) return `${leader.name} leads, and is deaf`;
  if (clients.areWorking) return null;
  const committed = world.oracle.committed.length;
  for (const replica of world.replicas) {
    if (isApart(replica)) continue;
    const { status } = replica;
    if (status?.commitPosition !== committed || status.lastPosition !== committed) {
      return `${replica.name} has committed ${status?.commitPosition} of ${committed}`;
    }
    if (!status.voter) return `${replica.name} was never admitted`;
  }
  const stale = world.catalogs.find(
    (catalog) => catalog !== impaired && !catalog.isLevel(committed),
  );
  if (stale) return `${stale.name} isn't level`;
  if (world.catalogs.every((catalog) => catalog === impaired)) return null;
  // Who asks one that is dead or deaf leaves it aside only when there is something to ask.
  const unleased = world.frontends.find(
    (frontend) =>
      frontend !== impaired &&
      frontend.wantsLease &&
      !frontend.holdsLease &&
      frontend.catalog !== impaired?.name,
  );
  return unleased ? `${unleased.name} has no lease` : null;
}
