// The log over two SQL tables in a run of its own: real step functions of three
// replicas over a simulated database, whoever is nominated appends and asks, while
// a nemesis breaks processes, connections and servers. Checked from outside:
//
//   R3. One leader an epoch.
//   R4. What any replica delivers as committed at a position is the same at all of
//       them and for ever, without gaps, and nothing is there twice; so what a leader
//       was acknowledged is never lost by a later one.
//   F1. A confirmation says truly that no later leader had won when it was asked for.
//   F2. No leader confirms itself from a time after a later one says that it won.
//   L1. Once the faults are over there is a leader again, what it appends is
//       committed, and all replicas are level.
//
// Longer than 400 lines because it is a whole run: its replicas, its nemesis, its checker.

import { HEARTBEAT_MS } from "../src/core/replication/limits.ts";
import type { Entry } from "../src/core/replication/types.ts";
import { TableReplica } from "../src/core/table-log/table-replica.ts";
import type { Beat, ChainedEntry, TableEffect, TableEvent } from "../src/core/table-log/types.ts";
import type { Counters } from "./counters.ts";
import { type Session, SimulatedDatabase } from "./database.ts";
import { Random } from "./random.ts";
import { Scheduler } from "./scheduler.ts";
import { Violation } from "./violation.ts";

/** Above all seeds, so that a world of the same seed is drawn as it was. */
const STREAM = 2 ** 47;
const IDS = [1, 2, 3];
const FIRST_ENTRIES = 3;
const NOMINATE_EVERY_MS = 60;
/** Until the last statement that was given up has arrived, and another leads. */
const CALM_MS = 4_500;

export interface TableLogRun {
  readonly counters: Counters;
  readonly log: (line: string) => void;
}

/** Runs `seed` for `ticks` simulated milliseconds with faults, then until all is settled; throws a Violation. */
export function runTableLog(seed: number, ticks: number, { counters, log }: TableLogRun): void {
  new TableLogWorld(seed, counters, log).run(ticks);
}

class TableLogWorld {
  readonly random: Random;
  readonly scheduler = new Scheduler();
  readonly counters: Counters;
  readonly database: SimulatedDatabase;
  readonly nodes: readonly TableNode[];
  readonly checker = new Checker();
  readonly log: (line: string) => void;
  isCalm = false;
  /** How often things go wrong, a second each; drawn. */
  readonly #faults: ReadonlyMap<() => void, number>;
  #appended = 0;

