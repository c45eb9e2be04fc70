// Disks that are lost, and what their replacements meet.

import { SimulatedDisk } from "./disk.ts";
import type { Links } from "./links.ts";
import type { ReplicaNode } from "./replica-node.ts";
import type { World } from "./world.ts";

const LOOK_MS = 10;
const LOOKS_MAX = 150;

export class DiskLosses {
  readonly #world: World;
  readonly #links: Links;
  #incarnations = 1;
  #resting = false;

  constructor(world: World, links: Links) {
    this.#world = world;
    this.#links = links;
  }

  /** Nothing that was begun goes on. */
  rest(): void {
    this.#resting = true;
  }

  /** One disk at a time, and only while all others are admitted: more than that no majority survives. */
  lose(replica: ReplicaNode): boolean {
    const { replicas, counters, scheduler, random } = this.#world;
    if (!replicas.every((each) => each.disk.hardState.voter)) return false;
    counters.add("disks lost");
    this.#world.log(`${replica.name} loses its disk`);
    replica.crash();
    this.#incarnations += 1;
    const { oracle } = this.#world;
    replica.disk = new SimulatedDisk(
      { promise: { epoch: 0, nominee: replica.id }, voter: false },
      [],
      {
        incarnation: this.#incarnations,
        replaces: replica.disk,
        committedIn: (entry) => oracle.committedIn(entry),
      },
    );
    scheduler.after(random.between(1, 500), () => replica.start());
    return true;
  }

  /** A leader sleeps until another leads; then a third loses its disk and meets only the sleeper. */
  meetStaleLeader(stale: ReplicaNode | undefined): void {
    const { replicas, random, scheduler, counters } = this.#world;
    if (!stale || stale.isPaused) return;
    stale.pause(random.between(600, 1_200));
    this.#world.log(`${stale.name} sleeps, to admit a replacement when it wakes`);
    const look = (looks: number): void => {
      if (this.#resting || looks === 0 || !stale.isUp) return;
      const next = replicas.find((each) => each !== stale && each.leads);
      const victim = replicas.find((each) => each !== stale && each !== next && each.isUp);
      if (!next || !victim) {
        scheduler.after(LOOK_MS, () => look(looks - 1));
        return;
      }
      if (!this.lose(victim)) return;
      counters.add("replacements met by a stale leader");
      this.#links.separate(new Set([stale, victim]));
    };
    look(LOOKS_MAX);
  }
}
