// What a nemesis does to the links between processes, for a while: cuts them,
// slows them, spoils them in part.

import type { Astray } from "./astray.ts";
import type { CatalogNode } from "./catalog-node.ts";
import type { FrontendNode } from "./frontend-node.ts";
import type { Process } from "./process.ts";
import type { ReplicaNode } from "./replica-node.ts";
import { losing, type Misunderstanding, type Spoilt } from "./spoilt.ts";
import type { World } from "./world.ts";

const LONGEST_CUT_MS = 3_000;
const LONGEST_SPOILT_MS = 1_500;

export class Links {
  readonly #world: World;
  #resting = false;

  constructor(world: World) {
    this.#world = world;
  }

  /** Nothing that was begun goes on; the network is healed by the caller. */
  rest(): void {
    this.#resting = true;
  }

  /** Cuts these directions, and mends them after a while. */
  cut(
    directions: readonly (readonly [Process, Process])[],
    ms = this.#world.random.between(10, LONGEST_CUT_MS),
  ): void {
    const { scheduler, network } = this.#world;
    for (const [from, to] of directions) network.cut(from.name, to.name);
    scheduler.after(ms, () => {
      if (this.#resting) return;
      for (const [from, to] of directions) network.mend(from.name, to.name);
    });
  }

  /** Cuts `inside` off from all others, both ways; but `hears`, if given, still hears the replicas. */
  separate(inside: ReadonlySet<Process>, ms?: number, hears?: Process): void {
    const { processes, replicas } = this.#world;
    this.#world.log(`cut: ${[...inside].map(({ name }) => name).join(", ")} | the others`);
    this.cut(
      processes.flatMap((from) =>
        processes.flatMap((to) =>
          inside.has(from) === inside.has(to) ||
          (to === hears && replicas.some((one) => one === from))
            ? []
            : [[from, to] as const],
        ),
      ),
      ms,
    );
  }

  /** What this direction carries comes `lateMs` later, for a while. */
  slow(
    from: Process,
    to: Process,
    lateMs: number,
    ms = this.#world.random.between(100, LONGEST_CUT_MS),
  ): void {
    const { network, scheduler } = this.#world;
    network.slow(from.name, to.name, lateMs);
    scheduler.after(ms, () => network.slow(from.name, to.name, 0));
  }

  spoil(
    from: Process,
    to: Process,
    kinds: Spoilt,
    ms = this.#world.random.between(50, LONGEST_SPOILT_MS),
  ): void {
    const { network, scheduler } = this.#world;
    this.#world.log(`spoilt: ${from.name} to ${to.name} for ${ms.toFixed(0)} ms`);
    network.spoil(from.name, to.name, kinds);
    scheduler.after(ms, () => network.spoil(from.name, to.name, null));
  }

  /** Between a front end and the catalog that it asks, unless others are given. */
  misunderstand(
    drawn: Misunderstanding,
    frontend = this.#world.random.pick(this.#world.frontends),
    catalog = this.#catalogOf(frontend),
  ): void {
    const { counters, scheduler } = this.#world;
    counters.add("misunderstandings");
    if (drawn.asking.size > 0) this.spoil(frontend, catalog, drawn.asking, drawn.askingMs);
    scheduler.after(drawn.thenMs, () => {
      if (!this.#resting) this.spoil(catalog, frontend, drawn.hearing, drawn.hearingMs);
    });
  }

  /** Between a leader and one of its catalogs; `other` is another one. */
  leadAstray(leader: Process, catalog: Process, other: Process | undefined, drawn: Astray): void {
    const { counters, scheduler } = this.#world;
    const { followMs, entriesMs, heldMs, otherBeforeMs, otherMs } = drawn;
    const later = (ms: number, run: () => void) =>
      scheduler.after(ms, () => {
        if (!this.#resting) run();
      });
    counters.add("catalogs led astray");
    this.spoil(catalog, leader, losing("follow"), followMs);
    later(followMs, () => {
      this.spoil(leader, catalog, losing("entries"), entriesMs);
      this.spoil(catalog, leader, losing("held"), heldMs);
    });
    if (other)
      later(followMs - otherBeforeMs, () => this.spoil(leader, other, losing("entries"), otherMs));
  }

  /**
   * A nominee that fetches from `id` hears only that one, and one of the two is
   * late; meanwhile another stands.
   */
  strand(nominee: ReplicaNode, id: number | null): void {
    const { random, replicas, scheduler } = this.#world;
    const source = replicas.find((replica) => replica.id === id);
    const others = replicas.filter((replica) => replica !== nominee && replica !== source);
    if (!source) return;
    const [from, to] = random.chance(0.4) ? [source, nominee] : [nominee, source];
    this.slow(from, to, random.between(300, 900));
    this.cut(
      others.flatMap((other) => [[nominee, other] as const, [other, nominee] as const]),
      random.between(500, 2_000),
    );
    const rival = random.pick(others);
    for (const laterMs of [random.between(150, 250), random.between(250, 500)]) {
      scheduler.after(laterMs, () => {
        if (!this.#resting && rival.isUp && !rival.isPaused) rival.nominate(() => {});
      });
    }
  }

  #catalogOf(frontend: FrontendNode): CatalogNode {
    const { catalogs, random } = this.#world;
    return catalogs.find(({ name }) => name === frontend.catalog) ?? random.pick(catalogs);
  }
}
