// The log of one replica in a run: its core, driven as io/log/driven-log.ts drives it
// over real time. Here is what every log has, and the built-in one over a simulated
// disk and network; simulation/table-log.ts is the one over two tables. Checked here
// is what is durable before it is told (R2), and what a reign says of itself (R6, R7).

import { MarketJudge } from "../src/core/market/judge.ts";
import type { MarketState } from "../src/core/market/state.ts";
import type { ReplicaEffect, ReplicaEvent, StepTime } from "../src/core/replication/events.ts";
import type { LogListener } from "../src/core/replication/log.ts";
import { type DriverEvent, LogDriver } from "../src/core/replication/log-driver.ts";
import { Replica, type ReplicaStatus } from "../src/core/replication/replica.ts";
import {
  type CommittedEntry,
  type Entry,
  type Envelope,
  toCommitted,
} from "../src/core/replication/types.ts";
import type { SimulatedDatabase } from "./database.ts";
import { checkDurable, type SimulatedDisk } from "./disk.ts";
import type { StrikeOn } from "./faults.ts";
import type { Host } from "./host.ts";
import type { SimulatedMessage } from "./messages.ts";
import type { Oracle } from "./oracle.ts";
import type { Process } from "./process.ts";
import { RefusalCheck } from "./refusal-check.ts";
import { Violation } from "./violation.ts";

const SLOW_WRITE_MS = 600;
/** How long it takes at most to compare a file with its journal. */
const LONGEST_CHECK_MS = 10_000;

/** What a replica finds of its own that can't be: it stops. */
export class FileDamaged extends Error {}

/** What a replica has besides: limits that are drawn, and who watches what it does. */
export interface ReplicaHost extends Host {
  readonly oracle: Oracle;
  /** Small in most runs, so that journals travel in many pieces. */
  readonly messageBytesMax: number;
  readonly replicas: readonly { readonly disk: SimulatedDisk }[];
  /** Where the log is kept, if not by the replicas. */
  readonly database: SimulatedDatabase | null;
  /** From the end of the faults on: who is dead, deaf or frozen for good; null if nobody is. */
  readonly impaired: Process | null;
  /** Told of a replica that stopped because of what it found in its file. */
  readonly onDamaged: (replica: number) => void;
  /** Told what a replica has just done; the nemesis may strike then. */
  readonly onDeed: (replica: number, deed: StrikeOn, to: number | null) => void;
}

/** What a log has of its process; everything that it has begun dies with that. */
export interface LogProcess {
  readonly host: ReplicaHost;
  readonly id: number;
  readonly name: string;
  readonly disk: SimulatedDisk;
  /** The replicas that it is configured with. */
  readonly configured: readonly number[];
  clock(): number;
  /** When its clock showed this, in true time. */
  trueMs(clockMs: number): number;
  after(ms: number, run: () => void): void;
  every(periodMs: () => number, run: () => void): void;
  tell(replica: number, message: SimulatedMessage): void;
  /** For the operator to replace it. */
  stopAsDamaged(reason: string): void;
}

export abstract class ReplicaLog<
  Event = unknown,
  Effect extends { readonly kind: string } = { readonly kind: string },
