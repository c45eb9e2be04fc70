// Does to a world what its fault mix says. Longer than 400 lines because each fault is
// here once.

import { CATALOG_ANSWER_LIMIT_MS } from "../src/core/service/limits.ts";
import { drawAstray } from "./astray.ts";
import { DatabaseFaults } from "./database-faults.ts";
import { DiskLosses } from "./disk-losses.ts";
import { type FaultMix, type StrikeOn, withoutFaults } from "./faults.ts";
import type { FrontendNode } from "./frontend-node.ts";
import { LIES } from "./lies.ts";
import { Links } from "./links.ts";
import type { Process } from "./process.ts";
import type { ReplicaNode } from "./replica-node.ts";
import {
  drawLateAnswers,
  drawMisunderstanding,
  drawSpoilt,
  drawUnheard,
  losing,
  type Spoilt,
} from "./spoilt.ts";
import { Visits } from "./visits.ts";
import type { World } from "./world.ts";

const STEP_MS = 10;
const LONGEST_DOWN_MS = 3_000;
const LONGEST_PAUSE_MS = 2_500;
const LONGEST_STORE_OUTAGE_MS = 1_500;
const LONGEST_ISOLATED_PAUSE_MS = 1_500;
const SLOWEST_LINK_MS = 1_500;
/** Of a disk that is about to be lost, what it acknowledged last comes late. */
const LAST_ACKS_MS = 40;
const LATE_ACKS: Spoilt = new Map([["ack", { loss: 0, late: 1, lateMs: 1_200 }]]);
const QUIET_LOOK_MS = 0.5;
const QUIET_LOOKS_MAX = 200;
const LONGEST_DESERTED_MS = 1_200;
const LATEST_WORDS_MS = 400;

export class Nemesis {
  readonly #world: World;
  readonly #links: Links;
  readonly #losses: DiskLosses;
  readonly #visits: Visits;
  readonly #database: DatabaseFaults | null;
  #resting = false;
  #strikeAgainAt = 0;
  /** Will be stranded when it fetches. */
  #straggler: ReplicaNode | null = null;

  constructor(world: World) {
    this.#world = world;
    this.#links = new Links(world);
    this.#losses = new DiskLosses(world, this.#links);
    world.onDamaged = (id) => this.#losses.replace(world.replica(id));
    world.onDeed = (id, deed, to) => this.#deed(world.replica(id), deed, to);
    this.#visits = new Visits(world, this.#links);
    this.#database = world.database && new DatabaseFaults(world, world.database, this.#links);
    this.#next();
  }

  /** No more faults, everybody up and connected. */
  rest(): void {
    const world = this.#world;
    this.#resting = true;
    this.#links.rest();
    this.#losses.rest();
    this.#visits.rest();
    this.#database?.rest();
    world.faults = withoutFaults(world.faults);
    world.network.heal();
    if (world.store) world.store.isOut = false;
    world.log("faults end");
    for (const process of world.processes) {
      if (!process.isUp) process.start();
    }
    for (const replica of world.replicas) {
      if (replica.disk.tables.isLying) this.#losses.replace(replica);
    }
  }

