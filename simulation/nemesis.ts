// Does to a world what its fault mix says.

import { SimulatedDisk } from "./disk.ts";
import { type FaultMix, withoutFaults } from "./faults.ts";
import type { Process } from "./process.ts";
import type { ReplicaNode } from "./replica-node.ts";
import type { World } from "./world.ts";

const STEP_MS = 10;
const LONGEST_DOWN_MS = 3_000;
const LONGEST_PAUSE_MS = 2_500;
const LONGEST_CUT_MS = 3_000;
const LONGEST_STORE_OUTAGE_MS = 1_500;
const SLOWEST_LINK_MS = 1_500;

export class Nemesis {
  readonly #world: World;
  #incarnations = 1;
  #resting = false;

  constructor(world: World) {
    this.#world = world;
    this.#next();
  }

  /**
   * No more faults, everybody up and connected; but `deaf`, if given, hears
   * nobody any more, though all hear it.
   */
  rest(deaf: Process | null): void {
    const world = this.#world;
    this.#resting = true;
    world.faults = withoutFaults(world.faults);
    world.network.heal();
    if (world.store) world.store.isOut = false;
    world.log("faults end");
    for (const process of world.processes) {
      if (!process.isUp) process.start();
    }
    if (!deaf) return;
    world.log(`${deaf.name} is deaf`);
    world.counters.add("deaf to the end");
    for (const { name } of world.processes)
      if (name !== deaf.name) world.network.cut(name, deaf.name);
  }

  /** A nomination that nothing calls for: no working leader may be disturbed by it. */
  disturb(): void {
    this.#strayNomination();
  }