> extends LogDriver<Event, Effect> {
  /** Told of what is committed, and who leads; null before its desk is there. */
  listener: LogListener | null = null;
  protected readonly process: LogProcess;
  protected readonly judge: MarketJudge;
  #leads = false;
  #confirmedAt: number | null = null;

  constructor(process: LogProcess) {
    super();
    this.process = process;
    this.judge = new MarketJudge(
      process.disk.tables,
      ({ position, reason }) => new FileDamaged(`${position}: ${reason}`),
    );
  }

  /** Throws OtherCluster; stops a process whose file is damaged. */
  start(listener: LogListener): void {
    this.listener = listener;
    this.process.every(
      () => this.tickMs,
      () => this.step({ kind: "tick" }),
    );
  }

  /** The market at its journal's end. */
  get market(): MarketState {
    return this.judge.market;
  }

  /** What another replica's log says. */
  abstract receive(message: SimulatedMessage): void;

  connected(peer: number, isOpen: boolean): void {
    this.step({ kind: isOpen ? "connected" : "disconnected", peer });
  }

  override confirm(settled: (leads: boolean) => void): void {
    const { host } = this.process;
    const { epoch } = this.status();
    const askedMs = host.scheduler.now;
    super.confirm((leads) => {
      if (leads) host.oracle.confirms(epoch, askedMs);
      settled(leads);
    });
  }

  protected time(): StepTime {
    return { now: this.process.clock(), wallMs: 0 };
  }

  protected atTurnsEnd(run: () => void): void {
    this.process.after(0, run);
  }

  protected override step(event: Event | DriverEvent): void {
    super.step(event);
    if (!this.stopped) this.stepped();
  }

  /** What it says of its reign after each step. */
  protected stepped(): void {
    if (!this.#leads) return;
    const { epoch, reign } = this.status();
    if (reign === null || reign.confirmedAt === this.#confirmedAt) return;
    this.#confirmedAt = reign.confirmedAt;
    const { host } = this.process;
    const trueMs = (clockMs: number) => this.process.trueMs(clockMs);
    host.oracle.reigns(epoch, trueMs(reign.wonAt), trueMs(reign.confirmedAt));
  }

  protected carryOut(effect: Effect): void {
    const { host, id } = this.process;
    const { strike, stragglerPerSecond } = host.faults;
    const isWatched = strike !== null || stragglerPerSecond > 0;
    const deed = isWatched ? this.deedOf(effect) : null;
    if (effect.kind === "leading" || effect.kind === "deposed") {
      this.#leads = effect.kind === "leading";
      this.#confirmedAt = null;
    }
    if (deed === null) {
      this.enact(effect);
      return;
    }
    // A fetch may be struck on its way.
    if (deed.kind === "fetch") host.onDeed(id, deed.kind, deed.to);
    if (this.stopped) return; // struck down: it was never done, nor what follows
    this.enact(effect);
    if (deed.kind !== "fetch") host.onDeed(id, deed.kind, deed.to);
  }

  protected abstract enact(effect: Effect): void;
  protected abstract deedOf(effect: Effect): Deed | null;

  protected failed(error: unknown): void {
    if (!(error instanceof FileDamaged)) throw error;
    this.process.stopAsDamaged(error.message);
  }
}

/** What a replica does, and to whom, if to one. */
export interface Deed {
  readonly kind: StrikeOn;
  readonly to: number | null;
}

/** The one over the replicas' own disks, as io/log/quorum-log.ts is over real ones. */
export class BuiltInLog extends ReplicaLog<ReplicaEvent, ReplicaEffect> {
  readonly #replica: Replica;
  #delivered: number;
  #isChecking = false;
  readonly #refusals: RefusalCheck;
  #newestWrite = 0;
  #writing = false;

  constructor(process: LogProcess) {
    super(process);
    const { disk, host } = process;
    this.#refusals = new RefusalCheck(process.name, host.replicaIds.length);
    this.#delivered = disk.tables.appliedPosition;
    this.#replica = new Replica({
      id: process.id,
      incarnation: disk.incarnation,
      members: disk.members,
      replicas: process.configured,
      hardState: disk.hardState,
      stored: disk,
      judge: this.judge,
      applied: disk.tables.appliedPosition,
      messageBytesMax: host.messageBytesMax,
    });
  }

  protected override get tickMs(): number {
    return this.#replica.tickMs;
  }

  status(): ReplicaStatus {
    return this.#replica.status();
  }

  receive(message: SimulatedMessage): void {
    if (message.kind !== "replication") return;
    this.#refusals.hear(message.envelope, this);
    this.step({ kind: "receive", envelope: message.envelope });
  }

  read(position: number, bytesMax: number): readonly CommittedEntry[] {
    const { commitPosition } = this.status();
    const entries = position < commitPosition ? this.#replica.entriesAfter(position, bytesMax) : [];
    return entries.filter((entry) => entry.position <= commitPosition).map(toCommitted);
  }

  protected stepCore(time: StepTime, event: ReplicaEvent): readonly ReplicaEffect[] {
    return this.#replica.step(time, event);
  }

  protected override stepped(): void {
    super.stepped();
    this.#refusals.check(this);
  }

  /** Entries after `position` up to `through`. */
  #journal(position: number, through: number): readonly Entry[] {
    const entries: Entry[] = [];
    for (let from = position; from < through; from = position + entries.length) {
      const more = this.#replica.entriesAfter(from, 1 << 20);
      if (more.length === 0) throw new Violation(`${this.process.name} can't read its own journal`);
      entries.push(...more.slice(0, through - from));
    }
    return entries;
  }

  /** Compares all of its file with the journal in it, which takes its time. */
  #check(): void {
    const { host, disk } = this.process;
    if (this.#isChecking || host.impaired?.name === this.process.name) return;
    this.#isChecking = true;
    const { random } = host;
    this.process.after(random.between(1, random.pick([100, LONGEST_CHECK_MS])), () => {
      this.#isChecking = false;
      if (!disk.isRight) {
        this.fail(new FileDamaged("its tables aren't what its journal says"));
        return;
      }
      this.#refusals.checkedFile();
      this.step({ kind: "verified" });
    });
  }

  protected deedOf(effect: ReplicaEffect): Deed | null {
    const to = effect.kind === "send" ? effect.to : null;
    const kind = effect.kind === "send" ? effect.message.kind : effect.kind;
    switch (kind) {
      case "prepare":
      case "promise":
      case "fetch":
      case "ack":
      case "committed":
      case "leading":
        return { kind, to };
      case "append":
      case "persist": {
        const { phase, leads } = this.status();
        return phase === "leading" ? { kind: leads ? "lead" : "reign", to } : null;
      }
      default:
        return null;
    }
  }

  protected enact(effect: ReplicaEffect): void {
    const { host, id, name, disk } = this.process;
    const { oracle, counters } = host;
    switch (effect.kind) {
      case "send":
        checkDurable(name, disk, effect.message);
        this.process.tell(effect.to, {
          kind: "replication",
          envelope: {
            from: id,
            incarnation: disk.incarnation,
            message: effect.message,
          } satisfies Envelope,
        });
        break;
      case "persist":
        this.#write(effect);
        break;
      case "committed": {
        const entries = this.#journal(this.#delivered, effect.position);
        this.#delivered = effect.position;
        oracle.commits(
          id,
          entries,
          host.replicas.map((replica) => replica.disk),
        );
        this.listener?.committed(entries.map(toCommitted));
        break;
      }
      case "leading":
        counters.add("leader changes");
        oracle.leads(id, effect.epoch, (position) => disk.epochAt(position), disk.lastPosition);
        this.listener?.leading(effect.epoch);
        break;
      case "deposed":
        counters.add("leaders deposed");
        this.listener?.deposed();
        break;
      case "lead-outcome":
        if (effect.outcome.kind === "lost") counters.add("candidacies lost");
        this.listener?.leadEnded(effect.outcome);
        break;
      case "confirmed":
        this.confirmed(effect.token, effect.leads);
        break;
      case "following":
        this.listener?.changed();
        break;
      case "verify":
        this.#check();
        break;
      case "refuses":
        counters.add("entries refused");
        host.log(
          `${name} refuses ${effect.misfit.position} of ${effect.from}: ${effect.misfit.reason}`,
        );
        break;
      case "truncated":
        counters.add("entries truncated", effect.through - effect.from + 1);
        host.log(`${name} drops ${effect.from} to ${effect.through}`);
        break;
      case "admitted":
        counters.add("replacements admitted");
        break;
      case "already-held":
        counters.add("entries already held", effect.entries.length);
        break;
      default:
        break;
    }
  }

  #write({ id, write }: Extract<ReplicaEffect, { kind: "persist" }>): void {
    const { host, disk } = this.process;
    for (const entry of write.entries ?? []) {
      const before = entry.position === 1 ? 0 : (this.#journalEpoch(entry.position - 1) ?? -1);
      host.oracle.appended(entry, before);
    }
    disk.begin(write);
    this.#newestWrite = id;
    if (!this.#writing) this.#land();
  }

  /** All that is under way lands together, after one write's time; what begins meanwhile, after the next. */
  #land(): void {
    this.#writing = true;
    const { host, disk } = this.process;
    const { faults, random, counters } = host;
    const id = this.#newestWrite;
    const count = disk.underWay;
    const slowMs = random.chance(faults.slowWrite) ? random.between(0, SLOW_WRITE_MS) : 0;
    if (slowMs > 0) counters.add("slow writes");
    this.process.after(random.heavy(faults.writeMs) + slowMs, () => {
      disk.land(count);
      this.#writing = false;
      this.step({ kind: "persisted", id });
      if (this.#newestWrite > id && !this.#writing) this.#land();
    });
  }

  #journalEpoch(position: number): number | undefined {
    return this.#replica.entriesAfter(position - 1, 1)[0]?.epoch;
  }
}