  /** Second processes of one name come and go: no call waits for that. */
  visit(): void {
    this.#visits.inCalm();
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
    if (due(faults.crashAllPerSecond)) this.#crashAll(replicas);
    if (due(faults.pausePerSecond)) this.#pause(this.#someProcess());
    if (due(faults.partitionPerSecond)) this.#partition();
    if (due(faults.pairCutPerSecond)) this.#cutPair();
    if (due(faults.oneWayPerSecond)) this.#cutOneWay();
    if (faults.resetPerSecond > 0 && due(faults.resetPerSecond)) this.#reset();
    if (faults.mutePerSecond > 0 && due(faults.mutePerSecond)) this.#mute();
    if (due(faults.wipePerSecond)) this.#loseDisk(this.#someReplica());
    if (faults.liePerSecond > 0 && due(faults.liePerSecond))
      this.#losses.lie(this.#someReplica(), random.pick(LIES));
    if (due(faults.staleAdmissionPerSecond)) this.#losses.meetStaleLeader(this.#leader());
    if (due(faults.rivalsPerSecond)) this.#nominateRivals();
    if (due(faults.strayNominationPerSecond)) this.#strayNomination();
    if (due(faults.slowLinkPerSecond)) this.#slowLink();
    if (due(faults.spoilPerSecond)) this.#spoil();
    if (due(faults.stragglerPerSecond)) this.#nominateStraggler();
    if (due(faults.misunderstandingPerSecond))
      this.#links.misunderstand(drawMisunderstanding(random));
    if (due(faults.laggardPerSecond)) this.#turnToLaggard();
    if (faults.astrayPerSecond > 0 && due(faults.astrayPerSecond)) this.#leadAstray();
    if (due(faults.isolationPerSecond)) this.#isolateLeader();
    if (due(faults.desertionPerSecond)) this.#desertLeader();
    if (due(faults.islandPerSecond)) this.#island();
    if (due(faults.orphaningPerSecond)) this.#orphan();
    if (due(faults.storeOutagePerSecond)) this.#storeOutage();
    if (due(faults.switchGrantorPerSecond)) this.#breakFromCatalog(random.pick(frontends));
  }

