// What goes wrong with the database of a run in which the log is kept there, and
// between it and the replicas: drawn by a stream of its own.

import { LEADER_SILENCE_MS } from "../src/core/replication/limits.ts";
import type { SimulatedDatabase } from "./database.ts";
import type { Links } from "./links.ts";
import { Random } from "./random.ts";
import type { ReplicaNode } from "./replica-node.ts";
import type { World } from "./world.ts";

/** Above all seeds, like the others. */
const DATABASE_STREAM = 2 ** 47 + 2 ** 46;
/** Strikes of one kind, a second. */
const RATES = [0, 0, 0.2, 0.7, 2];
const LONGEST_OUTPACED_MS = 1_800;
/** Clients that are kept waiting ask no more, so that it is asked besides. */
const OUTPACED_ASKED = 5;

export class DatabaseFaults {
  readonly #world: World;
  readonly #database: SimulatedDatabase;
  readonly #links: Links;
  readonly #random: Random;
  #resting = false;

  constructor(world: World, database: SimulatedDatabase, links: Links) {
    this.#world = world;
    this.#links = links;
    this.#database = database;
    const random = new Random(world.seed + DATABASE_STREAM);
    this.#random = random;
    database.slowness = random.pick([1, 1, 4, 20]);
    database.lateAnswers = random.pick([0, 0, 0.003, 0.01]);
    const server = () => random.pick(database.servers);
    const replica = () => random.pick(world.replicas);
    const strikes: (() => void)[] = [
      () => database.cancelWaits(),
      () => this.#loseStandbys(),
      () => database.reset(server(), random.chance(0.3)),
      () => database.cutSome(),
      () => database.freeze(server(), random.between(5, random.pick([100, 3_000]))),
      () => this.#crash(),
      () => this.#failOver(),
      () => this.#cutOff(replica().name),
      () => this.#mislead(replica()),
      () => this.#outpace(),
    ];
    for (const strike of strikes) {
      const perSecond = random.pick(RATES);
      if (perSecond > 0) this.#again(strike, 1_000 / perSecond);
    }
  }

  /** The faults end. An old primary may be left as it is, with whoever is still connected to it. */
  rest(): void {
    this.#resting = true;
    this.#database.heal();
    if (this.#random.chance(0.5)) this.#database.rejoin();
  }

  #later(ms: number, run: () => void): void {
    this.#world.scheduler.after(ms, () => {
      if (!this.#resting) run();
    });
  }

  #again(strike: () => void, everyMs: number): void {
    this.#later(this.#random.heavy(everyMs), () => {
      strike();
      this.#again(strike, everyMs);
    });
  }

  #crash(): void {
    const random = this.#random;
    const database = this.#database;
    const server = random.pick(database.servers);
    database.crash(server);
    this.#later(random.between(5, 1_500), () => {
      database.start(server);
      if (random.chance(0.5)) database.rejoin();
    });
  }

  /** As who watches over a database does it: the primary is taken for lost, which it may be or not. */
  #failOver(): void {
    const random = this.#random;
    const database = this.#database;
    const old = database.primary;
    const fate = random.pick(["lives", "lives", "dies", "hangs"]);
    if (fate === "dies") database.crash(old);
    if (fate === "hangs") database.freeze(old, random.between(100, 2_000));
    this.#later(random.between(0, 200), () => {
      if (database.primary !== old || !database.failOver()) return;
      for (const replica of this.#world.replicas)
        if (random.chance(0.3)) this.#later(random.between(0, 300), () => this.#mislead(replica));
      if (random.chance(0.5)) this.#later(random.between(0, 300), () => database.cancelWaits());
      else if (random.chance(0.7)) database.reset(old, random.chance(0.3));
      this.#later(random.between(50, 1_500), () => {
        database.start(old);
        database.rejoin();
      });
    });
  }

  /** No standby gets anything for a while; somebody cancels the wait, or has one of them promoted. */
  #loseStandbys(): void {
    const random = this.#random;
    const database = this.#database;
    database.isStalled = true;
    for (const ms of [random.between(1, 50), random.between(1, 400)]) {
      this.#later(ms, () => {
        if (random.chance(0.7)) database.cancelWaits();
        if (random.chance(0.5)) this.#failOver();
      });
    }
    this.#later(random.between(10, 500), () => {
      database.isStalled = false;
    });
  }

  #cutOff(replica: string): void {
    this.#world.counters.add("replicas cut off from the database");
    this.#world.log(`${replica} is cut off from the database`);
    this.#database.cutOff(replica);
    this.#later(this.#random.between(50, 2_500), () => this.#database.mend(replica));
  }

  /** A leader's answers are late, and meanwhile, where it isn't heard, another is chosen. */
  #outpace(): void {
    const { replicas, frontends, counters } = this.#world;
    const random = this.#random;
    const leader = replicas.find(({ leads }) => leads);
    if (!leader) return;
    const ms = random.between(LEADER_SILENCE_MS, LONGEST_OUTPACED_MS);
    counters.add("leaders outpaced");
    this.#database.answerLate(leader.name, random.between(ms / 2, ms));
    this.#links.separate(new Set([leader, ...frontends.filter(() => random.chance(0.5))]), ms);
    for (let asked = 0; asked < OUTPACED_ASKED; asked += 1)
      this.#later(random.between(0, ms), () => leader.confirm());
    this.#later(ms, () => this.#database.answerLate(leader.name, 0));
  }

  /** It is on the old primary's side of the network, alone or not. */
  #mislead(replica: ReplicaNode): void {
    const random = this.#random;
    const ms = random.between(50, 2_000);
    this.#database.mislead(replica.name, random.chance(0.7));
    if (random.chance(0.5)) this.#links.separate(new Set([replica]), ms);
    this.#later(ms, () => this.#database.undeceive(replica.name));
  }
}
