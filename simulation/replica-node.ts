// One order replica as a process: the real replication core and market over a
// simulated disk and network. It can crash, pause, and lose its disk, which may lie.
//
// Longer than 400 lines because it is all that a role is to its core.

import { MarketJudge } from "../src/core/market/judge.ts";
import type { LeadResult, ReplicaEffect, ReplicaEvent } from "../src/core/replication/events.ts";
import { OtherCluster } from "../src/core/replication/members.ts";
import { Replica } from "../src/core/replication/replica.ts";
import type { Entry, Envelope } from "../src/core/replication/types.ts";
import { relayFailed, relayOf } from "../src/core/service/relaying.ts";
import type { AskResult } from "../src/core/service/types.ts";
import { Desk, type DeskAsk } from "./desk.ts";
import { checkDurable, type SimulatedDisk } from "./disk.ts";
import type { StrikeOn } from "./faults.ts";
import type { Host } from "./host.ts";
import { LeaderHost } from "./leader-host.ts";
import type { SimulatedMessage } from "./messages.ts";
import type { Endpoint } from "./network.ts";
import type { Oracle } from "./oracle.ts";
import { Process } from "./process.ts";
import { Violation } from "./violation.ts";

const TICK_MS = 25;
const BEAT_MS = 50;
const LONGEST_TURN_MS = 0.3;
const SLOW_WRITE_MS = 600;
/** How long it takes at most to compare a file with its journal. */
const LONGEST_CHECK_MS = 10_000;

/** What a replica finds of its own that can't be: it stops. */
class FileDamaged extends Error {}

interface Relayed {
  readonly from: string;
  readonly call: number;
  readonly leader: number;
  /** How many there were. */
  readonly questions: number;
}

/** What a replica has besides: limits that are drawn, and who watches what it does. */
export interface ReplicaHost extends Host {
  readonly oracle: Oracle;
  /** Small in most runs, so that journals travel in many pieces. */
  readonly messageBytesMax: number;
  /** Of entries that go to a catalog in one message. */
  readonly pieceBytesMax: number;
  readonly replicas: readonly { readonly disk: SimulatedDisk }[];
  /** From the end of the faults on: who is dead, deaf or frozen for good; null if nobody is. */
  readonly impaired: Process | null;
  /** Told of a replica that stopped because of what it found in its file. */
  readonly onDamaged: (replica: ReplicaNode) => void;
  /** Told what a replica has just done; the nemesis may strike then. */
  readonly onDeed: (replica: ReplicaNode, deed: StrikeOn, to: number | null) => void;
}

export class ReplicaNode extends Process implements Endpoint {
  declare readonly host: ReplicaHost;
  readonly id: number;
  disk: SimulatedDisk;
  #replica: Replica | null = null;
  #judge: MarketJudge | null = null;
  #isChecking = false;
  /** Who won't have what it leads with, and from which position on. */
  #refusals = new Map<number, number>();
  /** Its reign ended with refusals of what wasn't committed, and it hasn't checked its file since. */
  #mustCheck = false;
  #desk: Desk | null = null;
  /** While it leads. */
  #leading: LeaderHost | null = null;
  #delivered = 0;
  #turn: DeskAsk[] = [];
  #tokens = 0;
  #confirmations = new Map<number, (leads: boolean) => void>();
  /** Questions passed on to the leader, one hop. */
  #relayed = new Map<number, Relayed>();
  #nominations: ((result: LeadResult) => void)[] = [];
  #newestWrite = 0;
  #writing = false;

  constructor(host: ReplicaHost, id: number, disk: SimulatedDisk) {
    super(host, `order-${id}`);
    this.id = id;
    this.disk = disk;
  }

  get replica(): Replica | null {
    return this.#replica;
  }

  /** Whether it takes itself for the leader. */
  get leads(): boolean {
    return this.#replica?.status().leads ?? false;
  }