  #someProcess(): Process {
    const { random, catalogs, frontends } = this.#world;
    return random.chance(0.65) ? this.#someReplica() : random.pick([...catalogs, ...frontends]);
  }

  /** A leader more often than not: that is where it hurts. */
  #someReplica(): ReplicaNode {
    const { random, replicas } = this.#world;
    const leader = this.#leader();
    return leader && random.chance(0.5) ? leader : random.pick(replicas);
  }

  /** What was acknowledged from it may come when its replacement is there. */
  #loseDisk(replica: ReplicaNode): void {
    const { random, replicas, scheduler } = this.#world;
    if (random.chance(0.5)) {
      this.#losses.lose(replica);
      return;
    }
    for (const other of replicas)
      if (other !== replica) this.#links.spoil(replica, other, LATE_ACKS, LAST_ACKS_MS);
    scheduler.after(LAST_ACKS_MS, () => {
      if (!this.#resting) this.#losses.lose(replica);
    });
  }

  #crashAll(replicas: readonly ReplicaNode[]): void {
    this.#world.counters.add("all replicas crashed at once");
    for (const replica of replicas) this.#crash(replica);
  }

  #crash(process: Process, downMs?: number): void {
    if (!process.isUp) return;
    const { random, scheduler, counters } = this.#world;
    counters.add(`crashes: ${process.role}`);
    // Troubles come together: who is misunderstood now misses what the next leader says.
    const troubled = process === this.#leader() && this.#world.faults.misunderstandingPerSecond > 0;
    if (troubled && random.chance(0.5)) this.#links.misunderstand(drawMisunderstanding(random));
    this.#world.log(`${process.name} crashes`);
    process.crash();
    const ms = downMs ?? random.heavy(random.between(1, LONGEST_DOWN_MS / 3));
    scheduler.after(ms, () => {
      if (process.isUp) return;
      this.#world.log(`${process.name} restarts`);
      process.start();
    });
  }

  #pause(process: Process): void {
    this.#pauseFor(process, this.#world.random.between(1, LONGEST_PAUSE_MS));
  }

  #pauseFor(process: Process, ms: number): void {
    const { counters } = this.#world;
    if (ms === 0 || !process.isUp || process.isPaused) return;
    counters.add("pauses");
    this.#world.log(`${process.name} is paused for ${ms.toFixed(0)} ms`);
    process.pause(ms);
  }

  #partition(): void {
    const { random, processes, counters } = this.#world;
    counters.add("partitions");
    this.#links.separate(new Set(processes.filter(() => random.chance(0.5))));
  }

  /** Two replicas that don't hear each other, though all others hear both. */
  #cutPair(): void {
    const { random, replicas, counters } = this.#world;
    const one = random.pick(replicas);
    const other = random.pick(replicas);
    if (one === other) return;
    counters.add("pairs cut");
    this.#world.log(`cut: ${one.name} | ${other.name}`);
    this.#links.cut([
      [one, other],
      [other, one],
    ]);
  }

  #cutOneWay(): void {
    const { random, processes, counters } = this.#world;
    const from = random.pick(processes);
    const to = random.pick(processes);
    counters.add("one-way cuts");
    this.#world.log(`cut: ${from.name} to ${to.name}`);
    this.#links.cut([[from, to]]);
  }

  /** A connection breaks though both its ends live. */
  #reset(): void {
    const { random, processes, network, scheduler, counters } = this.#world;
    const one = random.chance(0.5) ? this.#someReplica() : random.pick(processes);
    const other = random.pick(processes.filter((process) => process !== one));
    if (random.chance(0.3)) {
      counters.add("connections lost at one end");
      this.#world.log(`lost: ${one.name}'s connection to ${other.name}`);
      network.lose(one.name, other.name);
      scheduler.after(random.heavy(50), () => network.regain(one.name, other.name));
      return;
    }
    counters.add("connections reset");
    this.#world.log(`reset: ${one.name} | ${other.name}`);
    network.reset(one.name, other.name);
  }

  /** A connection falls silent, and neither end is told. */
  #mute(): void {
    const { random, processes, network, counters } = this.#world;
    const one = random.chance(0.5) ? this.#someReplica() : random.pick(processes);
    const other = random.pick(processes.filter((process) => process !== one));
    counters.add("connections fallen silent");
    this.#world.log(`silent: ${one.name} | ${other.name}`);
    network.mute(one.name, other.name);
  }

  #slowLink(): void {
    const { random, processes, counters } = this.#world;
    const from = random.pick(processes);
    const to = random.pick(processes);
    const ms = random.between(100, SLOWEST_LINK_MS);
    counters.add("slow links");
    this.#world.log(`slow: ${from.name} to ${to.name} by ${ms.toFixed(0)} ms`);
    this.#links.slow(from, to, ms);
  }

  /** A conversation between two processes goes wrong in part, on one side or both. */
  #spoil(): void {
    const { random, catalogs, frontends, counters } = this.#world;
    const replica = this.#leader() ?? this.#someReplica();
    const [catalog, frontend] = [random.pick(catalogs), random.pick(frontends)];
    if (random.chance(0.25)) {
      this.#links.spoil(replica, frontend, drawLateAnswers(random));
      return;
    }
    const [one, other] = random.pick<readonly [Process, Process]>([
      [replica, catalog],
      [catalog, frontend],
      [frontend, replica],
    ]);
    counters.add("lines spoilt");
    const lateMs = random.pick(other === replica ? [30, 1_800, 2_500] : [30, 150, 500]);
    if (random.chance(0.6)) this.#links.spoil(one, other, drawSpoilt(random, lateMs));
    if (random.chance(0.6)) this.#links.spoil(other, one, drawSpoilt(random, lateMs));
  }

  #leader(): ReplicaNode | undefined {
    return this.#world.replicas.find((replica) => replica.leads);
  }

  #turnToLaggard(): void {
    const { random, catalogs, frontends, replicas, scheduler, counters } = this.#world;
    const frontend = random.pick(frontends);
    const catalog = catalogs.find(({ name }) => name !== frontend.catalog);
    if (!catalog || frontend.catalog === null) return;
    const ms = random.between(20, 300);
    counters.add("front ends turned to a laggard");
    this.#world.log(
      `${frontend.name} turns to ${catalog.name}, which is ${ms.toFixed(0)} ms behind`,
    );
    const turn = (): void => {
      for (const replica of replicas) this.#links.slow(replica, catalog, ms, 2 * ms);
      if (random.chance(0.7))
        this.#links.misunderstand(drawUnheard(random, 0.2), frontend, catalog);
    };
    const asked = catalogs.find(({ name }) => name === frontend.catalog);
    if (asked && random.chance(0.4)) {
      // It grants leases, but lets every question time out, until it is left aside.
      const silentMs = CATALOG_ANSWER_LIMIT_MS + random.between(20, 200);
      this.#links.spoil(asked, frontend, losing("looked"), silentMs);
      scheduler.after(CATALOG_ANSWER_LIMIT_MS - random.between(0, ms / 2), () => {
        if (!this.#resting) turn();
      });
      return;
    }
    turn();
    scheduler.after(random.between(0, ms / 3), () => this.#breakFromCatalog(frontend));
  }

  /** The connection to the catalog that it asks breaks: it turns to the next, if there is one. */
  #breakFromCatalog({ name, catalog }: FrontendNode): void {
    if (catalog === null) return;
    this.#world.counters.add("grantors switched");
    this.#world.network.reset(name, catalog);
  }

  #leadAstray(): void {
    const { random, catalogs } = this.#world;
    const leader = this.#leader();
    if (!leader) return;
    const catalog = random.pick(catalogs);
    const other = catalogs.find((each) => each !== catalog);
    this.#links.leadAstray(leader, catalog, other, drawAstray(random));
  }

  /**
   * The leader sleeps through an election, in company: who is cut off with it
   * can't know that it was replaced.
   */
  #isolateLeader(): void {
    const { random, replicas, catalogs, frontends, counters } = this.#world;
    const leader = this.#leader();
    if (!leader) return;
    const some = [...catalogs, ...frontends].filter(() => random.chance(0.4));
    const company = random.chance(0.5) ? some : [random.pick(frontends)];
    counters.add("leaders isolated");
    const pauseMs = random.chance(0.8) ? random.between(100, LONGEST_ISOLATED_PAUSE_MS) : 0;
    if (random.chance(0.5)) {
      this.#links.separate(
        new Set<Process>([leader, ...company]),
        pauseMs + random.between(10, 1_000),
      );
      this.#pauseFor(leader, pauseMs);
      return;
    }
    // What the other replicas had sent reaches it late, perhaps when it has just woken.
    const others = replicas.filter((replica) => replica !== leader);
    const lateMs = pauseMs + random.between(100, LONGEST_ISOLATED_PAUSE_MS / 3);
    this.#world.log(`${leader.name}'s mail is ${lateMs.toFixed(0)} ms late`);
    for (const other of others) this.#links.slow(other, leader, lateMs);
    this.#onceQuiet(leader, random.between(0, random.pick([5, 100])), () => {
      this.#links.separate(new Set<Process>([leader, ...company]), lateMs + 500, leader);
      this.#pauseFor(leader, pauseMs);
    });
  }

  /** When nothing is under way at the leader, which it then would wait for in vain, or after a while. */
  #onceQuiet(leader: ReplicaNode, afterMs: number, run: () => void, looks = QUIET_LOOKS_MAX): void {
    this.#world.scheduler.after(afterMs, () => {
      if (this.#resting) return;
      if (looks === 0 || !leader.leads || leader.isQuiet) run();
      else this.#onceQuiet(leader, QUIET_LOOK_MS, run, looks - 1);
    });
  }

  /**
   * All others lose the leader and elect another at once, while it, and who is cut off with it,
   * goes on. In some cases it still hears, late, what replicas had said before. The next leader
   * may not live long either.
   */
  #desertLeader(): void {
    const { random, processes, replicas, catalogs, frontends, scheduler, network, counters } =
      this.#world;
    const leader = this.#leader();
    if (!leader) return;
    const company = [
      ...catalogs.filter(() => random.chance(0.4)),
      ...frontends.filter(() => random.chance(0.15)),
    ];
    const asker = frontends.find(() => random.chance(0.6)) ?? random.pick(frontends);
    const inside = new Set<Process>([leader, asker, ...company]);
    const others = processes.filter((process) => !inside.has(process));
    const ms = random.between(50, LONGEST_DESERTED_MS);
    const hears = random.chance(0.4);
    counters.add("leaders deserted");
    if (hears) {
      const lateMs = random.between(50, LATEST_WORDS_MS);
      for (const other of replicas)
        if (other !== leader) this.#links.slow(other, leader, lateMs, ms);
    }
    this.#onceQuiet(leader, hears ? random.heavy(2) : 0, () => {
      this.#links.separate(inside, ms, hears ? leader : undefined);
      for (const { name } of others) network.lose(name, leader.name);
      // Also if the faults end before.
      scheduler.after(ms, () => {
        for (const { name } of others) network.reset(leader.name, name);
        const next = this.#leader();
        if (next && next !== leader && !this.#resting && random.chance(0.4)) this.#crash(next);
      });
    });
  }

  #island(): void {
    const { random, catalogs, frontends, counters } = this.#world;
    counters.add("islands");
    const company = frontends.filter(() => random.chance(0.6));
    this.#links.separate(new Set<Process>([random.pick(catalogs), ...company]));
  }

  #deed(replica: ReplicaNode, deed: StrikeOn, to: number | null): void {
    const { random, faults, scheduler, counters } = this.#world;
    const { strike } = faults;
    if (deed === "fetch" && replica === this.#straggler && !this.#resting) {
      this.#straggler = null;
      counters.add("stragglers stranded");
      this.#links.strand(replica, to);
      return;
    }
    if (this.#resting || !strike?.on.has(deed) || scheduler.now < this.#strikeAgainAt) return;
    if (!random.chance(deed === "fetch" ? Math.sqrt(strike.chance) : strike.chance)) return;
    this.#strikeAgainAt = scheduler.now + random.between(0, strike.truceMs);
    counters.add(`struck at ${deed}`);
    this.#world.log(`${replica.name} is struck at ${deed}`);
    if (deed === "fetch" && random.chance(0.7)) {
      this.#links.strand(replica, to);
      return;
    }
    if (random.chance(strike.kills)) {
      this.#crash(replica, random.heavy(strike.downMs));
      return;
    }
    this.#links.separate(new Set([replica]), random.between(20, LONGEST_ISOLATED_PAUSE_MS));
    if (random.chance(0.3)) this.#pause(replica);
  }

  /** Nobody leads, and several front ends each have their own idea of who should. */
  #nominateRivals(): void {
    const { random, replicas, counters, scheduler } = this.#world;
    if (replicas.some((replica) => replica.leads && !replica.isPaused)) return;
    const rivals = replicas.filter((replica) => replica.isUp && !replica.isPaused);
    if (rivals.length < 2) return;
    counters.add("rivals nominated");
    for (const rival of rivals) {
      if (random.chance(0.2)) continue;
      scheduler.after(random.pick([0, random.heavy(1)]), () => {
        if (rival.isUp && !rival.isPaused) rival.nominate(() => {});
      });
    }
  }

  /** A replica that was cut off is nominated when the leader crashes, and has to fetch. */
  #nominateStraggler(): void {
    const { random, replicas, scheduler, counters } = this.#world;
    const leader = this.#leader();
    const straggler = random.pick(replicas.filter((replica) => replica !== leader));
    if (!leader || !straggler?.isUp || straggler.isPaused) return;
    counters.add("stragglers nominated");
    const ms = random.between(100, 400);
    this.#links.separate(new Set([straggler]), ms);
    scheduler.after(ms, () => {
      if (this.#resting) return;
      this.#straggler = straggler;
      this.#crash(leader, random.heavy(60));
      for (const laterMs of [10, 20, 40]) {
        scheduler.after(laterMs, () => {
          if (straggler.isUp && !straggler.isPaused) straggler.nominate(() => {});
        });
      }
    });
  }

  #orphan(): void {
    const { random, catalogs, frontends, counters, scheduler } = this.#world;
    const catalog = random.pick(catalogs);
    const frontend = random.pick(frontends);
    if (!catalog.isUp) return;
    counters.add("front ends orphaned");
    this.#world.log(`cut: ${catalog.name} | ${frontend.name}; ${catalog.name} restarts`);
    this.#links.cut([
      [catalog, frontend],
      [frontend, catalog],
    ]);
    catalog.crash();
    scheduler.after(random.between(1, 30), () => catalog.start());
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
