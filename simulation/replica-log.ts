// The log of one replica: the real replication core over a simulated disk and
// network, as io/log/quorum-log.ts is over real ones, and the market at its end.
// Checked here is what is durable before it is told (R2).

import { MarketJudge } from "../src/core/market/judge.ts";
import type { MarketState } from "../src/core/market/state.ts";
import type { ReplicaEffect, ReplicaEvent } from "../src/core/replication/events.ts";
import type { LogListener, ReplicatedLog } from "../src/core/replication/log.ts";
import { OtherCluster } from "../src/core/replication/members.ts";
import { Replica, type ReplicaStatus } from "../src/core/replication/replica.ts";
import {
  type CommittedEntry,
  type Entry,
  type Envelope,
  toCommitted,
} from "../src/core/replication/types.ts";
import { checkDurable, type SimulatedDisk } from "./disk.ts";
import type { StrikeOn } from "./faults.ts";
import type { Host } from "./host.ts";
import type { Oracle } from "./oracle.ts";
import { Process } from "./process.ts";
import { RefusalCheck } from "./refusal-check.ts";
import { Violation } from "./violation.ts";

const SLOW_WRITE_MS = 600;
/** How long it takes at most to compare a file with its journal. */
const LONGEST_CHECK_MS = 10_000;

/** What a replica finds of its own that can't be: it stops. */
class FileDamaged extends Error {}

/** What a replica has besides: limits that are drawn, and who watches what it does. */
export interface ReplicaHost extends Host {
  readonly oracle: Oracle;
  /** Small in most runs, so that journals travel in many pieces. */
  readonly messageBytesMax: number;
  readonly replicas: readonly { readonly disk: SimulatedDisk }[];
  /** From the end of the faults on: who is dead, deaf or frozen for good; null if nobody is. */
  readonly impaired: Process | null;
  /** Told of a replica that stopped because of what it found in its file. */
  readonly onDamaged: (replica: number) => void;
  /** Told what a replica has just done; the nemesis may strike then. */
  readonly onDeed: (replica: number, deed: StrikeOn, to: number | null) => void;
}

export abstract class ReplicaLog extends Process implements ReplicatedLog {
  declare readonly host: ReplicaHost;
  readonly id: number;
  disk: SimulatedDisk;
  /** Told of what is committed, and who leads; null while it is down. */
  protected listener: LogListener | null = null;
  #replica: Replica | null = null;
  #judge: MarketJudge | null = null;
  #delivered = 0;
  #isChecking = false;
  #refusals: RefusalCheck;
  #tokens = 0;
  #roundScheduled = false;
  /** To be told with the next round. */
  #unconfirmed: ((leads: boolean) => void)[] = [];
  #confirmations = new Map<number, (leads: boolean) => void>();
  #newestWrite = 0;
  #writing = false;

  constructor(host: ReplicaHost, id: number, disk: SimulatedDisk) {
    super(host, `order-${id}`);
    this.id = id;
    this.disk = disk;
    this.#refusals = new RefusalCheck(this.name, host.replicaIds.length);
  }

  get replica(): Replica | null {
    return this.#replica;
  }

  /** Whether it takes itself for the leader. */
  get leads(): boolean {
    return this.#replica?.status().leads ?? false;
  }

