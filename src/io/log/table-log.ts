// The replicated log over two tables of an SQL database: core/table-log driven by
// real time, the replicas' own connections, and a session with the database.
//
//   Q1. What is committed is written to this replica's file before it is delivered,
//       so that the tables there, which are made from it, never run ahead of it. The
//       file is a view: what a power cut takes from it is read again.
//   Q2. After a failed write nothing is told any more. `failed` is called once, and
//       the role must stop.
//   Q3. What others decided is judged before it is stored: the database is followed,
//       but not into what can't be.

import type { Logger } from "pino";
import { invariant } from "../../core/invariant.ts";
import type { Judge } from "../../core/replication/judge.ts";
import { HEARTBEAT_MS, MESSAGE_BYTES_MAX } from "../../core/replication/limits.ts";
import type { LogListener } from "../../core/replication/log.ts";
import { type CommittedEntry, type ReplicaId, toCommitted } from "../../core/replication/types.ts";
import { TableReplica } from "../../core/table-log/table-replica.ts";
import type { Answer, Statement, TableEffect, TableEvent } from "../../core/table-log/types.ts";
import { rowOf } from "../journal/entries.ts";
import { DataFileForeign } from "../journal/errors.ts";
import type { SqliteJournal } from "../journal/journal.ts";
import type { Identity, Peer } from "../rpc/types.ts";
import { type LogObserver, ReplicaLinks, type ReplicaLog, type Replicas } from "./links.ts";

const TICK_MS = HEARTBEAT_MS / 2;
/** Commands waiting for the tables before a journal write takes them along. */
const TABLES_FLUSH_COMMANDS_MIN = 256;

/** Why a database can't be used, for its operator, in one line. */
export class DatabaseRefused extends Error {
  override readonly name = "DatabaseRefused";
}

/** What a session with a database tells. */
export interface DatabaseEvents {
  /** There is a primary that answers; what an earlier connection ran is never answered any more. */
  opened(): void;
  closed(): void;
  answered(id: number, answer: Answer): void;
}

/** A session with whoever is the primary. */
export interface TableDatabase {
  start(events: DatabaseEvents): void;
  run(id: number, statement: Statement): void;
  /** Drops the connection and makes another; `isStale`: not at once, since it wasn't the primary that is wanted. */
  reconnect(isStale: boolean): void;
  close(): void;
}

export interface TableLogOptions {
  readonly journal: SqliteJournal;
  readonly database: TableDatabase;
  /** Through where the tables are applied: `committed` begins after it. */
  readonly applied: number;
  /** The tables that live in the journal's file; flushed within its transactions. */
  readonly tables: { readonly pendingCommands: number; flush(): void };
  readonly judge: Judge;
  readonly replicas: Replicas;
  readonly identity: Identity;
  readonly secret: string;
  readonly log: Logger;
  /** The disk failed, the database is another's, or an invariant broke: stop. Called at most once. */
  readonly failed: (reason: Error) => void;
}

export class TableLog implements ReplicaLog {
  readonly #options: TableLogOptions;
  readonly #replica: TableReplica;
  readonly handlers: ReplicaLog["handlers"] = {
    message: () => {}, // what the built-in log says
    leads: ({ from, beat }) => this.#step({ kind: "heard", from, beat }),
  };
  #listener: LogListener | null = null;
  #observer: LogObserver = {};
  #links: ReplicaLinks | null = null;
  #timer: NodeJS.Timeout | undefined;
  readonly #effects: TableEffect[] = [];
  #draining = false;
  #roundScheduled = false;
  #confirmations = new Map<number, (leads: boolean) => void>();
  #roundConfirmations: ((leads: boolean) => void)[] = [];
  #nextToken = 1;
  #isStale = false;
  #stopped = false;

