// A reign rehearsed in memory, when a replica starts: an election among three
// made-up replicas, then some trades.
//
// JavaScript is compiled as it is run. A replica that follows has never run what
// a leader does, and would run all of it for the first time while clients wait
// for the next leader: that was the largest part of a fail-over. So it is run
// once before, on nothing: no file, no socket, no name of a real replica. What
// comes of it is thrown away, and nothing depends on it.

import { setImmediate as nextTurn } from "node:timers/promises";
import { type JudgeTables, MarketJudge } from "../../core/market/judge.ts";
import type { MarketState } from "../../core/market/state.ts";
import type { ReplicaEffect, ReplicaEvent } from "../../core/replication/events.ts";
import type { Judge } from "../../core/replication/judge.ts";
import type { LogListener, ReplicatedLog } from "../../core/replication/log.ts";
import { Replica, type ReplicaStatus } from "../../core/replication/replica.ts";
import {
  type CommittedEntry,
  type Entry,
  type HardState,
  type Message,
  toCommitted,
} from "../../core/replication/types.ts";
import type { DeskPeer, DeskTables } from "../../core/service/leader-desk.ts";
import { DESK_LIMITS } from "../../core/service/limits.ts";
import { ReplicaDesk } from "../../core/service/replica-desk.ts";
import { replicationContract } from "../../io/log/envelope-schema.ts";
import { FrameDecoder, joinFrame, MessageEncoder } from "../../io/rpc/codec.ts";
import { type AskResult, orderContract } from "../contract.ts";

const REPLICAS = [1, 2, 3] as const;
/** They say nothing by themselves. */
const CATALOG: DeskPeer = { link: "1", identity: { role: "catalog", name: "catalog" } };
const FRONTEND: DeskPeer = { link: "2", identity: { role: "frontend", name: "frontend" } };
const STOCK = { name: "Rehearsed", price: 1, quantity: 1_000_000 };
/** Enough for the first tier of compilation; the next one comes with real work. */
const TURNS = 30;
const COMMANDS_BYTES_MAX = 1 << 20;
const TABLES: DeskTables & JudgeTables = {
  appliedPosition: 0,
  lastNumber: 0,
  stocks: () => [STOCK],
  request: () => undefined,
  order: () => undefined,
  orders: () => [],
  requestIds: () => [],
  keyCommands: () => [],
  readTogether: (read) => read(),
};

/** Settles with the number of trades that were made. */
export async function rehearse(): Promise<number> {
  const cluster = new RehearsedCluster();
  let broken: unknown = null;
  const desk = new ReplicaDesk<DeskPeer>({
    replica: 1,
    catalogs: [CATALOG.identity.name],
    log: cluster,
    tables: TABLES,
    market: () => cluster.market,
    deliver: () => {},
    limits: DESK_LIMITS,
    nowMs: () => 0,
    atTurnsEnd: (run) => {
      setImmediate(() => {
        try {
          run();
        } catch (error) {
          broken = error;
        }
      });
    },
    peerOf: () => null,
    relay: () => {},
    feed: (_, { entries }) => {
      for (const { command } of entries) overTheWire(command);
    },
    beat: (_, health) => {
      overTheWire(health);
    },
    observer: {},
  });
  desk.opened(FRONTEND);
  cluster.lead(desk);
  const { epoch } = cluster.status();
  let trades = 0;
  for (let turn = 0; turn < TURNS; turn += 1) {
    const received = cluster.status().commitPosition;
    desk.follow(CATALOG, { received, held: 0, epoch, ask: turn, heardBefore: 0 });
    const { relayed, questions } = travelled({ relayed: false, questions: questionsOf(turn) });
    const asked = new Promise<AskResult>((settle) => desk.ask(relayed, questions, settle));
    for (let wait = 0; wait < 4; wait += 1) await nextTurn();
    if (broken !== null) throw broken;
    const reached = cluster.status().commitPosition;
    desk.held(CATALOG, { epoch, received: reached, held: reached });
    desk.tick();
    const result = await asked;
    if (result.kind !== "answers") continue;
    for (const answer of result.answers) {
      if (answer.kind === "outcome" && answer.outcome.kind === "accepted") trades += 1;
    }
  }
  desk.close();
  return trades;
}

type Asking = ReturnType<(typeof orderContract)["ask"]["argument"]["parse"]>;

