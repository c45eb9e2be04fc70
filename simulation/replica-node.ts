// One order replica as a process: its log, and the desk that answers for it. It
// can crash, pause, and lose its disk, which may lie.

import type { LeadResult } from "../src/core/replication/events.ts";
import type { LogStatus } from "../src/core/replication/log.ts";
import { OtherCluster } from "../src/core/replication/members.ts";
import type { CommittedEntry } from "../src/core/replication/types.ts";
import { BEAT_MS } from "../src/core/service/limits.ts";
import type { CallResult } from "../src/core/service/questions.ts";
import { ReplicaDesk } from "../src/core/service/replica-desk.ts";
import type { DecidedAsk } from "../src/core/service/turn.ts";
import type { AskResult, Question } from "../src/core/service/types.ts";
import type { SimulatedDisk } from "./disk.ts";
import type { SimulatedMessage } from "./messages.ts";
import { type Connection, Process } from "./process.ts";
import {
  BuiltInLog,
  FileDamaged,
  type LogProcess,
  type ReplicaHost,
  type ReplicaLog,
} from "./replica-log.ts";
import { TableLog } from "./table-log.ts";
import { Violation } from "./violation.ts";

/** Committed effects reach the tables about so late. */
const FLUSH_MS = 200;
const EVERYTHING = Number.MAX_SAFE_INTEGER;

/** Questions passed on to another replica. */
interface Relayed {
  readonly to: Connection;
  readonly settled: (result: CallResult) => void;
}

export class ReplicaNode extends Process implements LogProcess {
  declare readonly host: ReplicaHost;
  readonly id: number;
  disk: SimulatedDisk;
  #log: ReplicaLog | null = null;
  #desk: ReplicaDesk<Connection> | null = null;
  /** Its own connections to the other replicas. */
  #links = new Map<number, Connection>();
  /** Committed, and not in the tables yet. */
  #queued: CommittedEntry[] = [];
  #relayed = new Map<number, Relayed>();
  /** Questions that another replica passed on to this one, which are passed on by reference. */
  readonly #relayedHere = new WeakSet<readonly Question[]>();
  #calls = 0;

  constructor(host: ReplicaHost, id: number, disk: SimulatedDisk) {
    super(host, `order-${id}`);
    this.id = id;
    this.disk = disk;
  }

  /** What its log says; null while it is down. */
  get status(): (LogStatus & { readonly voter: boolean }) | null {
    return this.#log?.status() ?? null;
  }

  /** Whether it takes itself for the leader. */
  get leads(): boolean {
    return this.status?.leads ?? false;
  }

  protected override started(): void {
    this.#links = new Map();
    this.#queued = [];
    this.#relayed = new Map();
    const log = this.#newLog();
    if (log === null) return;
    this.#log = log;
    this.#desk = this.#newDesk(log);
    log.start(this.#desk);
    this.every(
      () => this.#desk?.tickMs ?? BEAT_MS,
      () => this.#desk?.tick(),
    );
    this.every(
      () => FLUSH_MS,
      () => this.#flushTables(),
    );
  }

  /** Null where it stops instead of starting. */
  #newLog(): ReplicaLog | null {
    const { database, counters } = this.host;
    try {
      return database === null ? new BuiltInLog(this) : new TableLog(this, database);
    } catch (error) {
      if (error instanceof FileDamaged) this.after(0, () => this.stopAsDamaged(error.message));
      else if (error instanceof OtherCluster) {
        counters.add("replicas refused to start with other replicas");
        this.crash();
      } else throw error;
      return null;
    }
  }

  protected override stopped(): void {
    const log = this.#log;
    const desk = this.#desk;
    this.#log = null;
    this.#desk = null;
    desk?.close(); // nothing of it is sent any more
    log?.close();
    this.disk.crash(this.host.random);
  }

  stopAsDamaged(reason: string): void {
    this.host.counters.add("replicas stopped as damaged");
    this.host.log(`${this.name} stops, its file is damaged: ${reason}`);
    this.crash();
    this.host.onDamaged(this.id);
  }

  tell(replica: number, message: SimulatedMessage): void {
    this.send(`order-${replica}`, message);
  }

