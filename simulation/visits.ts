// A second process of a name comes and goes: an operator's second command, or one
// configuration used on two hosts. Nobody notices.
//
// In few runs a front end's or a catalog's does so among all faults; in some of them
// the leader hears the second catalog, since it doesn't hear the first, and is
// replaced. In calm both come, and each call is answered as fast as before.

import { HEARD_MS, LEASE_MARGIN_MS, LEASE_MS } from "../src/core/coherence/limits.ts";
import type { Links } from "./links.ts";
import type { Process } from "./process.ts";
import { drawVisitRun, type Visitor } from "./visit-run.ts";
import type { World } from "./world.ts";

/** Among faults: how long it is away, and there. */
const LONGEST_AWAY_MS = 500;
const LONGEST_VISIT_MS = { frontend: 1_000, catalog: 2_500 };
/** Before a leader dies that hears the second catalog only: sooner, or later, than the first one has lost its name. */
const DISPLACED_MS = [
  [LEASE_MS + LEASE_MARGIN_MS, HEARD_MS],
  [HEARD_MS + LEASE_MS + LEASE_MARGIN_MS, 3_000],
] as const;
/** … and until the next one sees the second. */
const AFTER_DISPLACED_MS = LEASE_MS;
/** In calm: until a leader that didn't know the first one would have heard the other. */
const CALM_VISIT_MS = LEASE_MS + LEASE_MARGIN_MS;
/** Afterwards: what a visit has broken shows itself. */
const AFTER_VISIT_MS = 300;

export class Visits {
  readonly #world: World;
  readonly #links: Links;
  readonly #isInCalm: boolean;
  #resting = false;

  constructor(world: World, links: Links) {
    this.#world = world;
    this.#links = links;
    const { amongFaults, isInCalm } = drawVisitRun(world.seed);
    this.#isInCalm = isInCalm;
    for (const visitor of amongFaults) this.#next(visitor);
  }

  /** The faults end. */
  rest(): void {
    this.#resting = true;
    const { frontend, catalog } = this.#world.visitors;
    for (const visitor of [frontend, catalog]) visitor.crash();
  }

  #next(visitor: Visitor): void {
    const { random } = this.#world;
    this.#later(random.between(10, LONGEST_AWAY_MS), () => {
      this.#start(visitor);
      const displacedMs = visitor === "catalog" && random.chance(0.5) ? this.#displace() : 0;
      this.#later(displacedMs + random.between(20, LONGEST_VISIT_MS[visitor]), () => {
        this.#end(visitor);
        this.#next(visitor);
      });
    });
  }

  /** The leader sees the second catalog only, the others the first, and it dies after a while; returns that, in milliseconds. */
  #displace(): number {
    const { random, replicas, catalogs, visitors } = this.#world;
    const leader = replicas.find(({ leads }) => leads);
    const [catalog] = catalogs;
    if (!leader || !catalog) return 0;
    const [from, to] = random.pick(DISPLACED_MS);
    const ms = random.between(from, to);
    this.#world.counters.add("catalogs displaced by another of their name");
    this.#world.log(`cut: ${catalog.name} | ${leader.name}, which crashes in ${ms.toFixed(0)} ms`);
    this.#links.cut(bothWays(catalog, leader), ms);
    for (const other of replicas)
      if (other !== leader)
        this.#links.cut(bothWays(visitors.catalog, other), ms + AFTER_DISPLACED_MS);
    this.#later(ms, () => {
      leader.crash();
      this.#later(random.heavy(100), () => leader.start());
    });
    return ms;
  }

  #later(ms: number, run: () => void): void {
    this.#world.scheduler.after(ms, () => {
      if (!this.#resting) run();
    });
  }

  /** Both come and go, once. */
  inCalm(): void {
    const { random, scheduler, impaired } = this.#world;
    if (impaired || !this.#isInCalm) return;
    for (const visitor of ["frontend", "catalog"] as const) {
      this.#start(visitor);
      scheduler.runUntil(
        scheduler.now + CALM_VISIT_MS + random.between(20, LONGEST_VISIT_MS.frontend),
      );
      this.#end(visitor);
      scheduler.runUntil(scheduler.now + AFTER_VISIT_MS);
    }
  }

  #start(visitor: Visitor): void {
    this.#world.counters.add(`second processes of one name: ${visitor}`);
    this.#world.log(`another ${visitor} of the first one's name starts`);
    this.#world.visitors[visitor].start();
  }

  #end(visitor: Visitor): void {
    this.#world.log(`the other ${visitor} ends`);
    this.#world.visitors[visitor].crash();
  }
}

function bothWays(one: Process, other: Process): readonly (readonly [Process, Process])[] {
  return [
    [one, other],
    [other, one],
  ];
}
