// Disks that are lost or lie, and what their replacements meet.

import { SimulatedDisk } from "./disk.ts";
import type { Lie } from "./lies.ts";
import type { Links } from "./links.ts";
import type { ReplicaNode } from "./replica-node.ts";
import type { World } from "./world.ts";

const LOOK_MS = 10;
const REPLACE_AGAIN_MS = 50;
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

  /** One disk at a time, and only while all others are admitted and right: more than that no majority survives. */
  lose(replica: ReplicaNode): boolean {
    const { replicas, counters, scheduler, random } = this.#world;
    const areWell = replicas.every(
      (each) => each.disk.hardState.voter && (each === replica || !each.disk.tables.isLying),
    );
    if (!areWell) return false;
    counters.add("disks lost");
    this.#world.log(`${replica.name} loses its disk`);
    replica.crash();
    this.#incarnations += 1;
    const { oracle } = this.#world;
    replica.disk = new SimulatedDisk(
      // Nobody votes on a log that a database keeps.
      { promise: { epoch: 0, nominee: replica.id }, voter: this.#world.database !== null },
      [],
      {
        incarnation: this.#incarnations,
        members: this.#world.replicaIds,
        replaces: replica.disk,
        syncsEachWrite: this.#world.database === null,
        committedIn: (entry) => oracle.committedIn(entry),
      },
    );
    scheduler.after(random.between(1, 500), () => replica.start());
    return true;
  }

  /** A replica's tables lose something while it is down. One disk at a time. */
  lie(replica: ReplicaNode, lie: Lie): void {
    const { allVote, counters, random, scheduler } = this.#world;
    if (!allVote) return;
    counters.add(`disks that lie: ${lie}`);
    this.#world.log(`${replica.name} crashes, and its tables lie: ${lie}`);
    replica.crash();
    replica.disk.tables.lie(lie, random);
    scheduler.after(random.between(1, 200), () => replica.start());
  }

  /** The operator replaces a disk that was found to lie, as soon as that can be done. */
  replace(replica: ReplicaNode): void {
    replica.crash();
    const { tables } = replica.disk;
    if (!tables.isLying || this.lose(replica)) return;
    this.#world.scheduler.after(REPLACE_AGAIN_MS, () => {
      if (replica.disk.tables === tables) this.replace(replica);
    });
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
