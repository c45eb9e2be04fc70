// What stays wrong once the faults have ended, in most runs: a minority of the
// replicas, or a view, that is dead, deaf, frozen or cut off from one other. It
// must keep nobody else waiting. Drawn from a stream of its own.

import { LATE_MS, LEASE_MARGIN_MS, LEASE_MS } from "../src/core/coherence/limits.ts";
import { LIES, type Lie } from "./lies.ts";
import type { Process } from "./process.ts";
import { Random } from "./random.ts";
import type { ReplicaNode } from "./replica-node.ts";
import { losing } from "./spoilt.ts";
import type { World } from "./world.ts";

/** Above all seeds: what is drawn from here leaves the rest of a run as it is. */
const IMPAIRMENTS_STREAM = 2 ** 43;

export type Impairment =
  /**
   * `dead`: its connections closed. `deaf`: it hears nobody any more, though all
   * hear it. `frozen`: its connections stay open, and nothing comes, as from a
   * host that hangs.
   */
  | { readonly kind: "dead" | "deaf" | "frozen"; readonly process: Process }
  /** A catalog that becomes deaf when it has just been without a lease, and asks for another. */
  | { readonly kind: "deafened"; readonly process: Process; readonly unleasedMs: number }
  /** A view that lives, and hears everything so much later, milliseconds. */
  | { readonly kind: "slow"; readonly process: Process; readonly ms: number }
  /** Its tables have lost something, and it is never done with comparing them with its journal. */
  | { readonly kind: "lying"; readonly process: ReplicaNode; readonly lie: Lie }
  /** These two don't hear each other, though all others hear both. */
  | { readonly kind: "estranged"; readonly pair: readonly [ReplicaNode, ReplicaNode] };

const SLOWEST_MS = 1_200;

/** Null: all are well. */
export function drawImpairment(world: World): Impairment | null {
  const random = new Random(world.seed + IMPAIRMENTS_STREAM);
  if (random.chance(0.4) && !world.lies.toTheEnd) return null;
  const { replicas, catalogs, frontends, allVote } = world;
  const leader = replicas.find((replica) => replica.leads && !replica.isPaused);
  // Tables that hold nothing have nothing to lie about.
  const liars = replicas.filter(({ disk }) => disk.tables.lastNumber > 0);
  if (allVote && world.lies.toTheEnd && liars.length > 0) {
    // A leader without some request ids may go on for long before it is noticed.
    const lie = random.pick(LIES.filter((each) => each !== "requests"));
    return { kind: "lying", process: random.pick(liars), lie };
  }
  // Where a database decides who leads, who is nominated and doesn't hear the leader takes over.
  if (allVote && leader && world.database === null && random.chance(0.2)) {
    const other = random.pick(replicas.filter((replica) => replica !== leader));
    return { kind: "estranged", pair: [leader, other] };
  }
  const process = random.pick<Process>([
    // A replacement that isn't admitted yet leaves no quorum without another one.
    ...(allVote ? replicas : []),
    ...(allVote && leader ? [leader] : []),
    ...catalogs,
    // Somebody must be there to ask.
    ...(frontends.length > 1 ? frontends : []),
  ]);
  if (process.role === "catalog" && random.chance(0.3)) {
    const unleasedMs = LEASE_MS + LEASE_MARGIN_MS + random.between(0, 200);
    return { kind: "deafened", process, unleasedMs };
  }
  if (process.role !== "replica" && world.deskLimits.restPerWait > 0 && random.chance(0.6))
    return { kind: "slow", process, ms: random.between(LATE_MS, SLOWEST_MS) };
  return { kind: random.pick(["dead", "deaf", "frozen"]), process };
}

/** The faults have ended. */
export function impair(world: World, impairment: Impairment | null): void {
  if (!impairment) return;
  const { network, counters, processes, replicas, scheduler } = world;
  const { kind } = impairment;
  if (kind === "estranged") {
    const [one, other] = impairment.pair;
    counters.add("estranged to the end");
    world.log(`cut for good: ${one.name} | ${other.name}`);
    network.cut(one.name, other.name);
    network.cut(other.name, one.name);
    return;
  }
  if (impairment.kind === "lying") {
    const { process, lie } = impairment;
    world.impaired = process;
    counters.add(`lying to the end: ${lie}`);
    world.log(`${process.name} crashes, and its tables lie for good: ${lie}`);
    process.crash();
    process.disk.tables.lie(lie, world.random);
    process.start();
    return;
  }
  const { process } = impairment;
  world.impaired = process;
  counters.add(`${kind} to the end: ${process.role}`);
  world.log(`${process.name} is ${kind} for good`);
  const deafen = (): void => {
    for (const { name } of processes) if (name !== process.name) network.cut(name, process.name);
    world.database?.cutOff(process.name);
  };
  if (kind === "deafened") {
    for (const { name } of replicas) network.spoil(process.name, name, losing("follow"));
    scheduler.after(impairment.unleasedMs, () => {
      for (const { name } of replicas) network.spoil(process.name, name, null);
      deafen();
    });
  } else if (kind === "slow") {
    for (const { name } of processes)
      if (name !== process.name) network.slow(name, process.name, impairment.ms);
  } else if (kind === "dead") process.die();
  else if (kind === "frozen") process.freeze();
  else deafen();
}
