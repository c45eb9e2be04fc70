// Everything that one run consists of.

import { encodeCommands } from "../src/core/market/codec.ts";
import type { Entry, EntryBody } from "../src/core/replication/types.ts";
import type { DeskLimits } from "../src/core/service/leader-desk.ts";
import { DESK_LIMITS } from "../src/core/service/limits.ts";
import { drawAstrayRun } from "./astray.ts";
import { CatalogNode } from "./catalog-node.ts";
import { CopyStore } from "./copies.ts";
import { Counters } from "./counters.ts";
import { SimulatedDatabase } from "./database.ts";
import { SimulatedDisk } from "./disk.ts";
import {
  drawFaults,
  drawMisconfigurations,
  drawMutes,
  drawResets,
  type FaultMix,
  type StrikeOn,
} from "./faults.ts";
import { FrontendNode } from "./frontend-node.ts";
import { drawLieRun, type LieRun, WITHOUT_LIES } from "./lies.ts";
import { Network } from "./network.ts";
import { Oracle } from "./oracle.ts";
import type { Process } from "./process.ts";
import { Random } from "./random.ts";
import type { ReplicaHost } from "./replica-log.ts";
import { ReplicaNode } from "./replica-node.ts";
import { Scheduler } from "./scheduler.ts";
import { drawSetting, type Setting } from "./setting.ts";
import { chained, FIRST_DIGEST } from "./table-log.ts";
import { drawVisitRun } from "./visit-run.ts";

/** Above all seeds: what is drawn from here leaves the rest of a run as it is. */
const RESETS_STREAM = 2 ** 42;
// Chosen so that no seed of a deliberate bug is such a run: these few need not be looked for anew.
const MUTES_STREAM = 2 ** 45 + 37 * 2 ** 20;
/** Such that the runs which find the other deliberate bugs stay as they were. */
const MISCONFIGURED_STREAM = 2 ** 43 + 1_718 * 2 ** 21;
/** Above all seeds, like the others. */
const DESK_STREAM = 2 ** 47;
const ENGINE_STREAM = 2 ** 46;
const STORE_STREAM = 2 ** 48;
/** How many runs have their log in a database. */
const IN_DATABASE = 0.25;
/** More than come in one call, and fewer than impatient clients of several front ends have under way. */
const QUESTIONS_IN_HAND_FEW = 102;
const TIMELINE_LINES_MAX = 4_000;
const STOCKS = ["FishCo", "BoarCo", "MenhirCo", "ElmCo", "OakCo", "AshCo", "YewCo", "FirCo"];

export class World implements ReplicaHost {
  readonly seed: number;
  readonly random: Random;
  readonly scheduler = new Scheduler();
  readonly counters = new Counters();
  readonly oracle = new Oracle();
  readonly network: Network;
  readonly messageBytesMax: number;
  readonly deskLimits: DeskLimits;
  readonly replicaIds: readonly number[];
  readonly replicas: readonly ReplicaNode[];
  readonly catalogs: readonly CatalogNode[];
  readonly frontends: readonly FrontendNode[];
  /** Second processes, called as the first front end and the first catalog: see visits.ts. */
  readonly visitors: { readonly frontend: FrontendNode; readonly catalog: CatalogNode };
  readonly hasMutes: boolean;
  readonly setting: Setting;
  readonly stockNames: readonly string[];
  /** Where front ends keep their copies, if not in memory. */
  readonly store: CopyStore | null;
  /** Where the log is kept, if not by the replicas. */
  readonly database: SimulatedDatabase | null;
  impaired: Process | null = null;
  onDamaged: (replica: number) => void = () => {};
  onDeed: (replica: number, deed: StrikeOn, to: number | null) => void = () => {};
  readonly timeline: string[] = [];
  readonly lies: LieRun;
  #faults: FaultMix;

