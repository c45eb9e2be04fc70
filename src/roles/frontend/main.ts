// A front end as a process: its cache, its port, its connections.
//
// The port is its own before it connects to anybody: a second process of its name
// ends there. What is asked before a leader is found waits for it, two seconds at
// most; from then on trades get 503 while there is none.

import type { RequestListener, Server } from "node:http";
import type { Server as TlsServer } from "node:https";
import { Server as PortServer } from "node:net";
import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import about from "../../../package.json" with { type: "json" };
import { OtherCluster } from "../../core/replication/members.ts";
import { memoryCopies } from "../../io/cache/memory.ts";
import { noCopies, type StockCopies } from "../../io/cache/types.ts";
import { HostNames, isLoopback, isLoopbackHost } from "../../io/host-names.ts";
import { AuditLog } from "../../io/logging/audit-log.ts";
import { readSecretFile, SecretError } from "../../io/rpc/secret.ts";
import type { Identity, Peer, Unreachable } from "../../io/rpc/types.ts";
import { within } from "../../io/within.ts";
import { type ClusterConfig, membersOf } from "../config.ts";
import type { RoleOptions, RunningRole } from "../role.ts";
import { StepRecorder } from "../steps.ts";
import { catalogOver, NotReachable, replicaOver, verifyCluster } from "../verification.ts";
import { GatheredStepsFeed } from "./feed/events-steps.ts";
import { watchFrontend } from "./feed/events-watch.ts";
import { Access } from "./http/access.ts";
import { build } from "./http/app.ts";
import type { Playground } from "./http/playground.ts";
import { RateLimits } from "./http/rate-limits.ts";
import { RequestGate } from "./http/request-gate.ts";
import { RequestTraces } from "./http/request-traces.ts";
import { CLOSE_FLUSH_MS, CLOSE_GRACE_MS, CLOSE_NOTICE_MS, LEADER_WAIT_MS } from "./limits.ts";
import { FrontendMetrics } from "./metrics.ts";
import { OrderService } from "./orders/order-service.ts";
import { CatalogLinks, PeerCalls } from "./stocks/catalog-links.ts";
import { Stocks } from "./stocks/stocks.ts";

export interface FrontendOptions extends RoleOptions {
  /** Given by `bazaar up --playground`. */
  readonly playground?: Playground;
}

/** Starts the front end of this name. Rejects with the system's error when its port can't be had. */
export async function startFrontend(options: FrontendOptions): Promise<RunningRole> {
  const { config, name, credentials, https, log } = options;
  const place = config.frontends.find((frontend) => frontend.name === name);
  if (!place) throw new Error(`the configuration has no front end named ${name}`);
  const steps = new StepRecorder(name);
  const identity: Identity = {
    tap: steps.tap,
    role: "frontend",
    name,
    cluster: { name: null, members: membersOf(config) },
  };
  const failed = Promise.withResolvers<Error>();

  const copies = await openCopies(config.cache, credentials.secret, log);
  const unreachable = untilAccepted(config, identity, (why) => failed.resolve(why));
  const traces = new RequestTraces(log);
  const orders = new OrderService({
    replicas: config.replicas,
    credentials,
    identity,
    traces,
    log,
    onUnreachable: (replica, why) => unreachable(`order-${replica}`, why),
  });
  const nowMs = (): number => performance.now();
  const stocks = new Stocks({ copies, catalogs: new PeerCalls(traces), orders, log, nowMs });
  const catalogs = new CatalogLinks();
  const { playground } = options;
  const seen = { copies, orders, catalogs, stocks, playground };
  const feed = watchFrontend({ config, name, log, nowMs, ...seen });
  const gate = new RequestGate(new HostNames(place.host, config.allowedHosts));
  const metrics = new FrontendMetrics(name, {
    sent: steps.tap.sent,
    certificates: { peer: credentials.certificates, https },
    cache: () => stocks.stats(),
    isReady: () => !gate.isStopping && orders.health().ready,
    isLeased: () => stocks.lease !== null,
    onLeader: (callback) => orders.onLeader(callback),
  });
  const audit = config.auditLog === undefined ? null : new AuditLog(config.auditLog, name, log);
  const wallMs = (): number => Date.now();
  const access = new Access({
    keys: orders.keys,
    isOpenAtFirst: isLoopback(place.host),
    needsKeys: !config.insecure && !isLoopbackHost(place.host),
    wallMs,
    ...(audit && { audit }),
    // Only now, since nobody else should wait for it to load.
    ...(config.jwt && {
      tokens: new (await import("./http/tokens.ts")).Tokens({ ...config.jwt, wallMs }),
    }),
  });
  const app = build({
    https,
    isInsecure: config.insecure,
    gate,
    access,
    audit: audit ?? undefined,
    orders,
    metrics,
    stocks,
    log,
    traces,
    version: about.version,
    corsOrigins: config.corsOrigins,
    rates: new RateLimits({ ...config.rateLimit, trustProxy: config.trustProxy }),
    broken: failed.resolve,
    feed,
    steps: new GatheredStepsFeed({
      own: steps,
      ownName: name,
      sources: [
        ...config.replicas.map((replica) => ({
          name: replica.name,
          peer: () => orders.peer(replica.id),
        })),
        ...config.catalogs.map((catalog, index) => ({
          name: catalog.name,
          peer: () => catalogs.peer(index),
        })),
      ],
      nowMs,
    }),
    verification: {
      verify: () =>
        verifyCluster({
          replicas: config.replicas.map(({ id, name: replica }) =>
            replicaOver(replica, () => reached(orders.peer(id))),
          ),
          catalogs: config.catalogs.map(({ name: catalog }, index) =>
            catalogOver(catalog, () => reached(catalogs.peer(index))),
          ),
        }),
      told: () => feed.told,
      nowMs,
      wallMs: () => Date.now(),
    },
    ...(playground && { playground }),
  });
  const parts = { app, gate, orders, stocks, catalogs, copies, audit };
  const started = Promise.withResolvers<void>();
  holdRequests(app.server, started.promise);
  https?.onChange(() => (app.server as TlsServer).setSecureContext(https.texts));
  try {
    await app.listen({ host: place.host, port: place.port });
    catalogs.connect({
      catalogs: config.catalogs,
      credentials,
      identity,
      log,
      lookups: stocks.lookups,
      onUnreachable: unreachable,
      onInvariantViolation: failed.resolve,
    });
    const refused = failed.promise.then((reason) => Promise.reject(reason));
    await Promise.race([within(orders.start(), LEADER_WAIT_MS), refused]);
  } catch (error) {
    await stop(parts);
    throw error;
  } finally {
    started.resolve();
  }
  log.info(`Starting threaded httpd server on ${place.host}:${place.port}`); // the reference program's words
  return {
    failed: failed.promise,
    drain: async (haste) => {
      leave(parts);
      await pause(config.drainMs, undefined, { signal: haste }).catch(() => {}); // there is haste
    },
    close: () => stop(parts),
  };
}

