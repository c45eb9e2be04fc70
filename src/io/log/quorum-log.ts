// The built-in replicated log: the replication core driven by real time, real
// connections and a journal on disk.
//
//   Q1. Followers get an append before the own write blocks this thread, so
//       that all disks work in parallel.
//   Q2. The core hears `persisted` only after journal.write() returned, so what
//       it then sends tells of durable things.
//   Q3. What arrives in one turn of the event loop is made durable by one write.
//   Q4. After a failed write nothing is sent or answered any more: memory may be
//       ahead of the disk. `failed` is called once, and the role must stop.
//   Q5. However much is committed at once, it is delivered in pieces, and written
//       to the tables piece by piece, with turns of the event loop in between, in
//       which messages come and go: a leader with a history to read goes on
//       beating. That it leads is told when all before its reign was delivered.
//   Q6. The tables are written once what waits for the journal has left.

import { invariant } from "../../core/invariant.ts";
import { mergeWrites } from "../../core/journal/merge-writes.ts";
import type {
  ReplicaEffect,
  ReplicaEvent,
  StepTime,
  Write,
} from "../../core/replication/events.ts";
import type { Judge } from "../../core/replication/judge.ts";
import { Replica, type ReplicaStatus } from "../../core/replication/replica.ts";
import { type CommittedEntry, toCommitted } from "../../core/replication/types.ts";
import { JournalCorrupt } from "../journal/errors.ts";
import type { Journal } from "../journal/types.ts";
import { DrivenLog, type DrivenLogOptions, TABLES_FLUSH_COMMANDS_MIN } from "./driven-log.ts";
import type { ReplicaLog } from "./links.ts";

/** Entries delivered to the listener in one piece, at most and at least: below that, a transaction costs more than what it writes. */
const DELIVERY_BYTES_MAX = 32 * 1024;
const DELIVERY_BYTES_MIN = 4 * 1024;
/**
 * A piece that took longer, with what the tables make of it, makes the next one half as large, so that
 * a machine that is busy besides still beats in time: what a byte costs differs tenfold.
 */
const DELIVERY_MS_MAX = 10;
/**
 * Committed entries that are stored and not delivered yet, beyond which nothing more is written, and
 * so acknowledged: whoever catches up keeps what it has stored in memory until the tables hold it.
 */
const UNDELIVERED_MAX = 4_096;
/** Between the beginnings of two checks of this replica's file: each reads all of it, and one that found nothing finds nothing soon after. */
const VERIFY_EVERY_MS = 60_000;

export interface QuorumLogOptions extends DrivenLogOptions {
  readonly journal: Journal;
  /** Through where the tables are applied: `committed` begins after it. */
  readonly applied: number;
  /** What the journal amounts to; brought up to date behind it. */
  readonly tables: { readonly pendingCommands: number; flush(): void };
  /** Says what may follow in the journal: see core/replication/judge.ts. */
  readonly judge: Judge;
  /** Compares this replica's file with its own journal; rejects with what is wrong. */
  readonly verify: () => Promise<void>;
}

export class QuorumLog extends DrivenLog<ReplicaEvent, ReplicaEffect> {
  readonly #options: QuorumLogOptions;
  readonly #replica: Replica;
  readonly handlers: ReplicaLog["handlers"] = {
    message: (envelope) => this.step({ kind: "receive", envelope }),
    leads: () => {}, // it sees who leads by who appends
  };
  #writes: { readonly id: number; readonly write: Write }[] = [];
  #writeLater: NodeJS.Immediate | null = null;
  #delivered: number;
  /** Of the next piece. */
  #deliveryBytes = DELIVERY_BYTES_MAX;
  /** Through where entries are to be delivered. */
  #committed: number;
  #deliveryScheduled = false;
  /** To be told once all that was committed before has been delivered. Q5 */
  #afterDelivery: Extract<ReplicaEffect, { kind: "leading" | "lead-outcome" }>[] = [];
  /** The next check of the file waits or is under way. */
  #verifying = false;
  #verifyTimer: NodeJS.Timeout | undefined;
  #verifiedAtMs = Number.NEGATIVE_INFINITY;

