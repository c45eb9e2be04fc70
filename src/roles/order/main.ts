// An order replica as a process: its file, its log, its port, its clock.
//
// Wiring only: what it answers is core/service/replica-desk.ts. It serves as soon
// as it listens: its log follows, its front ends hear its beats, its catalogs
// follow it. The start is over once it knows whether there is a leader to sync with.
//
// A disk that fails, a damaged file or a broken invariant ends it at once: it
// falls silent, since nothing may be told that might not be durable, and
// `failed` says why.
//
// Longer than 400 lines because it is all of the wiring.

import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { decodeCommands } from "../../core/market/codec.ts";
import { MarketJudge } from "../../core/market/judge.ts";
import type { Command } from "../../core/market/types.ts";
import { FIRST_INCARNATION } from "../../core/replication/admissions.ts";
import { DESK_LIMITS } from "../../core/service/limits.ts";
import { ReplicaDesk } from "../../core/service/replica-desk.ts";
import { auditInWorker } from "../../io/journal/audit.ts";
import { lockRole } from "../../io/journal/data-directory.ts";
import { DataFileForeign, JournalCorrupt } from "../../io/journal/errors.ts";
import { type FileJournal, openJournal } from "../../io/journal/journal.ts";
import { Ledger } from "../../io/journal/ledger.ts";
import type { ReplicaLog } from "../../io/log/links.ts";
import { QuorumLog } from "../../io/log/quorum-log.ts";
import { TableLog } from "../../io/log/table-log.ts";
import { AuditLog } from "../../io/logging/audit-log.ts";
import { recurring } from "../../io/recurring.ts";
import { RpcError } from "../../io/rpc/error.ts";
import { listen } from "../../io/rpc/listen.ts";
import type { Calls, Identity, Peer } from "../../io/rpc/types.ts";
import type { ClusterConfig } from "../config.ts";
import { catalogContract, frontendContract, orderContract } from "../contract.ts";
import { findLeader, LeaderWait } from "../leader.ts";
import { FRONTEND_CLOSE_MAX_MS, Leavers } from "../leavers.ts";
import type { RoleOptions, RunningRole } from "../role.ts";
import { StepRecorder } from "../steps.ts";
import { Audits } from "./audit.ts";
import { orderHandlers, servedContract } from "./handlers.ts";
import { IdleWork } from "./idle-work.ts";
import { FollowerLines, LeaderLines, StartLines } from "./lab-lines.ts";
import { STARTUP_LEADER_WAIT_MS } from "./limits.ts";
import { OrderMetrics } from "./metrics.ts";
import { rehearse } from "./rehearsal.ts";

/** What a replica calls at the others. */
const CALLED = {
  ask: orderContract.ask,
  entries: catalogContract.entries,
  beat: frontendContract.beat,
} as const;

