// What a front end can be asked about itself by a monitoring system, and the
// route that tells it: GET /metrics.

import type { FastifyInstance } from "fastify";
import {
  type Ending,
  type Observer,
  RoleMetrics,
  type Scrape,
} from "../../io/metrics/role-metrics.ts";
import type { SentCounts } from "../../io/rpc/types.ts";
import type { TradeEnd } from "./orders/trades.ts";
import type { CacheStats } from "./stocks/stocks.ts";

const METRICS_URL = "/metrics";
/** What no route answered. */
export const NO_ROUTE = "none";

/** Told when a request was answered. */
export interface RequestDurations {
  /** `route` is method and pattern, `GET /stocks/:name` say; `startMs` is of performance.now(). */
  ended(route: string, status: number, startMs: number): void;
}

export interface FrontendMetricsSources {
  readonly sent?: SentCounts;
  /** By what they are for. */
  readonly certificates?: Readonly<Record<string, Ending | null | undefined>>;
  cache(): CacheStats;
  /** Whether a trade could be answered now. */
  isReady(): boolean;
  /** Whether lookups may be answered from copies now. */
  isLeased(): boolean;
  /** Calls back whenever another leader is found, or the known one is lost (null). */
  onLeader(callback: (leader: number | null) => void): void;
}

export class FrontendMetrics {
  readonly durations: RequestDurations;
  readonly #metrics: RoleMetrics;
  #leaderChanges = 0;

  constructor(role: string, sources: FrontendMetricsSources) {
    const metrics = new RoleMetrics(role, sources.sent);
    metrics.certificates(sources.certificates ?? {});
    this.#metrics = metrics;
    this.durations = requestDurations(metrics);
    sources.onLeader((leader) => {
      if (leader !== null) this.#leaderChanges += 1;
    });
    metrics.total("bazaar_leader_changes_total", "Order leaders found since the start.", () => {
      return this.#leaderChanges;
    });
    metrics.gauge("bazaar_ready", "1 while a trade could be answered.", () =>
      sources.isReady() ? 1 : 0,
    );
    metrics.gauge("bazaar_leased", "1 while lookups may be answered from copies.", () =>
      sources.isLeased() ? 1 : 0,
    );
    metrics.totals(
      "bazaar_cache_lookups_total",
      "Lookups by whether a copy answered.",
      "result",
      () => {
        const { hits, misses } = sources.cache();
        return { hit: hits, miss: misses };
      },
    );
    metrics.totals("bazaar_cache_removals_total", "Copies that went.", "reason", () => {
      const { evictions, invalidations } = sources.cache();
      return { evicted: evictions, invalidated: invalidations };
    });
    metrics.gauge(
      "bazaar_cache_copies",
      "Copies in the cache; 0 where the store can't tell.",
      () => {
        return sources.cache().size ?? 0;
      },
    );
  }

  /** Tells these counts, too, which whoever trades keeps. */
  tradeEnds(ends: Readonly<Record<TradeEnd, number>>): void {
    this.#metrics.totals("bazaar_trades_total", "Trades by how they ended.", "outcome", () => ends);
  }

  /** Tells how many requests were refused because their address asked for too much. */
  rateLimited(refused: () => number): void {
    this.#metrics.total(
      "bazaar_rate_limited_total",
      "Requests beyond their address's rate.",
      refused,
    );
  }

  scrape(): Promise<Scrape> {
    return this.#metrics.scrape();
  }
}

function requestDurations(metrics: RoleMetrics): RequestDurations {
  const by = metrics.histogramBy(
    "bazaar_http_request_duration_seconds",
    "Requests, from their headers to the end of their answer.",
    ["route", "status"],
  );
  // There are few routes and statuses, and finding one by labels costs more than observing it.
  const observers = new Map<string, Map<number, Observer>>();
  return {
    ended(route, status, startMs) {
      let ofRoute = observers.get(route);
      if (!ofRoute) {
        ofRoute = new Map();
        observers.set(route, ofRoute);
      }
      let observer = ofRoute.get(status);
      if (!observer) {
        observer = by({ route, status: String(status) });
        ofRoute.set(status, observer);
      }
      observer.observe((performance.now() - startMs) / 1_000);
    },
  };
}

/** Registers the route, and observes what the router answers. */
export function metricsRoute(app: FastifyInstance, metrics: FrontendMetrics): void {
  app.addHook("onResponse", (request, reply, done) => {
    const { method, url } = request.routeOptions;
    const route = url === undefined ? NO_ROUTE : `${method} ${url}`;
    metrics.durations.ended(route, reply.statusCode, performance.now() - reply.elapsedTime);
    done();
  });
  app.get(METRICS_URL, async (_request, reply) => {
    const { contentType, text } = await metrics.scrape();
    return reply
      .headers({ "content-type": contentType, "x-content-type-options": "nosniff" })
      .send(text);
  });
}