  /** `setting` is drawn, unless a test gives one: then the log is the built-in one. */
  constructor(seed: number, setting?: Setting) {
    this.seed = seed;
    this.random = new Random(seed);
    const astray = drawAstrayRun(seed);
    const visited = drawVisitRun(seed);
    const engine = new Random(seed + ENGINE_STREAM);
    const isInDatabase = setting === undefined && engine.chance(IN_DATABASE);
    this.lies = isInDatabase ? WITHOUT_LIES : drawLieRun(seed);
    this.setting = setting ?? {
      ...drawSetting(this.random),
      ...visited.setting,
      ...astray.setting,
    };
    this.stockNames = STOCKS.slice(0, this.setting.stocks);
    this.#faults = {
      ...drawFaults(this.random, this.setting.isNarrow),
      ...drawResets(new Random(seed + RESETS_STREAM)),
      ...drawMutes(new Random(seed + MUTES_STREAM)),
      ...drawMisconfigurations(new Random(seed + MISCONFIGURED_STREAM)),
      ...visited.faults,
      ...astray.faults,
      ...this.lies.faults,
    };
    this.hasMutes = this.#faults.mutePerSecond > 0;
    this.network = new Network(this.scheduler, this.random, this.#faults, this.counters);
    this.replicaIds = this.random.chance(0.8) ? [9090, 9092, 9094] : [9090, 9092, 9094, 9096, 9098];
    this.messageBytesMax = this.random.pick([60, 60, 250, 1_000, 1 << 20]);
    this.deskLimits = {
      ...drawDeskLimits(new Random(seed + DESK_STREAM)),
      feedBytesMax: astray.pieceBytes ?? 600,
    };
    const keepsAll = new Random(seed + STORE_STREAM).chance(0.3);
    this.store = this.random.chance(0.4) ? new CopyStore(keepsAll) : null;
    const first = this.#firstEntries();
    const committedIn = (entry: Entry) => this.oracle.committedIn(entry);
    this.replicas = this.replicaIds.map((id) => {
      const hardState = { promise: { epoch: 0, nominee: id }, voter: true };
      const disk = new SimulatedDisk(hardState, first, {
        members: this.replicaIds,
        syncsEachWrite: !isInDatabase,
        committedIn,
      });
      disk.tables.apply(first);
      return new ReplicaNode(this, id, disk);
    });
    this.database = isInDatabase ? new SimulatedDatabase(this, chained(first), FIRST_DIGEST) : null;
    this.oracle.commits(0, first, this.database ?? this.replicas.map(({ disk }) => disk));
    this.catalogs = Array.from(
      { length: this.setting.catalogs },
      (_, n) => new CatalogNode(this, `catalog-${n}`),
    );
    this.frontends = Array.from(
      { length: this.setting.frontends },
      (_, n) => new FrontendNode(this, `frontend-${n}`, this.store),
    );
    this.visitors = {
      frontend: new FrontendNode(this, "frontend-visiting", this.store),
      catalog: new CatalogNode(this, "catalog-visiting"),
    };
    const { frontend, catalog } = this.visitors;
    for (const process of [...this.processes, frontend, catalog]) this.network.add(process);
  }

  #firstEntries(): readonly Entry[] {
    const listed = this.stockNames.map(
      (name, index): EntryBody => ({
        kind: "command",
        bytes: encodeCommands([
          {
            kind: "list",
            requestId: `first-${name}`,
            name,
            price: 10 + index,
            quantity: this.setting.firstQuantity + 10 * index,
          },
        ]),
      }),
    );
    // Where nobody is misconfigured, it would do nothing but move the others on by one.
    const isNamed = this.#faults.misconfiguredPerSecond > 0;
    const members: EntryBody = { kind: "members", members: this.replicaIds };
    const bodies = isNamed ? [members, ...listed] : listed;
    return bodies.map((body, index) => ({ position: index + 1, epoch: 0, at: 0, body }));
  }

  get processes(): readonly Process[] {
    return [...this.replicas, ...this.catalogs, ...this.frontends];
  }

  /** The replica of this id. */
  replica(id: number): ReplicaNode {
    const found = this.replicas.find((replica) => replica.id === id);
    if (!found) throw new Error(`no replica ${id}`);
    return found;
  }

  get catalogNames(): readonly string[] {
    return this.catalogs.map(({ name }) => name);
  }

  get frontendNames(): readonly string[] {
    return [...this.frontends, this.visitors.frontend].map(({ name }) => name);
  }

  calledOf(name: string): string {
    const [visited] = name.split("-visiting");
    return visited === name ? name : `${visited}-0`;
  }

  get faults(): FaultMix {
    return this.#faults;
  }

  set faults(faults: FaultMix) {
    this.#faults = faults;
    this.network.faults = faults;
  }

  /** Whether no replacement waits for its admission, and no disk lies. */
  get allVote(): boolean {
    return this.replicas.every(({ disk }) => disk.hardState.voter && !disk.tables.isLying);
  }

  /** One line of the timeline. */
  log(line: string): void {
    this.timeline.push(`${this.scheduler.now.toFixed(2).padStart(10)} ms  ${line}`);
    if (this.timeline.length > TIMELINE_LINES_MAX) this.timeline.splice(0, TIMELINE_LINES_MAX / 2);
  }
}

/**
 * Views that rest for long after they were late show little of what can go wrong
 * with them, so in most runs they don't.
 */
function drawDeskLimits(random: Random): DeskLimits {
  return {
    ...DESK_LIMITS,
    questionsInHandMax: random.chance(0.3) ? QUESTIONS_IN_HAND_FEW : DESK_LIMITS.questionsInHandMax,
    turnsInHandMax: random.pick([1, 3, DESK_LIMITS.turnsInHandMax, DESK_LIMITS.turnsInHandMax]),
    restPerWait: random.chance(0.3) ? DESK_LIMITS.restPerWait : 0,
  };
}
