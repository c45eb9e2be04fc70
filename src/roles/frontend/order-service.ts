// The order service as a front end sees it: three replicas behind one `ask`.
//
// Owns the connections to the replicas, drives the selection of their leader in
// real time, and gives both to the questions of clients. What the selection
// decides, and how a question gets its answer, is in core/selection and in
// core/service; here they meet the clock and the network.

import type { Logger } from "pino";
import { Selection } from "../../core/selection/selection.ts";
import type { SelectionEffect, SelectionEvent } from "../../core/selection/types.ts";
import { routeTo } from "../../core/service/routes.ts";
import type { Identity, Peer, Unreachable } from "../../io/rpc/types.ts";
import type { Health, Question } from "../contract.ts";
import { ReplicaLink } from "./order-service-links.ts";
import { Questions } from "./order-service-questions.ts";
import type { Asked, AskOptions, Orders, OrdersHealth } from "./orders.ts";
import type { RequestTraces } from "./request-traces.ts";

export interface OrderServiceOptions {
  /** All configured replicas. */
  readonly replicas: readonly {
    readonly id: number;
    readonly host: string;
    readonly port: number;
  }[];
  /** The cluster's secret. */
  readonly secret: string;
  /** Who this front end is. */
  readonly identity: Identity;
  /** Of the requests that questions are asked for. */
  readonly traces: RequestTraces;
  readonly log: Logger;
  /** An attempt to connect to this replica failed. */
  readonly onUnreachable?: (replica: number, why: Unreachable) => void;
  /** How long all replicas may take to answer before one is nominated, milliseconds; default 1,500. */
  readonly startWaitMs?: number;
  /** Numbers in [0, 1), for the back-off between two nominations. Default Math.random. */
  readonly random?: () => number;
}

/** What a front end knows of one replica. */
export interface ReplicaState {
  readonly id: number;
  readonly connected: boolean;
  /** What it said last on the open connection. */
  readonly health: Health | null;
  /** When something last came from it, milliseconds of performance.now(). */
  readonly heardAtMs: number;
}

export class OrderService implements Orders {
  readonly #options: OrderServiceOptions;
  readonly #selection: Selection;
  readonly #questions: Questions;
  readonly #onLeader: ((leader: number | null) => void)[] = [];
  #links: readonly ReplicaLink[] = [];
  #started: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #timerAtMs = 0;
  #closed = false;

  constructor(options: OrderServiceOptions) {
    this.#options = options;
    this.#selection = new Selection({
      replicas: options.replicas.map(({ id }) => id),
      random: options.random ?? Math.random,
      ...(options.startWaitMs === undefined ? {} : { startWaitMs: options.startWaitMs }),
    });
    this.#questions = new Questions({ route: () => this.#route(), log: options.log });
  }

  /** Connects and begins to look for a leader. Settles once the first is found, which may be never. */
  start(): Promise<void> {
    this.#started ??= new Promise((resolve) => {
      this.onLeader((leader) => {
        if (leader !== null) resolve();
      });
      this.#links = this.#options.replicas.map((replica) => this.#link(replica));
      this.#tick();
    });
    return this.#started;
  }

  ask(question: Question, options?: AskOptions): Promise<Asked> {
    return this.#questions.ask(question, options);
  }

  leader(): number | null {
    return this.#selection.leader;
  }

  health(): OrdersHealth {
    return { leader: this.leader(), ready: this.#route() !== null };
  }

  /** Every configured replica, in the configuration's order. */
  replicas(): readonly ReplicaState[] {
    return this.#links.map((link) => ({
      id: link.replica,
      connected: link.isOpen,
      health: link.health,
      heardAtMs: link.heardAtMs,
    }));
  }

  /** The connection to a replica; null while there is none. */
  peer(replica: number): Peer | null {
    return this.#linkTo(replica)?.peer ?? null;
  }

  onLeader(callback: (leader: number | null) => void): void {
    this.#onLeader.push(callback);
  }

  /** Tells every replica that this front end stops. */
  leaving(): void {
    for (const link of this.#links) link.leaving();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#questions.close();
    for (const link of this.#links) link.close();
  }

  #link(replica: OrderServiceOptions["replicas"][number]): ReplicaLink {
    const { secret, identity, traces, log } = this.#options;
    const { id } = replica;
    return new ReplicaLink({
      replica,
      secret,
      identity,
      traces,
      log,
      nowMs: () => performance.now(),
      onOpen: () => this.#step({ kind: "connected", replica: id }),
      onClose: () => this.#step({ kind: "disconnected", replica: id }),
      onBeat: (health) => this.#step({ kind: "beat", health }),
      onUnreachable: (why) => this.#options.onUnreachable?.(id, why),
    });
  }

  #route(): ReplicaLink | null {
    const leader = this.leader();
    return leader === null ? null : routeTo(leader, this.#links, performance.now());
  }

  // Time.

  #tick(): void {
    this.#timer = null;
    this.#step({ kind: "tick" });
    this.#questions.sweep();
  }

  /** Sees to it that the next tick comes at this time or before. */
  #wakeBy(atMs: number): void {
    if (this.#closed || (this.#timer && this.#timerAtMs <= atMs)) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timerAtMs = atMs;
    this.#timer = setTimeout(() => this.#tick(), Math.max(0, atMs - performance.now()));
  }

  // The selection.

  #step(event: SelectionEvent): void {
    if (this.#closed) return;
    const effects = this.#selection.step(performance.now(), event);
    for (const effect of effects) this.#carryOut(effect);
    this.#wakeBy(performance.now() + this.#selection.wakeInMs);
  }

  #carryOut(effect: SelectionEffect): void {
    switch (effect.kind) {
      case "log":
        this.#options.log[effect.level](effect.message);
        break;
      case "leader-changed": {
        const { leader, epoch } = effect;
        this.#questions.leaderChanged(leader === null ? null : { leader, epoch });
        for (const callback of this.#onLeader) callback(leader);
        break;
      }
      case "ask-health": {
        const { replica } = effect;
        void this.#linkTo(replica)
          ?.askHealth()
          .catch(() => null)
          .then((health) => this.#step({ kind: "health-answer", replica, health }));
        break;
      }
      case "nominate": {
        const { replica } = effect;
        const { log } = this.#options;
        log.debug({ replica }, "Nominating");
        void this.#linkTo(replica)
          ?.nominate()
          .catch(() => null)
          .then((result) => {
            log.debug({ replica, result }, "Nomination ended");
            this.#step({ kind: "nominate-answer", replica, result });
          });
        break;
      }
      case "notify": {
        // A replica learns its leader from the leader; this is to tell it sooner.
        void this.#linkTo(effect.replica)
          ?.notifyLeader(effect.leader)
          .catch(() => null);
        break;
      }
    }
  }

  #linkTo(replica: number): ReplicaLink | undefined {
    return this.#links.find((link) => link.replica === replica);
  }
}
