// A second process of a name comes and goes: an operator's second command, or one
// configuration used on two hosts. Nobody notices.
//
// In few runs a front end's does so among all faults. In calm a front end's and a
// catalog's do, and each call is answered as fast as before. A catalog's comes in
// calm alone: what replicas that hear different catalogs of one name promise is in
// docs/guarantees.md.

import { LEASE_MARGIN_MS, LEASE_MS } from "../src/core/coherence/limits.ts";
import { Random } from "./random.ts";
import type { World } from "./world.ts";

/** Above all seeds: what is drawn from here leaves the rest of a run as it is. */
const VISITS_STREAM = 2 ** 46 + 22 * 2 ** 20;
/** How many runs have a second front end of one name among their faults. */
const AMONG_FAULTS = 0.03;
/** How many have visits in calm. */
const IN_CALM = 0.3;
/** Among faults: how long it is away, and there. */
const LONGEST_AWAY_MS = 500;
const LONGEST_VISIT_MS = 1_000;
/** In calm: a catalog follows nobody before that has passed. */
const CALM_VISIT_MS = LEASE_MS + LEASE_MARGIN_MS;
/** Afterwards: what a visit has broken shows itself. */
const AFTER_VISIT_MS = 300;

export class Visits {
  readonly #world: World;
  readonly #isInCalm: boolean;
  #resting = false;

  constructor(world: World) {
    this.#world = world;
    const random = new Random(world.seed + VISITS_STREAM);
    if (random.chance(AMONG_FAULTS)) this.#next();
    this.#isInCalm = random.chance(IN_CALM);
  }

  /** The faults end. */
  rest(): void {
    this.#resting = true;
    this.#world.visitors.frontend.crash();
  }

  #next(): void {
    const { random, scheduler, visitors } = this.#world;
    scheduler.after(random.between(10, LONGEST_AWAY_MS), () => {
      if (this.#resting) return;
      this.#start(visitors.frontend);
      scheduler.after(random.between(20, LONGEST_VISIT_MS), () => {
        if (this.#resting) return;
        this.#end(visitors.frontend);
        this.#next();
      });
    });
  }

  /** Both come and go, once. */
  inCalm(): void {
    const { random, scheduler, visitors, impaired } = this.#world;
    if (impaired || !this.#isInCalm) return;
    for (const visitor of [visitors.frontend, visitors.catalog]) {
      this.#start(visitor);
      scheduler.runUntil(scheduler.now + CALM_VISIT_MS + random.between(20, LONGEST_VISIT_MS));
      this.#end(visitor);
      scheduler.runUntil(scheduler.now + AFTER_VISIT_MS);
    }
  }

  #start(visitor: World["visitors"]["frontend" | "catalog"]): void {
    this.#world.counters.add("second processes of one name");
    this.#world.log(`${visitor.name} starts, called as another`);
    visitor.start();
  }

  #end(visitor: World["visitors"]["frontend" | "catalog"]): void {
    this.#world.log(`${visitor.name} ends`);
    visitor.crash();
  }
}