function questionsOf(turn: number): Asking["questions"] {
  const { name } = STOCK;
  return [
    {
      kind: "request",
      requestId: `rehearsal-${turn}`,
      content: { kind: "trade", name, type: turn % 2 === 0 ? "buy" : "sell", quantity: 1 },
      recordRefusal: false,
    },
    { kind: "lookup", name },
    { kind: "order", number: turn + 1 },
  ];
}

/** As it comes out of a connection at the other end. */
function travelled(asking: Asking): Asking {
  return orderContract.ask.argument.parse(overTheWire(asking));
}

function overTheWire(message: unknown): unknown {
  const bytes = new MessageEncoder().encode(message);
  return new FrameDecoder().decode(joinFrame([bytes], bytes.length))[0];
}

/** Three replicas whose messages arrive and whose writes are durable at once. */
class RehearsedCluster implements ReplicatedLog {
  readonly #leader: Replica;
  #listener: LogListener | null = null;
  /** That of the leader. */
  readonly market: MarketState;
  readonly #replicas = new Map<number, Replica>();
  readonly #events: { readonly to: number; readonly event: ReplicaEvent }[] = [];
  #delivered = 0;
  #isRunning = false;

  constructor() {
    const judge = (): MarketJudge => new MarketJudge(TABLES, ({ reason }) => new Error(reason));
    const judgeOfLeader = judge();
    for (const id of REPLICAS)
      this.#replicas.set(id, rehearsedReplica(id, id === 1 ? judgeOfLeader : judge()));
    this.market = judgeOfLeader.market;
    this.#leader = this.#replica(1);
    for (const id of REPLICAS) {
      for (const peer of REPLICAS) if (peer !== id) this.step(id, { kind: "connected", peer });
    }
  }

  step(to: number, event: ReplicaEvent): void {
    this.#events.push({ to, event });
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (let next = this.#events.shift(); next; next = this.#events.shift()) {
      const id = next.to;
      const effects = this.#replica(id).step({ now: 0, wallMs: 0 }, next.event);
      for (const effect of effects) this.#carryOut(id, effect);
    }
    this.#isRunning = false;
  }

  lead(listener?: LogListener): void {
    if (listener) this.#listener = listener;
    this.step(1, { kind: "lead" });
  }

  status(): ReplicaStatus {
    return this.#leader.status();
  }

  append(commands: readonly Uint8Array[]): number {
    this.step(1, { kind: "append", commands });
    this.step(1, { kind: "round", confirm: null });
    return this.#leader.status().lastPosition;
  }

  confirm(settled: (leads: boolean) => void): void {
    this.step(1, { kind: "round", confirm: 1 });
    settled(true);
  }

  read(position: number, bytesMax: number): readonly CommittedEntry[] {
    const { commitPosition } = this.#leader.status();
    return this.#leader
      .entriesAfter(position, bytesMax)
      .filter((entry) => entry.position <= commitPosition)
      .map(toCommitted);
  }

  #replica(id: number): Replica {
    const replica = this.#replicas.get(id);
    if (!replica) throw new Error(`no replica ${id} was made up`);
    return replica;
  }

  #carryOut(id: number, effect: ReplicaEffect): void {
    if (effect.kind === "send") this.#send(id, effect.to, effect.message);
    else if (effect.kind === "persist") this.step(id, { kind: "persisted", id: effect.id });
    else if (effect.kind === "committed" && id === 1) {
      const entries = this.read(this.#delivered, COMMANDS_BYTES_MAX);
      this.#delivered = effect.position;
      this.#listener?.committed(entries);
    } else if (effect.kind === "leading") this.#listener?.leading(effect.epoch);
  }

  #send(from: number, to: number, message: Message): void {
    const envelope = replicationContract.message.argument.parse(
      overTheWire({ from, incarnation: 1, message }),
    );
    this.step(to, { kind: "receive", envelope });
  }
}

function rehearsedReplica(id: number, judge: Judge): Replica {
  const hardState: HardState = { promise: { epoch: 0, nominee: 1 }, voter: true };
  const entries = (): readonly Entry[] => [];
  const stored = { lastPosition: 0, epochAt: () => 0, entries, admissions: () => [] };
  const replicas = REPLICAS;
  return new Replica({
    id,
    incarnation: 1,
    members: replicas,
    replicas,
    hardState,
    stored,
    judge,
    applied: 0,
  });
}