  #newDesk(log: ReplicaLog): ReplicaDesk<Connection> {
    const { host, disk } = this;
    return new ReplicaDesk<Connection>({
      replica: this.id,
      catalogs: host.catalogNames,
      log,
      tables: disk.tables,
      market: () => log.market,
      deliver: (entry) => this.#queued.push(entry),
      limits: host.deskLimits,
      nowMs: () => this.clock(),
      atTurnsEnd: (run) => this.atTurnsEnd(run),
      peerOf: (replica) => this.#links.get(replica) ?? null,
      relay: (to, questions, settled) => {
        host.counters.add("calls relayed");
        if (this.#relayedHere.has(questions))
          throw new Violation(`H1: ${this.name} passes on what was passed on to it`);
        this.#calls += 1;
        const call = this.#calls;
        this.#relayed.set(call, { to, settled });
        this.sendOn(to, { kind: "ask", call, relayed: true, questions });
      },
      feed: (catalog, feed) => this.sendOn(catalog, { kind: "entries", ...feed }),
      beat: (frontend, health) => this.sendOn(frontend, { kind: "beat", health }),
      observer: {
        leading: (epoch) => host.log(`${this.name} leads epoch ${epoch}`),
        deposed: () => host.log(`${this.name} is deposed`),
        unheard: () => host.counters.add("second catalogs of one name unheard"),
        turn: (position, _entries, asks) => {
          host.counters.add("turns");
          labelAnswers(position, asks);
        },
        late: () => host.counters.add("late catalogs left without a lease"),
        exposed: (_position, leaseEnded) => {
          if (leaseEnded) host.counters.add("exposed once a lease had ended");
        },
      },
    });
  }

  #flushTables(): void {
    const { lastPosition } = this.disk;
    const later = this.#queued.findIndex(({ position }) => position > lastPosition);
    this.disk.applyToTables(this.#queued.splice(0, later === -1 ? EVERYTHING : later));
  }

  // Messages and connections.

  protected override opened(connection: Connection): void {
    this.#desk?.opened(connection);
  }

  protected override closed(connection: Connection): void {
    for (const [call, { to, settled }] of this.#relayed) {
      if (to !== connection) continue;
      this.#relayed.delete(call);
      settled({ kind: "failed", failure: "closed" });
    }
    this.#desk?.closed(connection);
  }

  protected override received(
    _from: string,
    message: SimulatedMessage,
    peer: Connection | null,
  ): void {
    this.#log?.receive(message);
    if (peer !== null) this.#answer(peer, message);
  }

  #answer(peer: Connection, message: SimulatedMessage): void {
    const desk = this.#desk;
    if (!desk) return;
    switch (message.kind) {
      case "replication":
      case "reigning":
        break;
      case "health":
        this.sendOn(peer, { kind: "healthy", call: message.call, health: desk.health() });
        break;
      case "nominate":
        desk.nominate((result) =>
          this.sendOn(peer, { kind: "nominated", call: message.call, result }),
        );
        break;
      case "ask":
        if (message.relayed) this.#relayedHere.add(message.questions);
        desk.ask(message.relayed, message.questions, (result) => {
          if (isBusy(result)) this.host.counters.add("calls turned away by a busy replica");
          this.sendOn(peer, { kind: "asked", call: message.call, result });
        });
        break;
      case "asked": {
        const relayed = this.#relayed.get(message.call);
        this.#relayed.delete(message.call);
        relayed?.settled(message.result);
        break;
      }
      case "follow":
        this.sendOn(peer, { kind: "leads", call: message.call, ...desk.follow(peer, message) });
        break;
      case "held":
        desk.held(peer, message);
        break;
      default:
        throw new Error(`${this.name} got a ${message.kind}`);
    }
  }

  /** Somebody asks whether it still leads. */
  confirm(): void {
    if (!this.isPaused) this.#log?.confirm(() => {});
  }

  /** It leads, and nothing is under way: clients may see all that it has. */
  get isQuiet(): boolean {
    return this.leads && this.#desk?.exposed === this.status?.lastPosition;
  }

  nominate(done: (result: LeadResult) => void): void {
    this.#desk?.nominate(done);
  }

  protected override connectionChanged(
    peer: string,
    isOpen: boolean,
    connection: Connection | null,
  ): void {
    const id = this.configured.find((replica) => peer === `order-${replica}`);
    if (id === undefined) return;
    if (isOpen && connection) this.#links.set(id, connection);
    if (!isOpen) this.#links.delete(id);
    this.#log?.connected(id, isOpen);
    if (!isOpen) this.#desk?.changed();
  }
}

function isBusy(result: AskResult): boolean {
  return result.kind === "answers" && result.answers[0]?.kind === "busy";
}

/** Where in the journal each answer is true: clients don't see it in production, here the checkers compare it. */
function labelAnswers(position: number, asks: readonly DecidedAsk[]): void {
  for (const { answers } of asks) {
    for (const [index, answer] of answers.entries())
      answers[index] = Object.assign({ position }, answer);
  }
}
