// An order replica as a process: its file, its log, its port, its clock.
//
// Wiring only. It serves as soon as it listens: its log follows, its front ends
// hear its beats, its catalogs follow it. The start is over once it knows
// whether there is a leader to sync with.
//
// A disk that fails, a damaged file or a broken invariant ends it at once: it
// falls silent, since nothing may be told that might not be durable, and
// `failed` says why.

import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { MarketJudge } from "../../core/market/judge.ts";
import { auditInWorker } from "../../io/journal/audit-worker.ts";
import { JournalCorrupt } from "../../io/journal/errors.ts";
import { openJournal } from "../../io/journal/journal.ts";
import { Ledger } from "../../io/journal/ledger.ts";
import { lockRole } from "../../io/journal/lock.ts";
import { QuorumLog } from "../../io/log/quorum-log.ts";
import { listen } from "../../io/rpc/listen.ts";
import type { Identity } from "../../io/rpc/types.ts";
import type { ClusterConfig } from "../config.ts";
import { LeaderWait } from "../leader-wait.ts";
import { FRONTEND_CLOSE_MAX_MS, Leavers } from "../leavers.ts";
import type { RoleOptions, RunningRole } from "../role.ts";
import { Audits } from "./audit.ts";
import { Beats } from "./beats.ts";
import { orderHandlers, servedContract } from "./handlers.ts";
import { IdleWork } from "./idle-work.ts";
import { searchLeader } from "./leader-search.ts";
import { BEAT_MS } from "./limits.ts";
import { OrderMetrics } from "./metrics.ts";
import { rehearse } from "./rehearsal.ts";
import { ReplicaService } from "./replica-service.ts";
import { StartupSync } from "./startup-sync.ts";
import { TradeLines } from "./trade-lines.ts";

