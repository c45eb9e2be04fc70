// A catalog as a process: its view and the file behind it, its connections to
// the replicas, its port, its clock. Wiring only.
//
// The file is read once, at the start; from then on the view is ahead of it.

import { setTimeout as pause } from "node:timers/promises";
import { CatalogView } from "../../core/coherence/catalog-view.ts";
import { Demand } from "../../core/coherence/demand.ts";
import { LEASE_ASK_MS } from "../../core/coherence/limits.ts";
import { OtherCluster, otherMembers } from "../../core/replication/members.ts";
import { openCatalogStore } from "../../io/journal/catalog-store.ts";
import { catalogFile, clusterInFiles } from "../../io/journal/cluster-files.ts";
import { stocksDigest } from "../../io/journal/digests.ts";
import { lockRole } from "../../io/journal/lock.ts";
import { RoleMetrics } from "../../io/metrics/role-metrics.ts";
import { connect } from "../../io/rpc/connect.ts";
import { listen } from "../../io/rpc/listen.ts";
import type { Identity } from "../../io/rpc/types.ts";
import { membersOf } from "../config.ts";
import { type CatalogAudit, catalogContract, type RoleStatus } from "../contract.ts";
import { LeaderWait } from "../leader-wait.ts";
import { FRONTEND_CLOSE_MAX_MS, Leavers } from "../leavers.ts";
import type { RoleOptions, RunningRole } from "../role.ts";
import { logTraces } from "../trace.ts";
import { CatalogService } from "./catalog-service.ts";
import { find } from "./find.ts";
import { Following } from "./following.ts";
import { LeaderQuestions } from "./leader-questions.ts";
import { AUDIT_WAIT_MS, STORE_DELAY_MS, TICK_MS } from "./limits.ts";
import { Replicas } from "./replicas.ts";
import { StockView } from "./stock-view.ts";
import { StoreWriter } from "./store-writer.ts";
import { Updates } from "./updates.ts";

/** What anybody may call; entries come only over the connections that the catalog itself opens. */
const { entries: entriesCall, ...servedContract } = catalogContract;