  protected override started(): void {
    const { disk } = this;
    this.#delivered = disk.tables.appliedPosition;
    this.#isChecking = false;
    this.#mustCheck = false;
    this.#refusals = new Map();
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
        return;
      }
      if (!(error instanceof FileDamaged)) throw error;
      this.after(0, () => this.#stopAsDamaged(error.message));
      return;
    }
    this.#leading = null;
    this.#turn = [];
    this.#nominations = [];
    this.#newestWrite = 0;
    this.#writing = false;
    this.#desk = null;
    this.#confirmations = new Map();
    this.#relayed = new Map();
    this.every(TICK_MS, () => {
      this.step({ kind: "tick" });
      this.#leading?.tick();
    });
    this.every(BEAT_MS, () => this.#beat());
    this.every(200, () => this.#flushTables());
  }

  /** For the operator to replace it. */
  #stopAsDamaged(reason: string): void {
    this.host.counters.add("replicas stopped as damaged");
    this.host.log(`${this.name} stops, its file is damaged: ${reason}`);
    this.crash();
    this.host.onDamaged(this);
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
      this.#mustCheck = false;
      this.step({ kind: "verified" });
    });
  }

  /** Somebody won't have what this one leads with. */
  #hearRefusal({ from, message }: Envelope): void {
    if ((message.kind !== "misfit" && message.kind !== "ack") || !this.#replica) return;
    const { phase, epoch } = this.#replica.status();
    if (phase !== "leading" || message.epoch !== epoch) return;
    if (message.kind === "ack") this.#refusals.delete(from);
    else this.#refusals.set(from, message.position);
  }

  /**
   * R5, seen from outside: who has no quorum left for what it leads with leads no
   * more, and who ended with refusals of what wasn't committed not again, unchecked.
   */
  #checkReign(): void {
    if (!this.#replica) return;
    const { phase, commitPosition } = this.#replica.status();
    const isLeading = phase === "leading";
    const refusing = [...this.#refusals.values()].filter((position) => position > commitPosition);
    const { length } = this.host.replicaIds;
    const isOver = 2 * (length - refusing.length) <= length;
    if (isLeading && (isOver || this.#mustCheck))
      throw new Violation(`R5: ${this.name} leads, though others refuse what it leads with`);
    if (!isLeading && this.#refusals.size > 0) {
      if (refusing.length > 0) this.#mustCheck = true;
      this.#refusals.clear();
    }
  }

  #newDesk(judge: MarketJudge): Desk {
    return new Desk(
      {
        lastPosition: () => this.#live.status().lastPosition,
        append: (commands) => this.step({ kind: "append", commands }),
        round: (confirm) => {
          let token: number | null = null;
          if (confirm) {
            token = this.#newToken();
            this.#confirmations.set(token, confirm);
          }
          this.after(0, () => this.step({ kind: "round", confirm: token }));
        },
      },
      this.disk.tables,
      judge.market,
    );
  }

  #newToken(): number {
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

  protected override stopped(): void {
    this.#replica = null;
    this.#judge = null;
    this.#desk = null;
    this.disk.crash((pending) => this.host.random.below(pending + 1));
  }

  #flushTables(): void {
    const { tables, lastPosition } = this.disk;
    const { appliedPosition } = tables;
    if (this.#delivered < appliedPosition)
      throw new Violation(`R1: ${this.name} applied goes back`);
    tables.apply(this.#journal(appliedPosition, Math.min(this.#delivered, lastPosition)));
  }

  #beat(): void {
    for (const name of this.host.frontendNames)
      this.send(name, { kind: "beat", health: this.#health() });
  }

  #health() {
    const { leads, leader, epoch, lastPosition, commitPosition } = this.#live.status();
    return { replica: this.id, leads, leader, epoch, lastPosition, commitPosition };
  }

  protected override received(from: string, message: SimulatedMessage): void {
    switch (message.kind) {
      case "replication":
        this.#hearRefusal(message.envelope);
        this.step({ kind: "receive", envelope: message.envelope });
        break;
      case "health":
        this.send(from, { kind: "healthy", call: message.call, health: this.#health() });
        break;
      case "nominate":
        this.nominate((result) =>
          this.send(from, { kind: "nominated", call: message.call, result }),
        );
        break;
      case "ask":
        this.#ask(from, message);
        break;
      case "asked":
        this.#answered(message.call, message.result);
        break;
      case "follow":
      case "held":
        this.#leading?.received(from, message);
        break;
      default:
        throw new Error(`${this.name} got a ${message.kind}`);
    }
  }

  nominate(done: (result: LeadResult) => void): void {
    this.#nominations.push(done);
    this.step({ kind: "lead" });
  }

  protected override connectionChanged(peer: string, isOpen: boolean): void {
    const id = this.configured.find((replica) => peer === `order-${replica}`);
    if (!isOpen && peer.startsWith("catalog")) this.#leading?.left(peer);
    if (id !== undefined && !isOpen) {
      for (const [call, { leader, questions }] of this.#relayed)
        if (leader === id) this.#answered(call, relayFailed("closed", questions));
    }
    if (id !== undefined) this.step({ kind: isOpen ? "connected" : "disconnected", peer: id });
  }

  #ask(from: string, message: Extract<SimulatedMessage, { kind: "ask" }>): void {
    const { call, relayed, questions } = message;
    if (!this.#leading) {
      this.#relay(from, message);
      return;
    }
    if (relayed) this.host.counters.add("calls relayed");
    this.#turn.push({
      questions,
      reply: (result) => this.send(from, { kind: "asked", call, result }),
    });
    if (this.#turn.length === 1)
      this.after(this.host.random.between(0, LONGEST_TURN_MS), () => this.#decide());
  }

  #relay(
    from: string,
    { call, relayed, questions }: Extract<SimulatedMessage, { kind: "ask" }>,
  ): void {
    const to = relayOf({ replica: this.id, leader: this.#live.status().leader, relayed });
    if (typeof to !== "number") {
      this.send(from, { kind: "asked", call, result: to });
      return;
    }
    const passedOn = this.#newToken();
    this.#relayed.set(passedOn, { from, call, leader: to, questions: questions.length });
    this.send(`order-${to}`, { kind: "ask", call: passedOn, relayed: true, questions });
  }

  /** A leader answered what was relayed to it, or won't. */
  #answered(passedOn: number, result: AskResult): void {
    const relayed = this.#relayed.get(passedOn);
    if (!relayed) return;
    this.#relayed.delete(passedOn);
    this.send(relayed.from, { kind: "asked", call: relayed.call, result });
  }

  #decide(): void {
    const asked = this.#turn;
    this.#turn = [];
    if (this.#leading) {
      this.#desk?.turn(asked);
      this.host.counters.add("turns");
    } else for (const { reply } of asked) reply({ kind: "not-leader", leader: null });
  }

  step(event: ReplicaEvent): void {
    if (!this.#replica) return;
    const replica = this.#replica;
    const { strike, stragglerPerSecond } = this.host.faults;
    const isWatched = strike !== null || stragglerPerSecond > 0;
    for (const effect of this.#effectsOf(replica, event)) {
      const deed = isWatched ? this.#deed(effect) : null;
      const to = effect.kind === "send" ? effect.to : null;
      // A fetch may be struck on its way.
      if (deed === "fetch") this.host.onDeed(this, deed, to);
      if (this.#replica !== replica) return;
      this.#carryOut(effect);
      if (deed !== null && deed !== "fetch") this.host.onDeed(this, deed, to);
      if (this.#replica !== replica) return; // struck down: the rest was never done
    }
    if (this.#refusals.size > 0 || this.#mustCheck) this.#checkReign();
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
        this.#leading?.committed(effect.position);
        break;
      }
      case "leading":
        counters.add("leader changes");
        this.host.log(`${this.name} leads epoch ${effect.epoch}`);
        oracle.leads(
          this.id,
          effect.epoch,
          (position) => this.disk.epochAt(position),
          this.disk.lastPosition,
        );
        this.#desk = this.#judge && this.#newDesk(this.#judge);
        this.#leading = new LeaderHost({
          id: this.id,
          replica: this.#live,
          epoch: effect.epoch,
          catalogs: this.host.catalogNames,
          pieceBytesMax: this.host.pieceBytesMax,
          clock: () => this.clock(),
          send: (to, message) => this.send(to, message),
          exposed: (position) => this.#desk?.exposed(position),
          waitedForLease: () => counters.add("exposed once a lease had ended"),
        });
        break;
      case "deposed":
        counters.add("leaders deposed");
        this.host.log(`${this.name} is deposed`);
        this.#leading = null;
        this.#desk?.close();
        this.#desk = null;
        break;
      case "lead-outcome": {
        const waiting = this.#nominations;
        this.#nominations = [];
        for (const done of waiting) done(effect.outcome);
        if (effect.outcome.kind === "lost") counters.add("candidacies lost");
        break;
      }
      case "confirmed":
        this.#confirmations.get(effect.token)?.(effect.leads);
        this.#confirmations.delete(effect.token);
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
