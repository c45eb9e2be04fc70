// A catalog as a process: its connections, its port, its file, its clock and its
// log. What it does is core/service/catalog-desk.ts.
//
// The file is read once, at the start; from then on the view is ahead of it.

import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import { OtherCluster, otherMembers } from "../../core/replication/members.ts";
import { type CatalogCalls, CatalogDesk } from "../../core/service/catalog-desk.ts";
import { CATALOG_TICK_MS, REPLICA_CALL_MS, STORE_DELAY_MS } from "../../core/service/limits.ts";
import { stocksDigest } from "../../io/journal/audit.ts";
import { type CatalogStore, openCatalogStore } from "../../io/journal/catalog-store.ts";
import { catalogFile, clusterInFiles, lockRole } from "../../io/journal/data-directory.ts";
import { RoleMetrics } from "../../io/metrics/role-metrics.ts";
import { recurring } from "../../io/recurring.ts";
import { connect } from "../../io/rpc/connect.ts";
import { errorText } from "../../io/rpc/error.ts";
import { listen } from "../../io/rpc/listen.ts";
import type { CallOptions, Calls, Contract, Identity, Peer } from "../../io/rpc/types.ts";
import { membersOf } from "../config.ts";
import {
  type CatalogAudit,
  catalogContract,
  frontendContract,
  orderContract,
  type RoleStatus,
} from "../contract.ts";
import { attemptOver, LeaderWait } from "../leader.ts";
import { FRONTEND_CLOSE_MAX_MS, Leavers } from "../leavers.ts";
import type { RoleOptions, RunningRole } from "../role.ts";
import { StepRecorder } from "../steps.ts";
import { logTraces } from "../trace.ts";
import { findResult, isWhole, notWholeResult, updateResult } from "./results.ts";

type Desk = CatalogDesk<Peer>;

/** How long an audit waits for the position it was asked about. */
const AUDIT_WAIT_MS = 10_000;

/** What anybody may call; entries come only over the connections that the catalog itself opens. */
const { entries: entriesCall, ...servedContract } = catalogContract;