/** Starts the catalog of this name. Rejects when its lock, its file or its port can't be had. */
export async function startCatalog(options: RoleOptions): Promise<RunningRole> {
  const { config, name, secret, log } = options;
  const place = config.catalogs.find((catalog) => catalog.name === name);
  if (!place) throw new Error(`the configuration has no catalog named ${name}`);
  const nowMs = (): number => performance.now();
  const failed = Promise.withResolvers<Error>();
  const broken = (reason: unknown): void =>
    failed.resolve(reason instanceof Error ? reason : new Error(String(reason)));

  await using parts = new AsyncDisposableStack(); // closed last to first
  const lock = lockRole(config.data, name);
  parts.defer(() => lock.release());
  const file = openCatalogStore({
    path: catalogFile(config.data, name),
    role: name,
    renewed: (err) => log.warn({ err }, "Catalog's file is damaged: put aside, made anew"),
    clusterElsewhere: () => clusterInFiles(config),
  });
  parts.defer(() => file.close());
  const refusal = otherMembers(file.path, file.cluster.members, membersOf(config));
  if (refusal !== null) throw new OtherCluster(refusal);
  const identity: Identity = { role: "catalog", name, cluster: file.cluster };

  const stocks = new StockView({ position: file.position, stocks: file.stocks() });
  const store = new StoreWriter(file, file.position);
  const view = new CatalogView({ applied: file.position, nowMs: nowMs() });
  const replicas = new Replicas();
  const leader = new LeaderQuestions({ replicas, nowMs });
  const knows = (stock: string): boolean => stocks.stock(stock) !== undefined;
  const updates = new Updates({ leader, knows });
  const service: CatalogService = new CatalogService({
    view,
    stocks,
    store,
    replicas,
    log,
    nowMs,
    onLeader: () => following.askAll(),
    onBroken: broken,
  });
  const demand = new Demand();
  const following: Following = new Following({ replicas, view, demand, service, nowMs, log });
  /** Answers once there is a lease, if there may be one soon. */
  const underLease = <T>(answer: () => T | Promise<T>): T | Promise<T> =>
    following.wanted()?.then(answer) ?? answer();

  const status = (): RoleStatus => {
    const { leader, epoch } = service.feeder;
    return {
      role: name,
      pid: process.pid,
      up: true,
      leader,
      epoch,
      applied: stocks.position,
      leased: view.isLeased(nowMs()),
      leasedTo: service.leasedTo,
    };
  };

  const metrics = new RoleMetrics(name);
  metrics.gauge(
    "bazaar_applied_position",
    "Journal position that the view shows.",
    () => view.applied,
  );
  metrics.gauge(
    "bazaar_received_position",
    "Journal position received from the leader.",
    () => view.received,
  );
  metrics.gauge("bazaar_epoch", "Epoch of the leader that is followed.", () => view.epoch);
  metrics.gauge("bazaar_stocks", "Stocks on offer.", () => stocks.size);
  metrics.gauge("bazaar_leased", "1 while answers may be given without the leader.", () =>
    view.isLeased(nowMs()) ? 1 : 0,
  );

  const leavers = new Leavers();
  const listener = await listen({
    host: place.host,
    port: place.port,
    secret,
    identity,
    contract: servedContract,
    handlers: {
      lookup({ names, traces }) {
        logTraces(log, traces);
        return underLease(() => service.lookup(names));
      },
      stocks({ traces, ...question }) {
        logTraces(log, traces);
        return underLease(() => service.list(question));
      },
      find: ({ name }) => underLease(() => find({ service, leader }, name)),
      lease: ({ ask, held }, peer) => underLease(() => service.lease(peer, ask, held)),
      holding: ({ through }, peer) => service.holding(peer, through),
      leaving: (_, peer) => leavers.leaves(peer),
      update: (update) => updates.update(update),
      status,
      audit: ({ position }) => audit(stocks, position),
    },
    log,
    onOpen(peer) {
      if (peer.identity.role === "frontend") service.joined(peer);
    },
    onClose: (peer) => service.left(peer),
    onInvariantViolation: broken,
    metrics: () => metrics.scrape(),
    allowedHosts: config.allowedHosts,
  });
  parts.defer(() => listener.close());

  for (const { id, host, port } of config.replicas) {
    const link = connect({
      host,
      port,
      secret,
      identity,
      contract: { entries: entriesCall },
      handlers: { entries: (message) => service.entries(message) },
      log,
      onOpen: (peer) => following.opened(id, peer),
      onClose: (peer) => following.closed(id, peer),
      onInvariantViolation: broken,
    });
    parts.defer(() => link.close());
  }

  const wait = new LeaderWait({
    log,
    nowMs,
    replicas: config.replicas.map(({ id }) => id),
    isUp: (id) => replicas.of(id) !== null,
  });
  // Behind the poll phase: after a pause, what arrived meanwhile is read before anybody is called late.
  const ticks = setInterval(() => setImmediate(() => service.tick()), TICK_MS);
  const asks = setInterval(() => {
    wait.tick(following.isLed);
    setImmediate(() => following.askAll());
  }, LEASE_ASK_MS);
  const saves = setInterval(() => save(store, broken), STORE_DELAY_MS);
  parts.defer(() => {
    clearInterval(ticks);
    clearInterval(asks);
    clearInterval(saves);
    save(store, broken);
  });

  log.info({ position: stocks.position, stocks: stocks.size }, "Catalog service ready");
  const running = parts.move();
  return {
    failed: failed.promise,
    drain: () => leavers.gone(listener.peers, config.drainMs + FRONTEND_CLOSE_MAX_MS),
    close: () => running.disposeAsync(),
  };
}

function save(store: StoreWriter, broken: (reason: unknown) => void): void {
  try {
    store.flush();
  } catch (error) {
    broken(error);
  }
}

/** What the view holds once it is at `position`, or where it got to in AUDIT_WAIT_MS. */
async function audit(view: StockView, position: number): Promise<CatalogAudit> {
  const deadlineMs = performance.now() + AUDIT_WAIT_MS;
  while (view.position < position && performance.now() < deadlineMs) await pause(TICK_MS);
  const stocks = view.stocks();
  return { position: view.position, stocks: stocks.length, stocksDigest: stocksDigest(stocks) };
}