  /** Does nothing before start(). */
  constructor(options: QuorumLogOptions) {
    const { journal, replicas } = options;
    const id = journal.identity.replica;
    super(options, id);
    this.#options = options;
    this.#delivered = options.applied;
    this.#committed = options.applied;
    this.#replica = new Replica({
      id,
      incarnation: journal.identity.incarnation,
      members: journal.identity.members,
      replicas: replicas.map((replica) => replica.id),
      hardState: journal.hardState,
      stored: journal,
      judge: options.judge,
      applied: options.applied,
    });
  }

  status(): ReplicaStatus {
    return this.#replica.status();
  }

  protected override get tickMs(): number {
    return this.#replica.tickMs;
  }

  read(position: number, bytesMax: number): readonly CommittedEntry[] {
    const { commitPosition } = this.#replica.status();
    if (this.stopped || position >= commitPosition) return [];
    try {
      return this.#replica
        .entriesAfter(position, bytesMax)
        .filter((entry) => entry.position <= commitPosition)
        .map(toCommitted);
    } catch (error) {
      this.fail(error); // the disk is damaged where nobody had looked since the start
      return [];
    }
  }

  override close(): void {
    clearTimeout(this.#verifyTimer);
    super.close();
  }

  protected override roundBegun(): void {
    this.#write();
  }

  protected stepCore(time: StepTime, event: ReplicaEvent): readonly ReplicaEffect[] {
    return this.#replica.step(time, event);
  }

  protected carryOut(effect: ReplicaEffect): void {
    const { journal } = this.#options;
    const observer = this.observer;
    switch (effect.kind) {
      case "send": {
        const { replica: from, incarnation } = journal.identity;
        this.links?.calls(effect.to)?.message({ from, incarnation, message: effect.message });
        break;
      }
      case "persist":
        this.#writes.push({ id: effect.id, write: effect.write });
        this.#scheduleWrite();
        break;
      case "committed":
        this.#committed = effect.position;
        if (!this.#deliveryScheduled) this.#deliver();
        break;
      case "leading":
      case "lead-outcome":
        if (this.#deliveryScheduled) this.#afterDelivery.push(effect);
        else this.#tell(effect);
        break;
      case "deposed":
        if (this.#afterDelivery.some(({ kind }) => kind === "leading")) this.#neverLed();
        else this.listener?.deposed();
        break;
      case "confirmed":
        this.confirmed(effect.token, effect.leads);
        break;
      case "verify":
        this.#verify();
        break;
      case "refuses":
        this.#options.log.error(
          { position: effect.misfit.position },
          `Refusing what ${effect.from} sends, its state or this one is wrong: ${effect.misfit.reason}`,
        );
        break;
      case "refused":
        this.#options.log.error(
          { position: effect.misfit.position },
          `${effect.by} refuses what is led with here, its state or this one is wrong: ${effect.misfit.reason}`,
        );
        break;
      case "following":
        observer.following?.(effect.leader, effect.epoch, effect.behind);
        this.listener?.changed();
        break;
      case "stored":
        observer.stored?.(effect.entries.map(toCommitted));
        break;
      case "already-held":
        observer.alreadyHeld?.(effect.entries.map(toCommitted));
        break;
      case "replicated":
        observer.replicated?.(effect.peer, effect.position);
        break;
      case "truncated":
        this.#options.log.warn(
          { from: effect.from, through: effect.through },
          "Dropped entries that no quorum held",
        );
        break;
      case "admitted":
        this.#options.log.info(
          { incarnation: effect.incarnation },
          `Admitting the replacement of ${effect.replica}`,
        );
        break;
    }
  }

  /** One check at a time, and the next one not at once. */
  #verify(): void {
    if (this.#verifying) return;
    this.#verifying = true;
    const waitMs = Math.max(0, this.#verifiedAtMs + VERIFY_EVERY_MS - performance.now());
    this.#verifyTimer = setTimeout(() => {
      this.#verifiedAtMs = performance.now();
      this.#options.log.info("Comparing the file with its journal");
      this.#options.verify().then(
        () => {
          this.#verifying = false;
          this.#options.log.info("The file is what its journal says");
          this.step({ kind: "verified" });
        },
        (error: unknown) => {
          if (error instanceof JournalCorrupt) return this.fail(error);
          // No word on the file: too little memory, too little time. The doubt stays, and so do the others.
          this.#options.log.error({ err: error }, "The file could not be compared; trying again");
          this.#verifying = false;
          this.#verify();
        },
      );
    }, waitMs);
  }

  /** Delivers a piece, and the rest in later turns. Q5 */
  #deliver(): void {
    const beganAtMs = performance.now();
    const through = this.#committed;
    if (this.#delivered < through) {
      const entries = this.#replica
        .entriesAfter(this.#delivered, this.#deliveryBytes)
        .filter((entry) => entry.position <= through);
      const newest = entries.at(-1);
      invariant(newest !== undefined, "what is committed can be read", {
        delivered: this.#delivered,
        through,
      });
      this.#delivered = newest.position;
      this.listener?.committed(entries.map(toCommitted));
    }
    if (this.#delivered === this.#committed) {
      const effects = this.#afterDelivery;
      this.#afterDelivery = [];
      for (const effect of effects) this.#tell(effect);
      return;
    }
    this.#options.tables.flush();
    const isLong = performance.now() - beganAtMs > DELIVERY_MS_MAX;
    const bytes = isLong ? this.#deliveryBytes / 2 : this.#deliveryBytes * 2;
    this.#deliveryBytes = Math.max(DELIVERY_BYTES_MIN, Math.min(DELIVERY_BYTES_MAX, bytes));
    this.#deliveryScheduled = true;
    setImmediate(() => {
      this.#deliveryScheduled = false;
      if (this.stopped) return;
      try {
        this.#deliver();
        this.#write();
      } catch (error) {
        this.fail(error);
      }
    });
  }

  #tell(effect: Extract<ReplicaEffect, { kind: "leading" | "lead-outcome" }>): void {
    if (effect.kind === "leading") this.listener?.leading(effect.epoch);
    else this.listener?.leadEnded(effect.outcome);
  }

  /** Deposed before anybody was told that it led. */
  #neverLed(): void {
    this.#afterDelivery = [];
    this.#tell({ kind: "lead-outcome", outcome: { kind: "lost", reason: "deposed" } });
  }

  #flushTables(): void {
    try {
      if (!this.stopped) this.#options.tables.flush();
    } catch (error) {
      this.fail(error);
    }
  }

  #scheduleWrite(): void {
    this.#writeLater ??= setImmediate(() => this.#write());
  }

  #write(): void {
    if (this.#writeLater !== null) clearImmediate(this.#writeLater);
    this.#writeLater = null;
    while (this.#writes.length > 0 && !this.stopped) {
      if (this.#committed - this.#delivered > UNDELIVERED_MAX) break; // after the next piece
      const writes = this.#writes;
      this.#writes = [];
      this.links?.flush(); // Q1
      const merged = mergeWrites(writes.map(({ write }) => write)); // Q3
      const { journal, tables } = this.#options;
      const startedAt = performance.now();
      try {
        journal.write(merged);
      } catch (error) {
        this.fail(error);
        return;
      }
      this.observer.written?.(merged.entries?.length ?? 0, performance.now() - startedAt);
      this.step({ kind: "persisted", id: (writes.at(-1) as { id: number }).id }); // Q2
      if (tables.pendingCommands >= TABLES_FLUSH_COMMANDS_MIN) {
        this.links?.flush(); // Q6
        this.#flushTables();
      }
    }
    this.links?.flush();
  }
}
