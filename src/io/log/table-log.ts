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

import type { StepTime } from "../../core/replication/events.ts";
import type { Judge } from "../../core/replication/judge.ts";
import { MESSAGE_BYTES_MAX } from "../../core/replication/limits.ts";
import type { LogListener } from "../../core/replication/log.ts";
import { OtherCluster, otherMembers } from "../../core/replication/members.ts";
import { type CommittedEntry, toCommitted } from "../../core/replication/types.ts";
import { TableReplica } from "../../core/table-log/table-replica.ts";
import type { Answer, Statement, TableEffect, TableEvent } from "../../core/table-log/types.ts";
import { rowOf } from "../journal/entries.ts";
import { DataFileForeign } from "../journal/errors.ts";
import type { FileJournal } from "../journal/journal.ts";
import { DrivenLog, type DrivenLogOptions, TABLES_FLUSH_COMMANDS_MIN } from "./driven-log.ts";
import type { LogObserver, ReplicaLog } from "./links.ts";

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

export interface TableLogOptions extends DrivenLogOptions {
  readonly journal: FileJournal;
  readonly database: TableDatabase;
  /** Through where the tables are applied: `committed` begins after it. */
  readonly applied: number;
  /** What the file amounts to; brought up to date behind it. */
  readonly tables: { readonly pendingCommands: number; flush(): void };
  readonly judge: Judge;
}

export class TableLog extends DrivenLog<TableEvent, TableEffect> {
  readonly #options: TableLogOptions;
  readonly #replica: TableReplica;
  readonly handlers: ReplicaLog["handlers"] = {
    message: () => {}, // what the built-in log says
    leads: ({ from, beat }) => this.step({ kind: "heard", from, beat }),
  };
  #isStale = false;

  /** Does nothing before start(). Throws OtherCluster when the configured replicas aren't the members. */
  constructor(options: TableLogOptions) {
    const { journal, replicas } = options;
    const { replica: id, members } = journal.identity;
    const ids = replicas.map((replica) => replica.id);
    const refusal = otherMembers(`the journal of order-${id}`, members, ids);
    if (refusal !== null) throw new OtherCluster(refusal); // X4
    super(options, id);
    this.#options = options;
    this.#replica = new TableReplica({
      id,
      peers: ids.filter((other) => other !== id),
      end: {
        position: journal.lastPosition,
        digest: Buffer.from(journal.digestAt(journal.lastPosition), "hex"),
      },
      chain: (previous, entry) => rowOf(previous, entry).digest,
    });
  }

  override start(listener: LogListener, observer: LogObserver = {}): void {
    const { log, database, applied } = this.#options;
    this.#judgeAnew();
    this.#deliverStored(listener, applied);
    super.start(listener, observer);
    database.start({
      opened: () => this.step({ kind: "opened" }),
      closed: () => this.step({ kind: "closed" }),
      answered: (id, answer) => {
        if (answer.kind === "failed") log.warn({ reason: answer.reason }, "The database refused");
        this.step({ kind: "answered", id, answer });
      },
    });
  }

  status(): ReturnType<ReplicaLog["status"]> {
    const { phase, ...status } = this.#replica.status();
    return { ...status, leads: phase === "leading", voter: true };
  }

  read(position: number, bytesMax: number): readonly CommittedEntry[] {
    if (this.stopped) return [];
    try {
      return this.#options.journal.entries(position, bytesMax).map(toCommitted);
    } catch (error) {
      this.fail(error);
      return [];
    }
  }

  override close(): void {
    if (this.stopped) return;
    super.close();
    this.#options.database.close();
  }

  protected stepCore(time: StepTime, event: TableEvent): readonly TableEffect[] {
    return this.#replica.step(time, event);
  }

  protected carryOut(effect: TableEffect): void {
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
        this.links?.calls(effect.to)?.leads({ from, beat: effect.beat });
        break;
      }
      case "committed":
        this.#store(effect);
        break;
      case "leading":
        this.listener?.leading(effect.epoch);
        break;
      case "deposed":
        log.warn({ reason: effect.reason }, "The reign over the database ended");
        this.listener?.deposed();
        this.#judgeAnew();
        break;
      case "lead-outcome":
        this.listener?.leadEnded(effect.outcome);
        break;
      case "confirmed":
        this.confirmed(effect.token, effect.leads);
        break;
      case "foreign":
        this.fail(foreign(effect.reason));
        break;
      case "behind":
        this.#isStale = true;
        log.error(
          { position: effect.position, committed: effect.committed },
          "The database lacks what this replica knows to be committed: it is an old primary, or a backup was brought back; not following it",
        );
        break;
      case "following":
        this.observer.following?.(effect.leader, effect.epoch, effect.behind);
        this.listener?.changed();
        break;
    }
  }

  #store({ entries, own }: Extract<TableEffect, { kind: "committed" }>): void {
    const { journal, judge, tables } = this.#options;
    const misfit = own ? null : judge.take(entries);
    if (misfit !== null) throw judge.damage(misfit); // Q3
    const startedAt = performance.now();
    journal.write({ entries }); // Q1
    if (tables.pendingCommands >= TABLES_FLUSH_COMMANDS_MIN) tables.flush();
    this.observer.written?.(entries.length, performance.now() - startedAt);
    const committed = entries.map(toCommitted);
    if (!own) this.observer.stored?.(committed);
    this.listener?.committed(committed);
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
  #deliverStored(listener: LogListener, after: number): void {
    const { journal } = this.#options;
    for (let position = after; position < journal.lastPosition; ) {
      const entries = journal.entries(position, MESSAGE_BYTES_MAX);
      listener.committed(entries.map(toCommitted));
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