  /** Does nothing before start(). */
  constructor(options: TableLogOptions) {
    const { journal, replicas } = options;
    const { replica: id } = journal.identity;
    this.#options = options;
    this.#replica = new TableReplica({
      id,
      peers: replicas.map((replica) => replica.id).filter((other) => other !== id),
      end: {
        position: journal.lastPosition,
        digest: Buffer.from(journal.digestAt(journal.lastPosition), "hex"),
      },
      chain: (previous, entry) => rowOf(previous, entry).digest,
    });
  }

  start(listener: LogListener, observer: LogObserver = {}): void {
    const { journal, replicas, identity, secret, log, database } = this.#options;
    this.#listener = listener;
    this.#observer = observer;
    this.#judgeAnew();
    this.#deliverStored(this.#options.applied);
    this.#links = new ReplicaLinks({
      id: journal.identity.replica,
      replicas,
      identity,
      secret,
      log,
      changed: (peer, isOpen) => {
        this.#step({ kind: isOpen ? "connected" : "disconnected", peer });
        if (!isOpen) listener.changed();
      },
    });
    database.start({
      opened: () => this.#step({ kind: "opened" }),
      closed: () => this.#step({ kind: "closed" }),
      answered: (id, answer) => {
        if (answer.kind === "failed") log.warn({ reason: answer.reason }, "The database refused");
        this.#step({ kind: "answered", id, answer });
      },
    });
    this.#timer = setInterval(() => this.#step({ kind: "tick" }), TICK_MS);
  }

  peer(id: ReplicaId): Peer | null {
    return this.#links?.peer(id) ?? null;
  }

  status(): ReturnType<ReplicaLog["status"]> {
    const { phase, ...status } = this.#replica.status();
    return { ...status, leads: phase === "leading", voter: true };
  }

  lead(): void {
    this.#step({ kind: "lead" });
  }

  append(commands: readonly Uint8Array[]): number {
    invariant(!this.#stopped, "a stopped log takes nothing");
    this.#step({ kind: "append", commands });
    this.#scheduleRound();
    return this.#replica.status().lastPosition;
  }

  confirm(settled: (leads: boolean) => void): void {
    if (this.#stopped) {
      settled(false);
      return;
    }
    this.#roundConfirmations.push(settled);
    this.#scheduleRound();
  }

  read(position: number, bytesMax: number): readonly CommittedEntry[] {
    if (this.#stopped) return [];
    try {
      return this.#options.journal.entries(position, bytesMax).map(toCommitted);
    } catch (error) {
      this.#fail(error);
      return [];
    }
  }

  close(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#links?.close();
    this.#options.database.close();
    const waiting = [...this.#confirmations.values(), ...this.#roundConfirmations];
    this.#confirmations.clear();
    this.#roundConfirmations = [];
    for (const settled of waiting) settled(false);
  }

  /** One statement for everything that is appended or asked in one turn. */
  #scheduleRound(): void {
    if (this.#roundScheduled) return;
    this.#roundScheduled = true;
    queueMicrotask(() => {
      this.#roundScheduled = false;
      const waiting = this.#roundConfirmations;
      this.#roundConfirmations = [];
      let confirm: number | null = null;
      if (waiting.length > 0) {
        confirm = this.#nextToken;
        this.#nextToken += 1;
        this.#confirmations.set(confirm, (leads) => {
          for (const settled of waiting) settled(leads);
        });
      }
      this.#step({ kind: "round", confirm });
    });
  }

  #step(event: TableEvent): void {
    if (this.#stopped) return;
    try {
      const time = { now: performance.now(), wallMs: Date.now() };
      this.#effects.push(...this.#replica.step(time, event));
      this.#drain();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#stopped) return;
    this.close(); // Q2
    this.#options.failed(error instanceof Error ? error : new Error(String(error)));
  }

  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    try {
      for (let effect = this.#effects.shift(); effect; effect = this.#effects.shift()) {
        this.#carryOut(effect);
      }
    } finally {
      this.#draining = false;
    }
  }

  #carryOut(effect: TableEffect): void {
    const { database, log } = this.#options;
    switch (effect.kind) {
      case "run":
        database.run(effect.id, effect.statement);
        break;
      case "reconnect":
        log.warn({ reason: effect.reason }, "Connecting to the database again");
        database.reconnect(this.#isStale);
        this.#isStale = false;
        break;
      case "send": {
        const { replica: from } = this.#options.journal.identity;
        this.#links?.calls(effect.to)?.leads({ from, beat: effect.beat });
        break;
      }
      case "committed":
        this.#store(effect);
        break;
      case "leading":
        this.#listener?.leading(effect.epoch);
        break;
      case "deposed":
        log.warn({ reason: effect.reason }, "The reign over the database ended");
        this.#listener?.deposed();
        this.#judgeAnew();
        break;
      case "lead-outcome":
        this.#listener?.leadEnded(effect.outcome);
        break;
      case "confirmed": {
        const settled = this.#confirmations.get(effect.token);
        this.#confirmations.delete(effect.token);
        settled?.(effect.leads);
        break;
      }
      case "foreign":
        this.#fail(foreign(effect.reason));
        break;
      case "behind":
        this.#isStale = true;
        log.error(
          { position: effect.position, committed: effect.committed },
          "The database lacks what this replica knows to be committed: it is an old primary, or a backup was brought back; not following it",
        );
        break;
      case "following":
        this.#observer.following?.(effect.leader, effect.epoch, effect.behind);
        this.#listener?.changed();
        break;
    }
  }

  #store({ entries, own }: Extract<TableEffect, { kind: "committed" }>): void {
    const { journal, judge, tables } = this.#options;
    const misfit = own ? null : judge.take(entries);
    if (misfit !== null) throw judge.damage(misfit); // Q3
    const startedAt = performance.now();
    journal.write({ entries }, () => {
      if (tables.pendingCommands >= TABLES_FLUSH_COMMANDS_MIN) tables.flush();
    }); // Q1
    this.#observer.written?.(entries.length, performance.now() - startedAt);
    const committed = entries.map(toCommitted);
    if (!own) this.#observer.stored?.(committed);
    this.#listener?.committed(committed);
  }

  /** The judge's state is that at the end of the file again. */
  #judgeAnew(): void {
    const { journal, judge } = this.#options;
    let position = judge.rewind();
    while (position < journal.lastPosition) {
      const entries = journal.entries(position, MESSAGE_BYTES_MAX);
      const misfit = judge.take(entries);
      if (misfit !== null) throw judge.damage(misfit);
      position += entries.length;
    }
  }

  /** What a former start stored and the tables don't hold yet. */
  #deliverStored(after: number): void {
    const { journal } = this.#options;
    for (let position = after; position < journal.lastPosition; ) {
      const entries = journal.entries(position, MESSAGE_BYTES_MAX);
      this.#listener?.committed(entries.map(toCommitted));
      this.#options.tables.flush();
      position += entries.length;
    }
  }
}

function foreign(reason: string): Error {
  return new DataFileForeign(
    `${reason}: give the --engine of this data directory, or the --data directory of this database`,
  );
}