/**
 * A front end keeps no file that tells its cluster. If whoever answers refuses it
 * as another cluster's, and nobody has accepted it, `refused` is told why, once
 * all have been tried: a stray process of another cluster mustn't stop a front
 * end that the others accept.
 */
function untilAccepted(
  { replicas, catalogs }: ClusterConfig,
  { cluster }: Identity,
  refused: (why: OtherCluster) => void,
): (role: string, why: Unreachable) => void {
  const untried = new Set([...replicas, ...catalogs].map(({ name }) => name));
  let said: string | null = null;
  return (role, { kind, message }) => {
    untried.delete(role);
    if (kind === "other-cluster") said ??= message;
    // The name is known from the first peer on that accepted us.
    const isOut = cluster.name === null && untried.size === 0;
    if (said !== null && isOut) refused(new OtherCluster(said));
  };
}

async function reached(peer: Peer | null): Promise<Peer> {
  if (peer === null) throw new NotReachable("there is no connection");
  return peer;
}

/** Requests wait, and go on in the order in which they came, until `until` settles. */
function holdRequests(server: Server, until: Promise<void>): void {
  const listeners = server.listeners("request") as RequestListener[];
  const hold: RequestListener = (request, response) => {
    void until.then(() => {
      for (const listener of listeners) listener(request, response);
    });
  };
  server.removeAllListeners("request");
  server.on("request", hold);
  void until.then(() => {
    server.off("request", hold);
    for (const listener of listeners) server.on("request", listener);
  });
}

/**
 * Closes the port alone, which is not what the HTTP server's own close does: it ends connections, too,
 * whose first request is on its way. Settles once all connections have ended.
 */
function portClosed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    PortServer.prototype.close.call(server, () => resolve());
  });
}

async function openCopies(
  cache: ClusterConfig["cache"],
  secret: string,
  log: Logger,
): Promise<StockCopies> {
  switch (cache.kind) {
    case "none":
      return noCopies();
    case "memory":
      return memoryCopies({ entriesMax: cache.entriesMax });
    case "redis": {
      // Loaded only where it is used: it is a tenth of the time to start.
      const { redisCopies } = await import("../../io/cache/redis.ts");
      const { url, maxmemory, maxmemoryPolicy } = cache;
      const password = cache.password && redisPassword(cache.password);
      const copies = redisCopies({ url, password, secret, log, maxmemory, maxmemoryPolicy });
      await copies.tried;
      return copies;
    }
  }
}

/** Throws SecretError when there is none, or others may read it. */
function redisPassword(where: { readonly file: string } | { readonly variable: string }): string {
  if ("variable" in where) return process.env[where.variable] ?? "";
  const { file } = where;
  const what = "put the password of Redis there, in one line";
  const password = readSecretFile(file, what).replace(/\r?\n$/, "");
  if (/^[^\r\n]{1,512}$/.test(password)) return password;
  throw new SecretError(`${file} holds no password of 1 to 512 characters: ${what}`);
}

interface Parts {
  readonly app: FastifyInstance;
  readonly gate: RequestGate;
  readonly orders: OrderService;
  readonly catalogs: CatalogLinks;
  readonly stocks: Stocks<Peer>;
  readonly copies: StockCopies;
  readonly audit: AuditLog | null;
}

/** Clients, load balancers, replicas and catalogs are told to count on others; all are served on. */
function leave({ gate, orders, catalogs }: Parts): void {
  if (gate.isStopping) return;
  gate.stop();
  orders.leaving();
  catalogs.leaving();
}

/** The port closes; requests under way are answered, then with 503, then cut off. */
async function stop(parts: Parts): Promise<void> {
  const { app, orders, stocks, catalogs, copies, audit } = parts;
  leave(parts);
  // Right behind the poll phase: a connection that waits to be accepted is reset with the port.
  await nextTurn();
  const left = portClosed(app.server);
  await within(left, CLOSE_NOTICE_MS);
  const closed = Promise.all([left, app.close()]);
  await within(closed, CLOSE_GRACE_MS);
  orders.close();
  await within(closed, CLOSE_FLUSH_MS);
  app.server.closeAllConnections();
  stocks.close();
  catalogs.close();
  copies.close();
  await closed;
  audit?.close();
}
