// What an order replica can be asked about itself by a monitoring system.

import {
  BATCH_BUCKETS,
  type Ending,
  type Observer,
  RoleMetrics,
  type Scrape,
} from "../../io/metrics/role-metrics.ts";
import type { SentCounts } from "../../io/rpc/types.ts";
import type { Health } from "../contract.ts";

export interface OrderMetricsSources {
  health(): Health;
  /** 0 while it doesn't lead. */
  exposedPosition(): number;
  appliedPosition(): number;
  /** Number of the newest committed order. */
  lastNumber(): number;
}

export class OrderMetrics {
  readonly #metrics: RoleMetrics;
  readonly #writes: Observer;
  readonly #entries: Observer;
  readonly #times: EntryTimes;
  readonly #questions: Observer;
  readonly #commands: Observer;
  #leaderChanges = 0;

  /** `nowMs`: milliseconds of a clock that never goes back. */
  constructor(
    role: string,
    nowMs: () => number,
    sent?: SentCounts,
    certificate: Ending | null = null,
  ) {
    const metrics = new RoleMetrics(role, sent);
    metrics.certificates({ peer: certificate });
    this.#metrics = metrics;
    this.#writes = metrics.histogram(
      "bazaar_journal_write_duration_seconds",
      "A write to the journal, its fsync included.",
    );
    this.#entries = metrics.histogram(
      "bazaar_journal_write_entries",
      "Entries made durable by one write.",
      BATCH_BUCKETS,
    );
    const commit = metrics.histogram(
      "bazaar_commit_duration_seconds",
      "While leading: from appending an entry until a quorum holds it.",
    );
    const expose = metrics.histogram(
      "bazaar_expose_duration_seconds",
      "While leading: from there until all views hold it, or their leases have ended.",
    );
    const leaseWait = metrics.histogram(
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
    this.#times = new EntryTimes({ commit, expose, leaseWait, nowMs });
  }

  /** Where the replica stands is read when somebody asks. */
  watch(sources: OrderMetricsSources): void {
    const metrics = this.#metrics;
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

  // Of entries while this replica leads.

  /** Nothing is known of the entries of a reign that is over. */
  reignEnded(): void {
    this.#times.clear();
  }

  /** A turn's entries were appended, the last of them at `position`. */
  appended(position: number): void {
    this.#times.appended(position);
  }

  quorumHolds(position: number): void {
    this.#times.quorumHolds(position);
  }

  exposed(position: number, leaseEnded: boolean): void {
    this.#times.exposed(position, leaseEnded);
  }

  scrape(): Promise<Scrape> {
    return this.#metrics.scrape();
  }
}

/** Entries that are kept in mind; of more the times aren't taken. */
const ENTRIES_MAX = 1_024;

interface Entry {
  readonly position: number;
  readonly appendedMs: number;
  committedMs: number | null;
}

interface EntryTimesOptions {
  /** In seconds, as all metrics are. */
  readonly commit: Observer;
  readonly expose: Observer;
  readonly leaseWait: Observer;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

/**
 * How long each of a leader's entries takes: from being appended until a quorum
 * holds it, and from then until clients may see it. The second is where a view
 * that is waited for shows; the waits that ended with a lease, because the view is
 * dead, are also told by themselves.
 */
export class EntryTimes {
  readonly #options: EntryTimesOptions;
  /** Ascending; the first `#committed` of them are committed. */
  #entries: Entry[] = [];
  #committed = 0;

  constructor(options: EntryTimesOptions) {
    this.#options = options;
  }

  clear(): void {
    this.#entries = [];
    this.#committed = 0;
  }

  /** A turn's entries were appended, the last of them at `position`. */
  appended(position: number): void {
    if (this.#entries.length >= ENTRIES_MAX) return;
    this.#entries.push({ position, appendedMs: this.#options.nowMs(), committedMs: null });
  }

  /** A quorum holds everything up to `position`. */
  quorumHolds(position: number): void {
    const now = this.#options.nowMs();
    for (
      let entry = this.#entries[this.#committed];
      entry;
      entry = this.#entries[this.#committed]
    ) {
      if (entry.position > position) break;
      entry.committedMs = now;
      this.#options.commit.observe((now - entry.appendedMs) / 1_000);
      this.#committed += 1;
    }
  }

  /**
   * Clients may see everything up to `position`, which is committed; `leaseEnded`: since a
   * view that doesn't hold it may show nothing any more.
   */
  exposed(position: number, leaseEnded: boolean): void {
    let count = 0;
    const now = this.#options.nowMs();
    for (const { position: at, committedMs } of this.#entries) {
      if (at > position || committedMs === null) break;
      this.#options.expose.observe((now - committedMs) / 1_000);
      if (leaseEnded && count === 0) this.#options.leaseWait.observe((now - committedMs) / 1_000);
      count += 1;
    }
    if (count === 0) return;
    this.#entries.splice(0, count);
    this.#committed -= count;
  }
}
