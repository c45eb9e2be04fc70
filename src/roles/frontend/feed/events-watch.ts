// Puts together what a front end can see, and the feed that tells it.

import { randomBytes } from "node:crypto";
import type { Logger } from "pino";
import type { StockCopies } from "../../../io/cache/types.ts";
import { type ClusterConfig, quorumOf, urlOf } from "../../config.ts";
import type { Playground } from "../http/playground.ts";
import type { OrderService } from "../orders/order-service.ts";
import type { CatalogLinks } from "../stocks/catalog-links.ts";
import type { Stocks } from "../stocks/stocks.ts";
import { Feed } from "./events.ts";
import { WatchedCache } from "./events-cache.ts";
import { WatchedCluster } from "./events-cluster.ts";
import { Probes } from "./events-probes.ts";
import { WatchedStocks } from "./events-stocks.ts";
import { Tape } from "./events-tape.ts";

export interface WatchOptions {
  readonly config: ClusterConfig;
  /** This front end's. */
  readonly name: string;
  readonly copies: StockCopies;
  readonly orders: Pick<OrderService, "ask" | "leader" | "health" | "replicas" | "onLeader">;
  readonly catalogs: Pick<CatalogLinks, "peer">;
  readonly stocks: Pick<Stocks<never>, "page" | "stats" | "asked" | "lease">;
  readonly playground: Playground | undefined;
  readonly log: Logger;
  readonly nowMs: () => number;
}

const NAME_BYTES = 6;

export function watchFrontend(options: WatchOptions): Feed {
  const { config, name, copies, orders, catalogs, stocks, nowMs, log } = options;
  const wallMs = () => Date.now();
  const tape = new Tape(orders);
  const sizeMax = config.cache.kind === "memory" ? config.cache.entriesMax : null;
  const cache = new WatchedCache(copies, stocks, sizeMax);
  const probes = new Probes({
    catalogs: config.catalogs.map((catalog, index) => ({
      name: catalog.name,
      port: catalog.port,
      link: {
        get peer() {
          return catalogs.peer(index); // connected later, when the port is bound
        },
      },
    })),
    asked: () => stocks.asked,
    frontends: config.frontends.map((each) => ({ ...each, url: urlOf(config, each) })),
    self: name,
    committed: () => {
      const known = orders.replicas().map(({ health }) => health?.commitPosition ?? -1);
      const newest = Math.max(-1, ...known);
      return newest < 0 ? null : newest;
    },
  });
  const roles = new Map(config.replicas.map((replica) => [replica.id, replica.name]));
  const cluster = new WatchedCluster({
    leader: () => orders.leader(),
    ready: () => orders.health().ready,
    replicas: () => orders.replicas(),
    catalogs: () => probes.catalogs(),
    frontends: () => probes.frontends(),
    lease: () => stocks.lease,
    playground: () => options.playground?.state() ?? null,
    quorum: quorumOf(config.replicas.length),
    roleOf: (replica) => roles.get(replica) ?? `order-${replica}`,
  });
  const feed = new Feed({
    tape,
    stocks: new WatchedStocks(stocks, tape),
    cluster,
    cache,
    probes,
    log,
    name: randomBytes(NAME_BYTES).toString("hex"),
    nowMs,
    wallMs,
  });
  orders.onLeader((leader) => feed.led(leader));
  copies.observe?.((copy, why) => cache.removed(copy, why, wallMs()));
  return feed;
}
