// A front end's connections to the order replicas. Which of them is asked is
// decided in core/service/routes.ts, by what each keeps a record of here.

import type { Logger } from "pino";
import { QUESTION_DEADLINE_MS } from "../../core/service/limits.ts";
import { type Candidate, RouteRecord } from "../../core/service/routes.ts";
import { connect } from "../../io/rpc/connect.ts";
import { RpcError } from "../../io/rpc/error.ts";
import type { Calls, Identity, Link, Peer, Unreachable } from "../../io/rpc/types.ts";
import {
  type AskResult,
  frontendContract,
  type Health,
  type NominateResult,
  orderContract,
  type Question,
} from "../contract.ts";
import { HEALTH_CALL_MS, NOMINATE_CALL_MS, NOTIFY_CALL_MS } from "./order-service-limits.ts";
import type { Route } from "./order-service-questions.ts";
import type { RequestTraces } from "./request-traces.ts";

/** What a replica serves to this front end, each call with its own time-out. */
interface ReplicaCalls {
  readonly ask: Calls<Pick<typeof orderContract, "ask">>["ask"];
  readonly health: Calls<Pick<typeof orderContract, "health">>["health"];
  readonly nominate: Calls<Pick<typeof orderContract, "nominate">>["nominate"];
  readonly notifyLeader: Calls<Pick<typeof orderContract, "notifyLeader">>["notifyLeader"];
}

const beatContract = { beat: frontendContract.beat } as const;

export interface ReplicaLinkOptions {
  /** A replica's id is its port, unless something stands between. */
  readonly replica: { readonly id: number; readonly host: string; readonly port: number };
  readonly secret: string;
  readonly identity: Identity;
  readonly traces: RequestTraces;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly onOpen: () => void;
  readonly onClose: () => void;
  readonly onBeat: (health: Health) => void;
  readonly onUnreachable: (why: Unreachable) => void;
}

/** The connection to one replica, opened again whenever it closes. */
export class ReplicaLink implements Route, Candidate {
  readonly replica: number;
  /** What it said last on the open connection. */
  health: Health | null = null;

  readonly #nowMs: () => number;
  readonly #traces: RequestTraces;
  readonly #link: Link;
  #peer: Peer | null = null;
  #calls: ReplicaCalls | null = null;
  readonly #record = new RouteRecord();

  constructor(options: ReplicaLinkOptions) {
    const { replica, log, onOpen, onClose, onBeat } = options;
    this.replica = replica.id;
    this.#nowMs = options.nowMs;
    this.#traces = options.traces;
    this.#link = connect({
      host: replica.host,
      port: replica.port,
      secret: options.secret,
      identity: options.identity,
      contract: beatContract,
      handlers: {
        beat: (health) => {
          if (health.replica !== this.replica) return; // another one's port, by mistake
          this.#hear(health);
          onBeat(health);
        },
      },
      log,
      onOpen: (peer) => {
        this.#peer = peer;
        this.#calls = callsOf(peer);
        this.#record.opened(this.#nowMs());
        onOpen();
      },
      onClose: () => {
        this.#peer = null;
        this.#calls = null;
        this.health = null;
        onClose();
      },
      onUnreachable: options.onUnreachable,
    });
  }

  /** The open connection; null while there is none. */
  get peer(): Peer | null {
    return this.#peer;
  }

  get isOpen(): boolean {
    return this.#peer?.isOpen ?? false;
  }

  /** Whether it may be asked before others, at `nowMs`. */
  isGood(nowMs: number): boolean {
    return this.isOpen && this.#record.isGood(nowMs);
  }

  /** Whether something came over the connection lately. */
  isHeard(nowMs: number): boolean {
    return this.isOpen && this.#record.isHeard(nowMs);
  }

  /** When it last said something, by nowMs. */
  get heardAtMs(): number {
    return this.#record.heardAtMs;
  }

  ask(questions: Question[]): Promise<AskResult> {
    return this.#call((calls) =>
      calls.ask({ relayed: false, questions, ...this.#traces.of(questions) }),
    );
  }

  async askHealth(): Promise<Health> {
    const health = await this.#call((calls) => calls.health({}));
    if (health.replica === this.replica) this.#hear(health);
    return health;
  }

  nominate(): Promise<NominateResult> {
    return this.#call((calls) => calls.nominate({}));
  }

  async notifyLeader(leader: number): Promise<void> {
    await this.#call((calls) => calls.notifyLeader({ leader }));
  }

  /** Tells it that this front end stops; nothing where there is no connection. */
  leaving(): void {
    this.#peer?.calls({ leaving: orderContract.leaving }).leaving({});
  }

  flush(): void {
    this.#peer?.flush();
  }

  lost(): void {
    this.#record.lost(this.#nowMs());
  }

  silent(): void {
    this.#record.silent(this.#nowMs());
  }

  close(): void {
    this.#link.close();
  }

  /** Rejects with `closed` where there is no connection, like a call on one that just went. */
  async #call<T>(call: (calls: ReplicaCalls) => Promise<T>): Promise<T> {
    if (!this.#calls) throw new RpcError("closed", `replica ${this.replica} is not connected`);
    return call(this.#calls);
  }

  #hear(health: Health): void {
    this.health = health;
    this.#record.heard(this.#nowMs());
  }
}

function callsOf(peer: Peer): ReplicaCalls {
  const { ask, health, nominate, notifyLeader } = orderContract;
  return {
    ...peer.calls({ ask }, { timeoutMs: QUESTION_DEADLINE_MS }),
    ...peer.calls({ health }, { timeoutMs: HEALTH_CALL_MS }),
    ...peer.calls({ nominate }, { timeoutMs: NOMINATE_CALL_MS }),
    ...peer.calls({ notifyLeader }, { timeoutMs: NOTIFY_CALL_MS }),
  };
}