  constructor(seed: number, counters: Counters, log: (line: string) => void) {
    this.random = new Random(seed + STREAM);
    this.counters = counters;
    this.log = (line) => log(`tables ${this.scheduler.now.toFixed(2).padStart(10)} ms  ${line}`);
    const first = firstEntries();
    const head = { epoch: 0, leader: null, last: FIRST_ENTRIES, committed: FIRST_ENTRIES };
    this.database = new SimulatedDatabase(this, head, first);
    this.database.slowness = this.random.pick([1, 1, 4, 20]);
    this.database.lateAnswers = this.random.pick([0, 0, 0.003, 0.01]);
    this.checker.commits(
      0,
      first.map(({ entry }) => entry),
    );
    this.nodes = IDS.map((id) => new TableNode(this, id, first));
    const { database, random } = this;
    const some = () => random.pick(this.nodes);
    const server = () => random.pick(database.servers);
    const rate = () => random.pick([0, 0.3, 1, 3]);
    this.#faults = new Map<() => void, number>([
      [() => database.cancelWaits(), 2 * rate()],
      [() => this.#loseStandbys(), rate()],
      [() => database.reset(server(), random.chance(0.3)), rate()],
      [() => database.cutSome(), rate()],
      [() => database.freeze(server(), random.between(5, random.pick([100, 3_000]))), rate()],
      [() => this.#crashServer(), rate()],
      [() => this.#failOver(), rate()],
      [() => some().crash(random.between(5, 500)), rate()],
      [() => some().pause(random.between(5, random.pick([100, 3_000]))), rate()],
      [() => this.#parted(random.between(50, 2_000)), rate()],
      [() => some().mislead(random.between(50, 2_000)), rate()],
    ]);
  }

  run(ticks: number): void {
    const { scheduler, random } = this;
    for (const node of this.nodes) node.start();
    for (const [strike, perSecond] of this.#faults) {
      if (perSecond > 0) this.#strikes(strike, 1_000 / perSecond);
    }
    this.#nominateAgain();
    scheduler.runUntil(ticks);
    this.#calm();
    scheduler.runUntil(ticks + CALM_MS);
    const leader = this.nodes.find(({ leads }) => leads);
    if (!leader) throw new Violation("L1: nobody leads the log over tables");
    const { lastPosition } = leader.status;
    leader.append([this.#command()]);
    scheduler.runUntil(scheduler.now + 2_000 + random.between(0, 1));
    for (const node of this.nodes) {
      if (node.position > lastPosition) continue;
      throw new Violation(
        `L1: replica ${node.id} is at ${node.position}, not beyond ${lastPosition}`,
      );
    }
    this.counters.add("entries committed in tables", this.checker.size);
  }

  #strikes(strike: () => void, everyMs: number): void {
    this.scheduler.after(this.random.heavy(everyMs), () => {
      if (this.isCalm) return;
      strike();
      this.#strikes(strike, everyMs);
    });
  }

  #calm(): void {
    this.isCalm = true;
    const { database } = this;
    database.slowness = 1;
    database.isStalled = false;
    database.lateAnswers = 0;
    for (const server of database.servers) {
      database.thaw(server);
      database.start(server);
      if (this.random.chance(0.5)) database.reset(server, false);
    }
    // An old primary may be left as it is, with whoever is still connected to it.
    if (this.random.chance(0.5)) database.rejoin();
    for (const node of this.nodes) node.heal();
  }

  #crashServer(): void {
    const { database, random, scheduler } = this;
    const server = random.pick(database.servers);
    database.crash(server);
    scheduler.after(random.between(5, 1_500), () => {
      database.start(server);
      if (random.chance(0.5)) database.rejoin();
    });
  }

  /** As who watches over a database does it: the primary is taken for lost, which it may be or not. */
  #failOver(): void {
    const { database, random, scheduler } = this;
    const old = database.primary;
    const fate = random.pick(["lives", "lives", "dies", "hangs"]);
    if (fate === "dies") database.crash(old);
    if (fate === "hangs") database.freeze(old, random.between(100, 2_000));
    scheduler.after(random.between(0, 200), () => {
      if (this.isCalm || database.primary !== old || !database.failOver()) return;
      if (random.chance(0.3)) random.pick(this.nodes).mislead(random.between(50, 1_000));
      if (random.chance(0.5)) {
        scheduler.after(random.between(0, 300), () => database.cancelWaits());
      } else if (random.chance(0.7)) database.reset(old, random.chance(0.3));
      scheduler.after(random.between(50, 1_500), () => {
        database.start(old);
        database.rejoin();
      });
    });
  }