/** Starts the replica of this name. Rejects when its lock, its file or its port can't be had. */
export async function startOrder(options: RoleOptions): Promise<RunningRole> {
  const { config, name, credentials, log } = options;
  const place = config.replicas.find((replica) => replica.name === name);
  if (!place) throw new Error(`the configuration has no replica named ${name}`);
  const others = config.replicas.filter((replica) => replica !== place);
  const nowMs = (): number => performance.now();

  const failed = Promise.withResolvers<Error>();
  const onBroken: (() => void)[] = [];
  let isBroken = false;
  const broken = (reason: unknown): void => {
    isBroken = true;
    for (const fallSilent of onBroken) fallSilent();
    failed.resolve(reason instanceof Error ? reason : new Error(String(reason)));
  };

  await using parts = new AsyncDisposableStack(); // closed last to first
  const lock = lockRole(config.data, name);
  parts.defer(() => lock.release());
  const { engine } = config;
  const journal = openJournal(join(config.data, name, "order.db"), {
    replica: place.id,
    syncsEachWrite: engine.kind !== "postgres",
  });
  parts.defer(() => journal.close());
  expectEngine(journal, engine.kind);
  // Only now, since pg takes a while to load, which nobody else should wait for.
  const postgres = engine.kind === "postgres" ? await loadPostgres() : null;
  const { cluster, members } = journal.identity;
  const steps = new StepRecorder(name);
  const { tap } = steps;
  const identity: Identity = { role: "order", name, cluster: { name: cluster, members }, tap };
  const ledger = new Ledger(journal);
  parts.defer(() => {
    if (!isBroken) ledger.flush(); // the next start then has less to read
  });
  const judge = new MarketJudge(
    ledger,
    ({ position, reason }) => new JournalCorrupt(journal.path, position, reason),
  );

  if (engine.kind === "postgres") {
    await postgres?.expectUsable({ ...engine, cluster, log, position: journal.lastPosition });
  }
  const common = {
    journal,
    applied: ledger.appliedPosition,
    tables: ledger,
    judge,
    replicas: config.replicas,
    identity,
    credentials,
    log,
    failed: broken,
  };
  const replicated: ReplicaLog =
    engine.kind === "postgres" && postgres !== null
      ? new TableLog({
          ...common,
          database: new postgres.PostgresTables({ ...engine, cluster, log }),
        })
      : new QuorumLog({
          ...common,
          verify: async () => {
            const position = ledger.appliedPosition;
            const { problems } = await auditInWorker({
              path: journal.path,
              position,
              stocksAt: [],
            });
            if (problems[0] !== undefined)
              throw new JournalCorrupt(journal.path, null, problems[0]);
          },
        });
  onBroken.push(() => replicated.close());
  parts.defer(() => replicated.close());

  const views =
    engine.kind === "postgres" && postgres !== null
      ? new postgres.PostgresViews({
          ...engine,
          ...{ cluster, log },
          read(after, bytesMax) {
            try {
              return after < journal.lastPosition ? journal.entries(after, bytesMax) : [];
            } catch (error) {
              broken(error);
              return [];
            }
          },
        })
      : null;
  onBroken.push(() => views?.rest());
  parts.defer(() => views?.rest());

  const audit = config.auditLog === undefined ? null : new AuditLog(config.auditLog, name, log);
  parts.defer(() => audit?.close());
  const metrics = new OrderMetrics(name, nowMs, tap.sent, credentials.certificates);
  const start = new StartLines(log, judge.market.lastNumber);
  const isDebug = log.isLevelEnabled("debug");
  const follower = new FollowerLines(log);
  let leader: LeaderLines | null = null;
  let lastNumber = ledger.lastNumber;
  const called = new CallsOf();

  let flushAnswers = (): void => {};
  const desk = new ReplicaDesk<Peer>({
    replica: place.id,
    catalogs: config.catalogs.map((catalog) => catalog.name),
    log: replicated,
    tables: ledger,
    market: () => judge.market,
    deliver({ position, command }) {
      const commands = command === null ? [] : decodeCommands(command);
      ledger.queue(position, commands);
      for (const each of commands) if (each.kind === "order") lastNumber = each.number;
      if (audit !== null && replicated.status().leads) recordChanges(audit, commands);
      if (command !== null) metrics.committed(commands.length);
    },
    limits: DESK_LIMITS,
    nowMs,
    atTurnsEnd: (run) => {
      setImmediate(() => {
        try {
          run();
        } catch (error) {
          broken(error);
        }
      });
      // Behind the promises that it settled.
      setImmediate(flushAnswers);
    },
    peerOf: (replica) => replicated.peer(replica),
    relay(to, questions, settled) {
      called
        .at(to)
        .ask({ relayed: true, questions: [...questions] })
        .then(settled, (error: unknown) => {
          const failure = error instanceof RpcError ? error.failure : "failed";
          settled({ kind: "failed", failure });
        });
    },
    feed: (catalog, feed) => called.at(catalog).entries(feed),
    beat: (frontend, health) => called.at(frontend).beat(health),
    observer: {
      asked: (questions) => metrics.asked(questions.length),
      leading(epoch, position) {
        metrics.leaderFound();
        views?.lead();
        leader = isDebug
          ? new LeaderLines(
              log,
              others.map(({ id }) => id),
            )
          : null;
        log.info({ epoch, position }, "Leading");
      },
      deposed(epoch, next) {
        metrics.reignEnded();
        views?.rest();
        leader?.close();
        leader = null;
        log.warn({ epoch, leader: next }, "No longer leading");
      },
      unheard: (catalog) =>
        log.warn(
          { catalog },
          "A second process of a catalog's name is not heard: stop one of them",
        ),
      late: (catalog, restMs) =>
        log.warn(
          { catalog, restMs },
          "A catalog answers late: for a while no trade waits for it, and it shows nothing",
        ),
      ...(isDebug && {
        decided: (request, found, decision) => leader?.decided(request, found, decision),
      }),
      turn(position, entries) {
        if (entries === 0) return;
        leader?.appended(position);
        metrics.appended(position);
      },
      quorumHolds: (position) => metrics.quorumHolds(position),
      exposed(position, leaseEnded) {
        leader?.exposed(position);
        metrics.exposed(position, leaseEnded);
      },
    },
  });
  onBroken.push(() => desk.close());
  metrics.watch({
    health: () => desk.health(),
    exposedPosition: () => desk.exposed ?? 0,
    appliedPosition: () => ledger.appliedPosition,
    lastNumber: () => lastNumber,
  });

  const deliveredPosition = (): number => desk.deliveredPosition;
  const idle = new IdleWork({ tables: ledger, journal: ledger, deliveredPosition, nowMs });
  const audits = new Audits({
    deliveredPosition,
    tables: ledger,
    read: (position, stocksAt) => auditInWorker({ path: journal.path, position, stocksAt }),
    nowMs,
  });
  const leavers = new Leavers();
  const listener = await listen({
    host: place.host,
    port: place.port,
    credentials,
    identity,
    contract: servedContract,
    handlers: orderHandlers({
      name,
      replica: place.id,
      desk,
      replicated,
      appliedPosition: () => ledger.appliedPosition,
      audit: (position, stocksAt) => audits.at(position, stocksAt),
      leaves: (peer) => leavers.leaves(peer),
      steps: (after) => steps.ask(after),
      log,
    }),
    log,
    onOpen: (peer) => desk.opened(peer),
    onClose: (peer) => desk.closed(peer),
    onInvariantViolation: broken,
    metrics: () => metrics.scrape(),
    allowedHosts: config.allowedHosts,
  }).catch((error: NodeJS.ErrnoException) => {
    throw error.code === "EADDRINUSE" ? portTaken(error, place, config.replicas) : error;
  });
  parts.defer(() => listener.close());
  flushAnswers = () => {
    for (const peer of listener.peers) peer.flush();
  };
  replicated.start(desk, {
    following(leader, epoch, behind) {
      log.info({ leader, epoch, behind }, "Following the order leader");
      metrics.leaderFound();
    },
    replicated: (replica, position) => leader?.written(replica, position),
    written: (entries, ms) => metrics.written(entries, ms),
    ...(isDebug && {
      stored: (entries) => start.isOver && follower.stored(entries),
      alreadyHeld: (entries) => start.isOver && follower.alreadyHeld(entries),
    }),
  });

  const wait = new LeaderWait({
    log,
    nowMs,
    replicas: others.map(({ id }) => id),
    isUp: (id) => replicated.peer(id) !== null,
  });
  const beat = (): void => {
    try {
      desk.tick();
      leader?.tick();
      const { leads, leader: followed } = desk.health();
      const hasLeader = leads || followed !== null;
      wait.tick(hasLeader);
      start.tick(desk.deliveredPosition, judge.market.lastNumber);
      idle.tick(hasLeader);
    } catch (error) {
      broken(error);
    }
  };
  const stopBeats = recurring(() => desk.tickMs, beat);
  parts.defer(async () => {
    stopBeats();
    desk.close();
    leader?.close();
    await nextTurn(); // what was just answered is sent
  });

  const limitMs = STARTUP_LEADER_WAIT_MS;
  start.searched(await findLeader({ replicas: others, identity, credentials, limitMs }));
  start.tick(desk.deliveredPosition, judge.market.lastNumber);
  rehearse().catch((error: unknown) => log.warn({ err: error }, "The rehearsal failed"));
  const running = parts.move();
  return {
    failed: failed.promise,
    drain: () => leavers.gone(listener.peers, config.drainMs + FRONTEND_CLOSE_MAX_MS),
    close: () => running.disposeAsync(),
  };
}