  #next(): void {
    this.#world.scheduler.after(STEP_MS, () => {
      if (this.#resting) return;
      this.#act(this.#world.faults);
      this.#next();
    });
  }

  #act(faults: FaultMix): void {
    const { random, replicas, frontends } = this.#world;
    const due = (perSecond: number): boolean => random.chance((perSecond * STEP_MS) / 1_000);
    if (due(faults.crashPerSecond)) this.#crash(this.#someProcess());
    if (due(faults.crashAllPerSecond)) for (const replica of replicas) this.#crash(replica);
    if (due(faults.pausePerSecond)) this.#pause(this.#someProcess());
    if (due(faults.partitionPerSecond)) this.#partition();
    if (due(faults.oneWayPerSecond)) this.#cutOneWay();
    if (due(faults.wipePerSecond)) this.#wipe();
    if (due(faults.strayNominationPerSecond)) this.#strayNomination();
    if (due(faults.slowLinkPerSecond)) this.#slowLink();
    if (due(faults.isolationPerSecond)) this.#isolateLeader();
    if (due(faults.orphaningPerSecond)) this.#orphan();
    if (due(faults.storeOutagePerSecond)) this.#storeOutage();
    if (due(faults.switchGrantorPerSecond)) random.pick(frontends).switchCatalog();
  }

  #someProcess(): Process {
    const { random, catalogs, frontends } = this.#world;
    return random.chance(0.65) ? this.#someReplica() : random.pick([...catalogs, ...frontends]);
  }

  /** A leader more often than not: that is where it hurts. */
  #someReplica(): ReplicaNode {
    const { random, replicas } = this.#world;
    const leader = replicas.find((replica) => replica.replica?.status().leads);
    return leader && random.chance(0.5) ? leader : random.pick(replicas);
  }

  #crash(process: Process): void {
    if (!process.isUp) return;
    const { random, scheduler, counters } = this.#world;
    counters.add("crashes");
    this.#world.log(`${process.name} crashes`);
    process.crash();
    scheduler.after(random.heavy(random.between(1, LONGEST_DOWN_MS / 3)), () => {
      if (process.isUp) return;
      this.#world.log(`${process.name} restarts`);
      process.start();
    });
  }

  #pause(process: Process): void {
    const { random, counters } = this.#world;
    const ms = random.between(1, LONGEST_PAUSE_MS);
    counters.add("pauses");
    this.#world.log(`${process.name} is paused for ${ms.toFixed(0)} ms`);
    process.pause(ms);
  }

  /** Cuts these directions, and mends them after a while. */
  #cut(directions: readonly (readonly [Process, Process])[]): void {
    const { random, scheduler, network } = this.#world;
    for (const [from, to] of directions) network.cut(from.name, to.name);
    scheduler.after(random.between(10, LONGEST_CUT_MS), () => {
      if (this.#resting) return;
      for (const [from, to] of directions) network.mend(from.name, to.name);
    });
  }

  /** Cuts `inside` off from all others, both ways. */
  #separate(inside: ReadonlySet<Process>): void {
    const { processes } = this.#world;
    this.#world.log(`cut: ${[...inside].map(({ name }) => name).join(", ")} | the others`);
    this.#cut(
      processes.flatMap((from) =>
        processes.flatMap((to) =>
          inside.has(from) === inside.has(to) ? [] : [[from, to] as const],
        ),
      ),
    );
  }

  #partition(): void {
    const { random, processes, counters } = this.#world;
    counters.add("partitions");
    this.#separate(new Set(processes.filter(() => random.chance(0.5))));
  }

  #cutOneWay(): void {
    const { random, processes, counters } = this.#world;
    const from = random.pick(processes);
    const to = random.pick(processes);
    counters.add("one-way cuts");
    this.#world.log(`cut: ${from.name} to ${to.name}`);
    this.#cut([[from, to]]);
  }

  #slowLink(): void {
    const { random, processes, network, counters, scheduler } = this.#world;
    const from = random.pick(processes).name;
    const to = random.pick(processes).name;
    const ms = random.between(100, SLOWEST_LINK_MS);
    counters.add("slow links");
    this.#world.log(`slow: ${from} to ${to} by ${ms.toFixed(0)} ms`);
    network.slow(from, to, ms);
    scheduler.after(random.between(100, LONGEST_CUT_MS), () => network.slow(from, to, 0));
  }

  /**
   * The leader sleeps through an election, in company: who is cut off with it
   * can't know that it was replaced.
   */
  #isolateLeader(): void {
    const { random, replicas, catalogs, frontends, counters } = this.#world;
    const leader = replicas.find((replica) => replica.replica?.status().leads);
    if (!leader) return;
    const company = [...catalogs, ...frontends].filter(() => random.chance(0.4));
    counters.add("leaders isolated");
    this.#separate(new Set<Process>([leader, ...company]));
    if (random.chance(0.8)) this.#pause(leader);
  }

  #orphan(): void {
    const { random, catalogs, frontends, counters, scheduler } = this.#world;
    const catalog = random.pick(catalogs);
    const frontend = random.pick(frontends);
    if (!catalog.isUp) return;
    counters.add("front ends orphaned");
    this.#world.log(`cut: ${catalog.name} | ${frontend.name}; ${catalog.name} restarts`);
    this.#cut([
      [catalog, frontend],
      [frontend, catalog],
    ]);
    catalog.crash();
    scheduler.after(random.between(1, 30), () => catalog.start());
  }

  /** One disk at a time, and only while all others are admitted: more than that no majority survives. */
  #wipe(): void {
    const { replicas, counters, scheduler, random } = this.#world;
    if (!replicas.every((replica) => replica.disk.hardState.voter)) return;
    const replica = this.#someReplica();
    counters.add("disks lost");
    this.#world.log(`${replica.name} loses its disk`);
    replica.crash();
    this.#incarnations += 1;
    replica.incarnation = this.#incarnations;
    replica.disk = new SimulatedDisk(
      { promise: { epoch: 0, nominee: replica.id }, voter: false },
      [],
    );
    scheduler.after(random.between(1, 500), () => replica.start());
  }

  #storeOutage(): void {
    const { store, random, scheduler, counters } = this.#world;
    if (!store || store.isOut) return;
    counters.add("store outages");
    this.#world.log("the store of copies answers no more");
    store.isOut = true;
    scheduler.after(random.between(10, LONGEST_STORE_OUTAGE_MS), () => {
      store.isOut = false;
    });
  }

  #strayNomination(): void {
    const replica = this.#world.random.pick(this.#world.replicas);
    if (!replica.isUp || replica.isPaused) return;
    this.#world.counters.add("stray nominations");
    replica.nominate(() => {});
  }
}