  /** Whether it could be started. */
  protected startLog(): boolean {
    const { disk } = this;
    this.#isChecking = false;
    this.#refusals = new RefusalCheck(this.name, this.host.replicaIds.length);
    this.#judge = new MarketJudge(
      disk.tables,
      ({ position, reason }) => new FileDamaged(`${position}: ${reason}`),
    );
    try {
      this.#replica = new Replica({
        id: this.id,
        incarnation: this.disk.incarnation,
        members: disk.members,
        replicas: this.configured,
        hardState: disk.hardState,
        stored: disk,
        judge: this.#judge,
        applied: disk.tables.appliedPosition,
        messageBytesMax: this.host.messageBytesMax,
      });
    } catch (error) {
      if (error instanceof OtherCluster) {
        this.host.counters.add("replicas refused to start with other replicas");
        this.crash();
        return false;
      }
      if (!(error instanceof FileDamaged)) throw error;
      this.after(0, () => this.#stopAsDamaged(error.message));
      return false;
    }
    this.#delivered = disk.tables.appliedPosition;
    this.#newestWrite = 0;
    this.#writing = false;
    this.#roundScheduled = false;
    this.#unconfirmed = [];
    this.#confirmations = new Map();
    const replica = this.#replica;
    this.every(
      () => replica.tickMs,
      () => this.step({ kind: "tick" }),
    );
    return true;
  }

  protected override stopped(): void {
    this.#replica = null;
    this.#judge = null;
    this.listener = null;
    this.disk.crash((pending) => this.host.random.below(pending + 1));
  }

  /** The market at its journal's end. */
  protected get market(): MarketState {
    if (!this.#judge) throw new Error(`${this.name} is down`);
    return this.#judge.market;
  }

  // The log, as its desk uses it.

  status(): ReplicaStatus {
    return this.#live.status();
  }

  /** A message of another replica. */
  protected receive(envelope: Envelope): void {
    if (this.#replica) this.#refusals.hear(envelope, this.#replica);
    this.step({ kind: "receive", envelope });
  }

  lead(): void {
    this.step({ kind: "lead" });
  }

  append(commands: readonly Uint8Array[]): number {
    this.step({ kind: "append", commands });
    if (!this.#replica) return 0; // struck down
    this.#roundLater();
    return this.#replica.status().lastPosition;
  }

  confirm(settled: (leads: boolean) => void): void {
    this.#unconfirmed.push(settled);
    this.#roundLater();
  }

  read(position: number, bytesMax: number): readonly CommittedEntry[] {
    const { commitPosition } = this.#live.status();
    const entries = position < commitPosition ? this.#live.entriesAfter(position, bytesMax) : [];
    return entries.filter((entry) => entry.position <= commitPosition).map(toCommitted);
  }

  /** One round for everything of a moment. */
  #roundLater(): void {
    if (this.#roundScheduled) return;
    this.#roundScheduled = true;
    this.after(0, () => {
      this.#roundScheduled = false;
      const waiting = this.#unconfirmed;
      this.#unconfirmed = [];
      const confirm = waiting.length > 0 ? this.newToken() : null;
      if (confirm !== null) {
        this.#confirmations.set(confirm, (leads) => {
          for (const settled of waiting) settled(leads);
        });
      }
      this.step({ kind: "round", confirm });
    });
  }

  protected newToken(): number {
    this.#tokens += 1;
    return this.#tokens;
  }

  get #live(): Replica {
    if (!this.#replica) throw new Error(`${this.name} is down`);
    return this.#replica;
  }

  /** Entries after `position` up to `through`. */
  #journal(position: number, through: number): readonly Entry[] {
    const entries: Entry[] = [];
    for (let from = position; from < through; from = position + entries.length) {
      const more = this.#live.entriesAfter(from, 1 << 20);
      if (more.length === 0) throw new Violation(`${this.name} can't read its own journal`);
      entries.push(...more.slice(0, through - from));
    }
    return entries;
  }

  // Its disk, and what the core wants done.

  /** For the operator to replace it. */
  #stopAsDamaged(reason: string): void {
    this.host.counters.add("replicas stopped as damaged");
    this.host.log(`${this.name} stops, its file is damaged: ${reason}`);
    this.crash();
    this.host.onDamaged(this.id);
  }

  /** Compares all of its file with the journal in it, which takes its time. */
  #check(): void {
    if (this.#isChecking || this === this.host.impaired) return;
    this.#isChecking = true;
    const { random } = this.host;
    this.after(random.between(1, random.pick([100, LONGEST_CHECK_MS])), () => {
      this.#isChecking = false;
      if (!this.disk.isRight) {
        this.#stopAsDamaged("its tables aren't what its journal says");
        return;
      }
      this.#refusals.checkedFile();
      this.step({ kind: "verified" });
    });
  }

  protected step(event: ReplicaEvent): void {
    if (!this.#replica) return;
    const replica = this.#replica;
    const { strike, stragglerPerSecond } = this.host.faults;
    const isWatched = strike !== null || stragglerPerSecond > 0;
    for (const effect of this.#effectsOf(replica, event)) {
      const deed = isWatched ? this.#deed(effect) : null;
      const to = effect.kind === "send" ? effect.to : null;
      // A fetch may be struck on its way.
      if (deed === "fetch") this.host.onDeed(this.id, deed, to);
      if (this.#replica !== replica) return;
      this.#carryOut(effect);
      if (deed !== null && deed !== "fetch") this.host.onDeed(this.id, deed, to);
      if (this.#replica !== replica) return; // struck down: the rest was never done
    }
    this.#refusals.check(replica);
  }

  #effectsOf(replica: Replica, event: ReplicaEvent): readonly ReplicaEffect[] {
    try {
      return replica.step({ now: this.clock(), wallMs: 0 }, event);
    } catch (error) {
      if (!(error instanceof FileDamaged)) throw error;
      this.#stopAsDamaged(error.message);
      return [];
    }
  }

  #deed(effect: ReplicaEffect): StrikeOn | null {
    const kind = effect.kind === "send" ? effect.message.kind : effect.kind;
    switch (kind) {
      case "prepare":
      case "promise":
      case "fetch":
      case "ack":
      case "committed":
      case "leading":
        return kind;
      case "append":
      case "persist": {
        const { phase, leads } = this.#live.status();
        return phase === "leading" ? (leads ? "lead" : "reign") : null;
      }
      default:
        return null;
    }
  }

  #carryOut(effect: ReplicaEffect): void {
    const { oracle, counters } = this.host;
    switch (effect.kind) {
      case "send":
        checkDurable(this.name, this.disk, effect.message);
        this.send(`order-${effect.to}`, {
          kind: "replication",
          envelope: {
            from: this.id,
            incarnation: this.disk.incarnation,
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
          this.id,
          entries,
          this.host.replicas.map((replica) => replica.disk),
        );
        this.listener?.committed(entries.map(toCommitted));
        break;
      }
      case "leading":
        counters.add("leader changes");
        oracle.leads(
          this.id,
          effect.epoch,
          (position) => this.disk.epochAt(position),
          this.disk.lastPosition,
        );
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
        this.#confirmations.get(effect.token)?.(effect.leads);
        this.#confirmations.delete(effect.token);
        break;
      case "following":
        this.listener?.changed();
        break;
      case "verify":
        this.#check();
        break;
      case "refuses":
        counters.add("entries refused");
        this.host.log(
          `${this.name} refuses ${effect.misfit.position} of ${effect.from}: ${effect.misfit.reason}`,
        );
        break;
      case "truncated":
        counters.add("entries truncated", effect.through - effect.from + 1);
        this.host.log(`${this.name} drops ${effect.from} to ${effect.through}`);
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
    for (const entry of write.entries ?? []) {
      const before = entry.position === 1 ? 0 : (this.#journalEpoch(entry.position - 1) ?? -1);
      this.host.oracle.appended(entry, before);
    }
    this.disk.begin(write);
    this.#newestWrite = id;
    if (!this.#writing) this.#land();
  }

  /** All that is under way lands together, after one write's time; what begins meanwhile, after the next. */
  #land(): void {
    this.#writing = true;
    const { faults, random, counters } = this.host;
    const id = this.#newestWrite;
    const count = this.disk.underWay;
    const slowMs = random.chance(faults.slowWrite) ? random.between(0, SLOW_WRITE_MS) : 0;
    if (slowMs > 0) counters.add("slow writes");
    this.after(random.heavy(faults.writeMs) + slowMs, () => {
      this.disk.land(count);
      this.#writing = false;
      this.step({ kind: "persisted", id });
      if (this.#newestWrite > id && !this.#writing) this.#land();
    });
  }

  #journalEpoch(position: number): number | undefined {
    return this.#live.entriesAfter(position - 1, 1)[0]?.epoch;
  }
}