  /** No standby gets anything for a while; somebody cancels the wait, or has one of them promoted. */
  #loseStandbys(): void {
    const { database, random, scheduler } = this;
    database.isStalled = true;
    for (const ms of [random.between(1, 50), random.between(1, 400)]) {
      scheduler.after(ms, () => {
        if (this.isCalm) return;
        if (random.chance(0.7)) database.cancelWaits();
        if (random.chance(0.5)) this.#failOver();
      });
    }
    scheduler.after(random.between(10, 500), () => {
      database.isStalled = false;
    });
  }

  /** A replica and another one, or all others, hear nothing of each other. */
  #parted(ms: number): void {
    const { random, nodes, scheduler } = this;
    const one = random.pick(nodes);
    const others = nodes.filter((node) => node !== one);
    const parted = random.chance(0.5) ? others : [random.pick(others)];
    for (const other of parted) {
      one.part(other);
      other.part(one);
    }
    scheduler.after(ms, () => {
      for (const other of parted) {
        one.rejoin(other);
        other.rejoin(one);
      }
    });
  }

  /** Some front end wants a leader, if it knows none; now and then though it could know one. */
  #nominateAgain(): void {
    const { random } = this;
    const isNeeded = !this.nodes.some(({ leads, isPaused }) => leads && !isPaused);
    if (isNeeded || random.chance(this.isCalm ? 0.05 : 0.3)) random.pick(this.nodes).lead();
    this.scheduler.after(random.heavy(NOMINATE_EVERY_MS), () => this.#nominateAgain());
  }

  #command(): Uint8Array {
    this.#appended += 1;
    return new TextEncoder().encode(`${this.#appended}`);
  }

  /** What a role does while it leads. */
  work(node: TableNode): void {
    if (!node.leads) return;
    const { random } = this;
    if (random.chance(0.7)) {
      node.append(Array.from({ length: 1 + random.below(3) }, () => this.#command()));
    }
    if (random.chance(0.4)) node.confirm();
  }
}

/** FNV-1a: what stands for a cryptographic digest here costs little, and nobody forges it. */
function chain(previous: Uint8Array, entry: Entry): Uint8Array {
  let digest = previous.reduce((sum, byte) => (sum << 8) | byte, 0);
  const text = textOf(entry);
  for (let index = 0; index < text.length; index += 1)
    digest = Math.imul(digest ^ text.charCodeAt(index), 0x01000193);
  return Uint8Array.of(digest >>> 24, digest >>> 16, digest >>> 8, digest);
}

const texts = new WeakMap<Entry, string>();

function textOf(entry: Entry): string {
  const { position, epoch, body } = entry;
  const known = texts.get(entry);
  if (known !== undefined) return known;
  const text = body.kind === "command" ? String.fromCharCode(...body.bytes) : body.kind;
  const leader = body.kind === "reign" ? body.leader : "";
  const whole = `${position} ${epoch} ${text} ${leader}`;
  texts.set(entry, whole);
  return whole;
}

function firstEntries(): ChainedEntry[] {
  let digest: Uint8Array = new Uint8Array(4);
  return Array.from({ length: FIRST_ENTRIES }, (_, index) => {
    const bytes = new TextEncoder().encode(`first ${index}`);
    const entry: Entry = { position: index + 1, epoch: 0, at: 0, body: { kind: "command", bytes } };
    digest = chain(digest, entry);
    return { entry, digest };
  });
}

class Checker {
  /** What is committed, by position, and where it is. */
  readonly #committed: string[] = [];
  readonly #commands = new Set<string>();
  /** Who led an epoch, and since when, in true time. */
  readonly #leaders = new Map<number, { readonly id: number; readonly wonMs: number }>();
  /** By epoch: the latest time from which its leader was confirmed. */
  readonly #confirmed = new Map<number, number>();

  get size(): number {
    return this.#committed.length;
  }

  commits(id: number, entries: readonly Entry[]): void {
    for (const entry of entries) {
      const text = textOf(entry);
      const known = this.#committed[entry.position - 1];
      if (known === text) continue;
      if (known !== undefined)
        throw new Violation(`R4: replica ${id} delivers ${text}, where ${known} was delivered`);
      if (entry.position !== this.size + 1)
        throw new Violation(`R4: replica ${id} delivers ${text}, and only ${this.size} are known`);
      this.#committed.push(text);
      if (entry.body.kind !== "command") continue;
      const command = String.fromCharCode(...entry.body.bytes);
      if (this.#commands.has(command)) throw new Violation(`R4: ${command} is committed twice`);
      this.#commands.add(command);
    }
  }

  leads(id: number, epoch: number, nowMs: number): void {
    const known = this.#leaders.get(epoch);
    if (known) throw new Violation(`R3: replicas ${known.id} and ${id} lead epoch ${epoch}`);
    this.#leaders.set(epoch, { id, wonMs: nowMs });
  }

  /** In true time: asked for at `askedMs`, answered with yes. */
  confirms(epoch: number, askedMs: number): void {
    for (const [later, { wonMs }] of this.#leaders) {
      if (later > epoch && wonMs < askedMs)
        throw new Violation(`F1: epoch ${epoch} is confirmed, though ${later} was won before`);
    }
  }

  /** In true time: by what leases are measured. */
  reigns(epoch: number, wonMs: number, confirmedMs: number): void {
    this.#confirmed.set(epoch, Math.max(confirmedMs, this.#confirmed.get(epoch) ?? 0));
    for (const [earlier, latestMs] of this.#confirmed) {
      if (earlier < epoch && latestMs > wonMs)
        throw new Violation(`F2: epoch ${earlier} is confirmed from after ${epoch} says it won`);
    }
  }
}

class TableNode {
  readonly #world: TableLogWorld;
  readonly id: number;
  /** Its file: what it has stored. */
  readonly #stored: ChainedEntry[];
  #machine: TableReplica;
  #session: Session | null = null;
  #life = 0;
  isUp = false;
  #pausedUntilMs = 0;
  #backlog: (() => void)[] = [];
  /** To whom its connection is cut. */
  readonly #parted = new Set<number>();
  /** Reaches only old primaries, if there are any. */
  #misledUntilMs = 0;
  #clockOffset = 0;
  leads = false;
  #wonAt = 0;
  #asked = new Map<number, number>();
  #token = 0;

  constructor(world: TableLogWorld, id: number, first: readonly ChainedEntry[]) {
    this.#world = world;
    this.id = id;
    this.#stored = [...first];
    this.#machine = this.#newMachine();
  }

  get status() {
    return this.#machine.status();
  }

  get position(): number {
    return this.#stored.length;
  }

  #newMachine(): TableReplica {
    const { entry, digest } = this.#stored.at(-1) as ChainedEntry;
    return new TableReplica({
      id: this.id,
      peers: IDS.filter((id) => id !== this.id),
      end: { position: entry.position, digest },
      chain,
    });
  }

  start(): void {
    if (this.isUp) return;
    this.isUp = true;
    this.#life += 1;
    this.#clockOffset = this.#world.random.between(0, 1_000);
    this.#machine = this.#newMachine();
    this.leads = false;
    this.#connect();
    this.#every(HEARTBEAT_MS / 2, () => this.#step({ kind: "tick" }));
    this.#every(this.#world.random.pick([5, 30]), () => this.#world.work(this));
    for (const other of this.#others) {
      this.#link(other, "connected");
      other.#link(this, "connected");
    }
  }

  crash(downMs: number): void {
    if (!this.isUp) return;
    this.#world.counters.add("replicas over tables crashed");
    this.#world.log(`replica ${this.id} crashes`);
    this.isUp = false;
    this.#life += 1;
    this.#pausedUntilMs = 0;
    this.#backlog = [];
    this.#abandon();
    this.#asked.clear();
    this.leads = false;
    for (const other of this.#others) other.#link(this, "disconnected");
    this.#world.scheduler.after(downMs, () => this.start());
  }

  pause(ms: number): void {
    if (!this.isUp || this.isPaused) return;
    this.#pausedUntilMs = this.#world.scheduler.now + ms;
    this.#world.scheduler.after(ms, () => this.#wake());
  }

  get isPaused(): boolean {
    return this.#pausedUntilMs > this.#world.scheduler.now;
  }

  #wake(): void {
    if (this.isPaused) return;
    for (const run of this.#backlog.splice(0)) run();
  }

  mislead(ms: number): void {
    this.#misledUntilMs = this.#world.scheduler.now + ms;
    if (this.#world.random.chance(0.5)) this.#lost();
  }

  part(other: TableNode): void {
    this.#parted.add(other.id);
    this.#link(other, "disconnected");
  }

  rejoin(other: TableNode): void {
    if (!this.#parted.delete(other.id)) return;
    this.#link(other, "connected");
  }

  heal(): void {
    this.#misledUntilMs = 0;
    this.#pausedUntilMs = 0;
    this.#wake();
    this.start();
    for (const other of this.#others) this.rejoin(other);
  }

  lead(): void {
    this.#later(0, () => this.#step({ kind: "lead" }));
  }

  append(commands: readonly Uint8Array[]): void {
    this.#step({ kind: "append", commands });
    this.#later(0, () => this.#step({ kind: "round", confirm: null }));
  }

  confirm(): void {
    this.#token += 1;
    const token = this.#token;
    this.#asked.set(token, this.#world.scheduler.now);
    this.#later(0, () => this.#step({ kind: "round", confirm: token }));
  }

  get #others(): readonly TableNode[] {
    return this.#world.nodes.filter((node) => node !== this);
  }

  /** Runs in this life, once it isn't paused. */
  #later(ms: number, run: () => void): void {
    const life = this.#life;
    const due = (): void => {
      if (life !== this.#life || !this.isUp) return;
      if (this.isPaused) this.#backlog.push(due);
      else run();
    };
    this.#world.scheduler.after(ms, due);
  }

  #every(ms: number, run: () => void): void {
    this.#later(ms, () => {
      run();
      this.#every(ms, run);
    });
  }

  #link(other: TableNode, kind: "connected" | "disconnected"): void {
    if (kind === "connected" && (!other.isUp || this.#parted.has(other.id))) return;
    this.#later(this.#world.random.heavy(0.3), () => this.#step({ kind, peer: other.id }));
  }

  // ---- the connection to the database

  #connect(): void {
    this.#later(this.#world.random.heavy(10), () => {
      if (this.#session !== null) return;
      const { database, scheduler } = this.#world;
      const session = database.connect(
        {
          answered: (id, answer) =>
            this.#later(0, () => {
              if (this.#session === session) this.#step({ kind: "answered", id, answer });
            }),
          closed: () =>
            this.#later(0, () => {
              if (this.#session === session) this.#lost();
            }),
        },
        this.#misledUntilMs > scheduler.now,
      );
      if (session === null) {
        this.#connect();
        return;
      }
      this.#session = session;
      this.#step({ kind: "opened" });
    });
  }

  #abandon(): void {
    if (this.#session !== null) this.#world.database.giveUp(this.#session);
    this.#session = null;
  }

  #lost(): void {
    if (!this.isUp || this.#session === null) return;
    this.#abandon();
    this.#step({ kind: "closed" });
    this.#connect();
  }

  // ---- the machine

  #clock(): number {
    return this.#clockOffset + this.#world.scheduler.now;
  }

  #step(event: TableEvent): void {
    const effects = this.#machine.step({ now: this.#clock(), wallMs: 0 }, event);
    for (const effect of effects) {
      this.#carryOut(effect);
      if (!this.isUp) return;
    }
    const { phase, epoch, reign } = this.status;
    if (phase !== "leading" || reign === null) return;
    const { wonAt, confirmedAt } = reign;
    this.#world.checker.reigns(epoch, wonAt - this.#clockOffset, confirmedAt - this.#clockOffset);
  }

  #carryOut(effect: TableEffect): void {
    const { checker, counters, database, random, scheduler } = this.#world;
    switch (effect.kind) {
      case "run":
        if (this.#session === null) throw new Violation("T1: a statement without a connection");
        database.run(this.#session, effect.id, effect.statement);
        break;
      case "reconnect":
        counters.add("reigns and looks over tables given up");
        this.#abandon();
        this.#connect();
        break;
      case "send":
        this.#send(effect.to, effect.beat);
        break;
      case "committed":
        for (const entry of effect.entries) {
          const previous = this.#stored.at(-1)?.digest ?? new Uint8Array(4);
          if (entry.position !== this.position + 1)
            throw new Violation(`R4: replica ${this.id} delivers ${entry.position} out of order`);
          this.#stored.push({ entry, digest: chain(previous, entry) });
        }
        checker.commits(this.id, effect.entries);
        break;
      case "leading":
        this.leads = true;
        this.#wonAt = this.position;
        if (this.#stored.at(-1)?.entry.epoch !== effect.epoch)
          throw new Violation(`R4: replica ${this.id} leads, and its reign isn't committed`);
        counters.add("reigns over tables");
        this.#world.log(`replica ${this.id} leads epoch ${effect.epoch} from ${this.#wonAt}`);
        checker.leads(this.id, effect.epoch, scheduler.now);
        break;
      case "deposed":
        this.leads = false;
        this.#world.log(`replica ${this.id} is deposed: ${effect.reason}`);
        break;
      case "confirmed": {
        const askedMs = this.#asked.get(effect.token) ?? 0;
        this.#asked.delete(effect.token);
        if (effect.leads) checker.confirms(this.status.epoch, askedMs);
        if (effect.leads) counters.add("confirmations by tables");
        break;
      }
      case "foreign":
        throw new Violation(`R4: replica ${this.id} finds that ${effect.reason}`);
      case "behind":
        counters.add("tables found behind");
        break;
      case "lead-outcome":
        if (effect.outcome.kind === "lost" && random.chance(0.5)) this.lead();
        break;
      case "following":
        break;
    }
  }

  #send(to: number, beat: Beat): void {
    const other = this.#world.nodes.find(({ id }) => id === to);
    if (!other || this.#parted.has(to)) return;
    other.#later(this.#world.random.heavy(0.3), () =>
      other.#step({ kind: "heard", from: this.id, beat }),
    );
  }
}