async function loadPostgres() {
  const [log, views] = await Promise.all([
    import("../../io/log/postgres.ts"),
    import("./postgres-views.ts"),
  ]);
  return { ...log, ...views };
}

/** The file of a replica says whose log it is a part of: one for a database never has a vote of its own. */
function expectEngine({ path, identity, hardState }: FileJournal, engine: string): void {
  const isFirst = identity.incarnation === FIRST_INCARNATION;
  const wanted = hardState.voter ? "builtin" : isFirst ? "postgres" : engine;
  if (wanted === engine) return;
  const how =
    wanted === "postgres" ? "give --engine postgres, or its address," : "leave --engine out";
  throw new DataFileForeign(
    `${path} is of the engine ${wanted}: ${how}, or another --data directory`,
  );
}

/** Writes down what operators changed; trades are written down where they are asked for. */
function recordChanges(audit: AuditLog, commands: readonly Command[]): void {
  for (const command of commands) {
    if (command.kind === "order" || command.kind === "refuse") continue;
    const { kind, name } = command;
    const more =
      command.kind === "key"
        ? { may: command.may, stocks: command.stocks, expiresAtMs: command.expiresAtMs }
        : command.kind === "list"
          ? { price: command.price, quantity: command.quantity }
          : command.kind === "adjust"
            ? { by: command.by }
            : {};
    audit.record({ what: kind, who: "operator", name, ...more });
  }
}

/** The calls at each connection, made once. */
class CallsOf {
  readonly #calls = new WeakMap<Peer, Calls<typeof CALLED>>();

  at(peer: Peer): Calls<typeof CALLED> {
    let calls = this.#calls.get(peer);
    if (calls === undefined) {
      calls = peer.calls(CALLED);
      this.#calls.set(peer, calls);
    }
    return calls;
  }
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