/** Starts the replica of this name. Rejects when its lock, its file or its port can't be had. */
export async function startOrder(options: RoleOptions): Promise<RunningRole> {
  const { config, name, secret, log } = options;
  const place = config.replicas.find((replica) => replica.name === name);
  if (!place) throw new Error(`the configuration has no replica named ${name}`);
  const others = config.replicas.filter((replica) => replica !== place);
  const failed = Promise.withResolvers<Error>();

  await using parts = new AsyncDisposableStack(); // closed last to first
  const lock = lockRole(config.data, name);
  parts.defer(() => lock.release());
  const journal = openJournal(join(config.data, name, "order.db"), { replica: place.id });
  parts.defer(() => journal.close());
  const { cluster, members } = journal.identity;
  const identity: Identity = { role: "order", name, cluster: { name: cluster, members } };
  const ledger = new Ledger(journal);
  const judge = new MarketJudge(
    ledger,
    ({ position, reason }) => new JournalCorrupt(journal.path, position, reason),
  );
  const lines = log.isLevelEnabled("debug") ? new TradeLines(log) : null;

  let isBroken = false;
  const broken = (reason: unknown): void => {
    isBroken = true;
    source.close();
    service.close();
    failed.resolve(reason instanceof Error ? reason : new Error(String(reason)));
  };
  const metrics: OrderMetrics = new OrderMetrics(name, {
    health: () => service.health(),
    exposedPosition: () => service.exposed ?? 0,
    appliedPosition: () => ledger.appliedPosition,
    lastNumber: () => service.lastNumber,
    nowMs: () => performance.now(),
  });
  const source: QuorumLog = new QuorumLog({
    journal,
    applied: ledger.appliedPosition,
    tables: ledger,
    judge,
    verify: async () => {
      const position = ledger.appliedPosition;
      const { problems } = await auditInWorker({ path: journal.path, position, stocksAt: [] });
      if (problems[0] !== undefined) throw new JournalCorrupt(journal.path, null, problems[0]);
    },
    listener: {
      committed: (entries) => service.committed(entries),
      leading: (epoch) => {
        metrics.leaderFound();
        service.leading(epoch);
      },
      deposed: () => service.deposed(),
    },
    observer: {
      following(leader, epoch, behind) {
        log.info({ leader, epoch, behind }, "Following the order leader");
        metrics.leaderFound();
        beats.send();
      },
      // A front end that looks for a leader waits until the followers have noticed, too.
      disconnected: () => beats.send(),
      replicated: (replica, position) => service.written(replica, position),
      written: (entries, ms) => metrics.written(entries, ms),
      ...(lines && {
        stored: (entries) => lines.stored(entries),
        alreadyHeld: (entries) => lines.alreadyHeld(entries),
      }),
    },
    replicas: config.replicas,
    identity,
    secret,
    log,
    failed: broken,
  });
  const service: ReplicaService = new ReplicaService({
    replica: place.id,
    others: others.map(({ id }) => id),
    catalogs: config.catalogs.map((catalog) => catalog.name),
    source,
    tables: ledger,
    market: () => judge.market,
    peerOf: (replica) => source.peer(replica),
    log,
    nowMs: () => performance.now(),
    onChange: () => beats.send(),
    onBroken: broken,
    batches: metrics,
    times: () => metrics.reignTimes(),
  });
  const beats: Beats = new Beats(() => service.health());
  parts.defer(() => {
    if (!isBroken) ledger.flush(); // the next start then has less to read
  });
  parts.defer(() => source.close());

  const startup = new StartupSync({
    log,
    newestNumber: () => judge.market.lastNumber,
    deliveredPosition: () => service.deliveredPosition,
    onReady: () => lines?.synced(),
  });
  const idle = new IdleWork({
    tables: ledger,
    journal: ledger,
    deliveredPosition: () => service.deliveredPosition,
    nowMs: () => performance.now(),
  });

  const audits = new Audits({
    deliveredPosition: () => service.deliveredPosition,
    tables: ledger,
    read: (position, stocksAt) => auditInWorker({ path: journal.path, position, stocksAt }),
    nowMs: () => performance.now(),
  });

  const leavers = new Leavers();
  const listener = await listen({
    host: place.host,
    port: place.port,
    secret,
    identity,
    contract: servedContract,
    handlers: orderHandlers({
      name,
      replica: place.id,
      service,
      source,
      appliedPosition: () => ledger.appliedPosition,
      audit: (position, stocksAt) => audits.at(position, stocksAt),
      leaves: (peer) => leavers.leaves(peer),
      log,
    }),
    log,
    onOpen: (peer) => beats.join(peer),
    onClose(peer) {
      beats.leave(peer);
      service.unfollow(peer);
    },
    onInvariantViolation: broken,
    metrics: () => metrics.scrape(),
    allowedHosts: config.allowedHosts,
  }).catch((error: NodeJS.ErrnoException) => {
    throw error.code === "EADDRINUSE" ? portTaken(error, place, config.replicas) : error;
  });
  parts.defer(() => listener.close());
  source.start();

  const wait = new LeaderWait({
    log,
    nowMs: () => performance.now(),
    replicas: others.map(({ id }) => id),
    isUp: (id) => source.peer(id) !== null,
  });
  const beat = (): void => {
    try {
      service.tick();
      const { leads, leader } = service.health();
      const hasLeader = leads || leader !== null;
      wait.tick(hasLeader);
      startup.tick();
      idle.tick(hasLeader);
      beats.send();
    } catch (error) {
      broken(error);
    }
  };
  // Behind the poll phase: after a pause, what arrived meanwhile is read before anybody is called late.
  const timer = setInterval(() => setImmediate(beat), BEAT_MS);
  parts.defer(async () => {
    clearInterval(timer);
    service.close();
    await nextTurn(); // what was just answered is sent
  });

  startup.searched(await searchLeader({ others, identity, secret, log }));
  rehearse().catch((error: unknown) => log.warn({ err: error }, "The rehearsal failed"));
  const running = parts.move();
  return {
    failed: failed.promise,
    drain: () => leavers.gone(listener.peers, config.drainMs + FRONTEND_CLOSE_MAX_MS),
    close: () => running.disposeAsync(),
  };
}

/** The id stays when the port has to move: another id would be another replica. */
function portTaken(
  error: NodeJS.ErrnoException,
  { id, host, port }: ClusterConfig["replicas"][number],
  replicas: ClusterConfig["replicas"],
): Error {
  const moved = replicas.map((replica) => (replica.id === id ? `${id}=${host}:PORT` : replica.id));
  const message = `port ${port} is in use: stop what listens there, or move this replica to another PORT under its id, --replicas ${moved}`;
  return Object.assign(new Error(message, { cause: error }), { code: error.code });
}
