// The metrics of one process, in Prometheus' text format. Names, units and help
// follow its conventions: base units in the name, counters end in _total.
//
// What can be read when somebody asks is read then; only durations are observed
// as they happen. So a metric costs the work that it measures next to nothing.

import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from "prom-client";
import type { SentCounts } from "../rpc/types.ts";

/** The text of a scrape, and its content type. */
export interface Scrape {
  readonly contentType: string;
  readonly text: string;
}

/** Upper bounds for durations from a disk's write to a fail-over, seconds. */
export const DURATION_BUCKETS_S: readonly number[] = [
  0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10,
];
/** Upper bounds for how much is done together. */
export const BATCH_BUCKETS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/**
 * Of the lags that prom-client samples with a timer: a hundred wake-ups a second, in a process that
 * may have nothing to do, are too much for them. The time at work says as much.
 */
const SAMPLED = ["min", "max", "mean", "stddev", "p50", "p90", "p99"].map(
  (what) => `nodejs_eventloop_lag_${what}_seconds`,
);
/** Longest time a timer can be set to. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** A histogram with fixed labels. */
export interface Observer {
  /** In the histogram's unit. */
  observe(value: number): void;
}

/** What ends at a time: wall clock, milliseconds. */
export interface Ending {
  readonly endsMs: number;
}

export class RoleMetrics {
  readonly #registry = new Registry();

  /**
   * Every metric carries the role's name as the label `role`; the process's own are included, and
   * what it sends to the other processes.
   */
  constructor(role: string, sent?: SentCounts) {
    this.#registry.setDefaultLabels({ role });
    collectDefaultMetrics({
      register: this.#registry,
      eventLoopMonitoringPrecision: TIMER_MS_MAX,
    });
    for (const name of SAMPLED) this.#registry.removeSingleMetric(name);
    this.total(
      "bazaar_event_loop_active_seconds_total",
      "Time in which the event loop was at work.",
      () => performance.eventLoopUtilization().active / 1_000,
    );
    if (sent === undefined) return;
    this.total("bazaar_messages_sent_total", "Messages sent to other processes.", () => {
      return sent.messages;
    });
    this.total("bazaar_frames_sent_total", "Frames that they left in.", () => sent.frames);
  }

  /** A number that is read when asked for. */
  gauge(name: string, help: string, read: () => number): void {
    const registers = [this.#registry];
    const gauge: Gauge = new Gauge({ name, help, registers, collect: () => gauge.set(read()) });
  }

  /** Totals that are counted elsewhere, and read when asked for; those that are null are left out. */
  totals<L extends string>(
    name: string,
    help: string,
    label: L,
    read: () => Readonly<Record<string, number | null>>,
  ): void {
    const counter: Counter<L> = new Counter({
      name,
      help,
      labelNames: [label],
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        for (const [value, total] of Object.entries(read())) {
          if (total !== null) counter.inc({ [label]: value } as Record<L, string>, total);
        }
      },
    });
  }

  /** A total that is read when asked for. */
  total(name: string, help: string, read: () => number): void {
    const counter: Counter = new Counter({
      name,
      help,
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        counter.inc(read());
      },
    });
  }

  /** When certificates of this process end, by what they are for; nothing for those that it hasn't. */
  certificates(all: Readonly<Record<string, Ending | null | undefined>>): void {
    const present = Object.entries(all).filter(([, one]) => one);
    const gauge = new Gauge({
      name: "bazaar_certificate_ends_timestamp_seconds",
      help: "When a certificate ends, in seconds since 1970.",
      labelNames: ["certificate"],
      registers: [this.#registry],
      collect: () => {
        for (const [certificate, one] of present) {
          if (one) gauge.set({ certificate }, one.endsMs / 1_000);
        }
      },
    });
  }

  /** A histogram without labels. */
  histogram(name: string, help: string, buckets = DURATION_BUCKETS_S): Observer {
    return this.histogramBy(name, help, [], buckets)({});
  }

  /** A histogram by labels; keep what it returns for labels that come often. */
  histogramBy<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    buckets = DURATION_BUCKETS_S,
  ): (labels: Record<L, string>) => Observer {
    const all = new Map<string, Counts>();
    const values = (): Value[] => [...all.values()].flatMap((counts) => counts.values(name));
    // What a registry needs of a metric; prom-client's own histogram finds its numbers by the text
    // of their labels at each observation, which costs a tenth of a cached lookup.
    const metric = {
      name,
      help,
      type: "histogram",
      get: async () => ({ ...metric, values: values() }),
    };
    this.#registry.registerMetric(metric as unknown as Metric);
    return (labels) => {
      const key = JSON.stringify(labelNames.map((label) => labels[label]));
      const counts = all.get(key) ?? new Counts(labels, buckets);
      all.set(key, counts);
      return counts;
    };
  }

  async scrape(): Promise<Scrape> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}

/** A line of a scrape. */
interface Value {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** What was observed under the same labels. */
class Counts implements Observer {
  readonly #labels: Readonly<Record<string, string>>;
  readonly #bounds: readonly number[];
  /** How many were within each bound, and not within the one before; beyond all, last. */
  readonly #within: number[];
  #sum = 0;

  constructor(labels: Readonly<Record<string, string>>, bounds: readonly number[]) {
    this.#labels = labels;
    this.#bounds = bounds;
    this.#within = new Array(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let index = 0;
    while (value > (this.#bounds[index] ?? Number.POSITIVE_INFINITY)) index += 1;
    this.#within[index] = (this.#within[index] ?? 0) + 1;
    this.#sum += value;
  }

  /** In a histogram's lines each bucket counts what is in those below it, too. */
  values(name: string): Value[] {
    const labels = this.#labels;
    let count = 0;
    const buckets = this.#within.map((within, index) => {
      count += within;
      const le = this.#bounds[index] ?? "+Inf";
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: count };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: this.#sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }
}
