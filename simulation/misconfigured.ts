// Processes that are started with another set of replicas than the cluster's: some
// of the replicas and a front end, as on a host with wrong options. The replicas
// must refuse to start, and nobody may answer the front end.

import type { FrontendNode } from "./frontend-node.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

const STEP_MS = 10;
const LONGEST_MS = 1_500;
/** No replica of any run. */
const STRANGERS = [9190, 9192, 9194, 9196];

/** Another set than `members`, with one of them at least: fewer, more, or others. */
function drawOthers(members: readonly number[], random: Random): readonly number[] {
  const [kept = 0, ...rest] = random.chance(0.5) ? members : members.toReversed();
  switch (random.below(4)) {
    case 0:
      return [kept];
    case 1:
      return [kept, ...rest.slice(0, -1)];
    case 2:
      return [...members, ...STRANGERS.slice(0, 1 + random.below(STRANGERS.length))];
    default:
      return [kept, ...STRANGERS.slice(0, rest.length)];
  }
}

export class Misconfigured {
  readonly #world: World;
  /** Who runs, or tries to, with other replicas. */
  #wrong = new Set<Process>();

  /** Begins, in a run that has this. */
  constructor(world: World) {
    this.#world = world;
    if (world.faults.misconfiguredPerSecond > 0) this.#next();
  }

  #next(): void {
    const { scheduler, random, frontends } = this.#world;
    scheduler.after(STEP_MS, () => {
      const { misconfiguredPerSecond } = this.#world.faults;
      if (misconfiguredPerSecond === 0) return;
      if (random.chance((misconfiguredPerSecond * STEP_MS) / 1_000))
        this.#strike(random.pick(frontends));
      this.#next();
    });
  }

  /** Takes it back, at once; the faults have ended. */
  rest(): void {
    for (const process of this.#wrong) this.#restart(process, this.#world.replicaIds);
    this.#wrong.clear();
  }

  #strike(frontend: FrontendNode): void {
    const { random, replicas, replicaIds, scheduler, counters } = this.#world;
    const others = drawOthers(replicaIds, random);
    const meant = replicas.filter(({ id }) => others.includes(id));
    const struck: Process[] = [...meant.slice(0, 1 + random.below(meant.length)), frontend];
    if (struck.some((process) => this.#wrong.has(process))) return;
    counters.add("processes started with other replicas", struck.length);
    this.#world.log(`${struck.map(({ name }) => name).join(", ")} are started with ${others}`);
    for (const process of struck) {
      this.#wrong.add(process);
      this.#restart(process, others);
    }
    scheduler.after(random.between(100, LONGEST_MS), () => {
      for (const process of struck) {
        if (this.#wrong.delete(process)) this.#restart(process, replicaIds);
      }
    });
  }

  #restart(process: Process, replicas: readonly number[]): void {
    process.crash();
    process.configured = replicas;
    process.start();
  }
}