/** Starts the catalog of this name. Rejects when its lock, its file or its port can't be had. */
export async function startCatalog(options: RoleOptions): Promise<RunningRole> {
  const { config, name, credentials, log } = options;
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
  const steps = new StepRecorder(name);
  const { tap } = steps;
  const identity: Identity = { role: "catalog", name, cluster: file.cluster, tap };

  const desk: Desk = new CatalogDesk<Peer>({
    start: { position: file.position, stocks: file.stocks() },
    calls: callsOver(log),
    observer: {
      following: (leader, epoch) => log.info({ leader, epoch }, "Following the order leader"),
      received(entries) {
        if (!log.isLevelEnabled("debug")) return;
        for (const { position, commands } of entries) {
          const requestIds = commands.map(({ requestId }) => requestId);
          log.debug({ position, requestIds }, "Received entry");
        }
      },
    },
    nowMs,
    after: (ms, run) => setTimeout(run, ms).unref(),
    newRequestId: randomUUID,
    onBroken: broken,
  });

  const status = (): RoleStatus => ({
    role: name,
    pid: process.pid,
    up: true,
    ...desk.feeder,
    applied: desk.shown.position,
    leased: desk.isLeased,
    leasedTo: desk.leasedTo,
  });

  const metrics = new RoleMetrics(name, tap.sent);
  metrics.certificates({ peer: credentials.certificates });
  metrics.gauge(
    "bazaar_applied_position",
    "Journal position that the view shows.",
    () => desk.shown.position,
  );
  metrics.gauge(
    "bazaar_received_position",
    "Journal position received from the leader.",
    () => desk.received,
  );
  metrics.gauge("bazaar_epoch", "Epoch of the leader that is followed.", () => desk.feeder.epoch);
  metrics.gauge("bazaar_stocks", "Stocks on offer.", () => desk.shown.size);
  metrics.gauge("bazaar_leased", "1 while answers may be given without the leader.", () =>
    desk.isLeased ? 1 : 0,
  );

  const leavers = new Leavers();
  const listener = await listen({
    host: place.host,
    port: place.port,
    credentials,
    identity,
    contract: servedContract,
    handlers: {
      lookup({ names, traces }) {
        logTraces(log, traces);
        return new Promise((resolve) => desk.lookup(names, resolve));
      },
      stocks({ traces, ...question }) {
        logTraces(log, traces);
        return new Promise((resolve) => desk.list(question, resolve));
      },
      find: ({ name }) =>
        new Promise((resolve) => desk.find(name, (answer) => resolve(findResult(name, answer)))),
      lease: ({ ask, held }, peer) =>
        new Promise((resolve) => desk.lease(peer, ask, held, (grant) => resolve({ grant }))),
      holding: ({ through }, peer) => desk.holding(peer, through),
      leaving: (_, peer) => leavers.leaves(peer),
      update: ({ by, ...update }) => {
        if (!isWhole(by)) return notWholeResult(by, desk.shown.stock(update.name) !== undefined);
        return new Promise((resolve) =>
          desk.update({ ...update, by }, (answer, id) => resolve(updateResult(id, answer))),
        );
      },
      status,
      steps: ({ after }) => steps.ask(after),
      audit: ({ position }) => audit(desk.shown, position),
    },
    log,
    onOpen(peer) {
      if (peer.identity.role === "frontend") desk.joined(peer, peer.identity.name, peer.link);
    },
    onClose: (peer) => desk.left(peer),
    onInvariantViolation: broken,
    metrics: () => metrics.scrape(),
    allowedHosts: config.allowedHosts,
  });
  parts.defer(() => listener.close());

  for (const { id, name: replica, host, port } of config.replicas) {
    const link = connect({
      host,
      port,
      name: replica,
      credentials,
      identity,
      contract: { entries: entriesCall },
      handlers: { entries: (message) => desk.entries(message) },
      log,
      onOpen: (peer) => desk.replicaOpened(id, peer),
      onClose: (peer) => desk.replicaClosed(id, peer),
      onInvariantViolation: broken,
    });
    parts.defer(() => link.close());
  }

  const wait = new LeaderWait({
    log,
    nowMs,
    replicas: config.replicas.map(({ id }) => id),
    isUp: (id) => desk.hasReplica(id),
  });
  const stops = [
    recurring(
      () => desk.tickMs,
      () => desk.tick(),
    ),
    recurring(
      () => desk.followMs,
      () => {
        wait.tick(desk.isLed);
        desk.follow();
      },
    ),
    recurring(
      () => STORE_DELAY_MS,
      () => save(desk, file, broken),
    ),
  ];
  parts.defer(() => {
    for (const stop of stops) stop();
    save(desk, file, broken);
  });

  const { position, size } = desk.shown;
  log.info({ position, stocks: size }, "Catalog service ready");
  const running = parts.move();
  return {
    failed: failed.promise,
    drain: () => leavers.gone(listener.peers, config.drainMs + FRONTEND_CLOSE_MAX_MS),
    close: () => running.disposeAsync(),
  };
}

/** What the desk says to others. */
function callsOver(log: Logger): CatalogCalls<Peer> {
  const toReplica = callsOnce(orderContract, { timeoutMs: REPLICA_CALL_MS });
  const toFrontend = callsOnce({ hold: frontendContract.hold });
  return {
    follow(peer, question, settled) {
      toReplica(peer)
        .follow(question)
        .then(settled, (error: unknown) => {
          const replica = peer.identity.name;
          log.debug({ replica, why: errorText(error) }, "A replica doesn't answer");
          settled(null);
        });
    },
    held: (peer, answer) => toReplica(peer).held(answer),
    ask: (peer, question, settled) => void attemptOver(toReplica(peer), question).then(settled),
    hold: (peer, hold) => toFrontend(peer).hold(hold),
  };
}

/** The calls of a contract over each connection, made once. */
function callsOnce<C extends Contract>(contract: C, options: CallOptions = {}) {
  const made = new WeakMap<Peer, Calls<C>>();
  return (peer: Peer): Calls<C> => {
    const calls = made.get(peer) ?? peer.calls(contract, options);
    made.set(peer, calls);
    return calls;
  };
}

/** Writes what the file lacks; the catalog must stop when that can't be done. */
function save(desk: Desk, file: CatalogStore, broken: (reason: unknown) => void): void {
  try {
    const unsaved = desk.takeUnsaved();
    if (unsaved !== null) file.save(unsaved.position, unsaved.stocks);
  } catch (error) {
    broken(error);
  }
}

/** What the view holds once it is at `position`, or where it got to in AUDIT_WAIT_MS. */
async function audit(view: Desk["shown"], position: number): Promise<CatalogAudit> {
  const deadlineMs = performance.now() + AUDIT_WAIT_MS;
  while (view.position < position && performance.now() < deadlineMs) await pause(CATALOG_TICK_MS);
  const stocks = view.stocks();
  return { position: view.position, stocks: stocks.length, stocksDigest: stocksDigest(stocks) };
}
