// What an order replica can be asked about itself by a monitoring system.

import {
  BATCH_BUCKETS,
  type Observer,
  RoleMetrics,
  type Scrape,
} from "../../io/metrics/role-metrics.ts";
import type { Health } from "../contract.ts";
import { ReignTimes } from "./reign-times.ts";
import type { Batches } from "./replica-service.ts";

export interface OrderMetricsSources {
  health(): Health;
  /** 0 while it doesn't lead. */
  exposedPosition(): number;
  appliedPosition(): number;
  /** Number of the newest committed order. */
  lastNumber(): number;
  /** Milliseconds of a clock that never goes back. */
  nowMs(): number;
}

export class OrderMetrics implements Batches {
  readonly #metrics: RoleMetrics;
  readonly #nowMs: () => number;
  readonly #writes: Observer;
  readonly #entries: Observer;
  readonly #commit: Observer;
  readonly #expose: Observer;
  readonly #leaseWait: Observer;
  readonly #questions: Observer;
  readonly #commands: Observer;
  #leaderChanges = 0;

  constructor(role: string, sources: OrderMetricsSources) {
    const metrics = new RoleMetrics(role);
    this.#metrics = metrics;
    this.#nowMs = () => sources.nowMs();
    metrics.gauge("bazaar_leads", "1 while this replica leads.", () =>
      sources.health().leads ? 1 : 0,
    );
    metrics.gauge("bazaar_epoch", "Highest epoch promised.", () => sources.health().epoch);
    metrics.gauge("bazaar_last_position", "Newest entry of the journal.", () => {
      return sources.health().lastPosition;
    });
    metrics.gauge("bazaar_commit_position", "Newest entry known to be held by a quorum.", () => {
      return sources.health().commitPosition;
    });
    metrics.gauge(
      "bazaar_exposed_position",
      "Newest entry clients may see; 0 unless leading.",
      () => sources.exposedPosition(),
    );
    metrics.gauge("bazaar_applied_position", "Newest entry in the durable tables.", () =>
      sources.appliedPosition(),
    );
    metrics.total("bazaar_orders_total", "Orders committed.", () => sources.lastNumber());
    metrics.total("bazaar_leader_changes_total", "Reigns seen since the start.", () => {
      return this.#leaderChanges;
    });
    this.#writes = metrics.histogram(
      "bazaar_journal_write_duration_seconds",
      "A write to the journal, its fsync included.",
    );
    this.#entries = metrics.histogram(
      "bazaar_journal_write_entries",
      "Entries made durable by one write.",
      BATCH_BUCKETS,
    );
    this.#commit = metrics.histogram(
      "bazaar_commit_duration_seconds",
      "While leading: from appending an entry until a quorum holds it.",
    );
    this.#expose = metrics.histogram(
      "bazaar_expose_duration_seconds",
      "While leading: from there until all views hold it, or their leases have ended.",
    );
    this.#leaseWait = metrics.histogram(
      "bazaar_lease_wait_duration_seconds",
      "While leading: waits that only the end of a dead view's lease ended.",
    );
    this.#questions = metrics.histogram(
      "bazaar_call_questions",
      "Questions that one call carried.",
      BATCH_BUCKETS,
    );
    this.#commands = metrics.histogram(
      "bazaar_entry_commands",
      "Orders, and what else changes or is recorded, in one committed entry.",
      BATCH_BUCKETS,
    );
  }

  /** A write of `entries` entries took `ms` milliseconds. */
  written(entries: number, ms: number): void {
    this.#writes.observe(ms / 1_000);
    this.#entries.observe(entries);
  }

  asked(questions: number): void {
    this.#questions.observe(questions);
  }

  committed(commands: number): void {
    this.#commands.observe(commands);
  }

  /** Another reign began. */
  leaderFound(): void {
    this.#leaderChanges += 1;
  }

  /** For a reign of this replica. */
  reignTimes(): ReignTimes {
    return new ReignTimes({
      commit: this.#commit,
      expose: this.#expose,
      leaseWait: this.#leaseWait,
      nowMs: this.#nowMs,
    });
  }

  scrape(): Promise<Scrape> {
    return this.#metrics.scrape();
  }
}
