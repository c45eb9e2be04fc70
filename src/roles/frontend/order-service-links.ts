// A front end's connections to the order replicas, and which of them to ask.
//
// The leader itself, where it can be reached; else any replica that can, which
// passes the questions on to the leader that it follows. One that proved of no
// use lately comes last.

import type { Logger } from "pino";
import { connect } from "../../io/rpc/connect.ts";
import { RpcError } from "../../io/rpc/error.ts";
import type { Calls, Identity, Link, Peer } from "../../io/rpc/types.ts";
import {
  type AskResult,
  frontendContract,
  type Health,
  type NominateResult,
  orderContract,
  type Question,
} from "../contract.ts";
import {
  AVOID_LOST_MS,
  AVOID_SILENT_MS,
  HEALTH_CALL_MS,
  LEADER_HEARD_MS,
  NOMINATE_CALL_MS,
  NOTIFY_CALL_MS,
  QUESTION_DEADLINE_MS,
} from "./order-service-limits.ts";
import type { Route } from "./order-service-questions.ts";

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
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly onOpen: () => void;
  readonly onClose: () => void;
  readonly onBeat: (health: Health) => void;
}

/** The connection to one replica, opened again whenever it closes. */
export class ReplicaLink implements Route {
  readonly replica: number;
  /** What it said last on the open connection. */
  health: Health | null = null;

  readonly #nowMs: () => number;
  readonly #link: Link;
  #peer: Peer | null = null;
  #calls: ReplicaCalls | null = null;
  #heardAtMs = 0;
  #avoidUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: ReplicaLinkOptions) {
    const { replica, log, onOpen, onClose, onBeat } = options;
    this.replica = replica.id;
    this.#nowMs = options.nowMs;
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
        this.#heardAtMs = this.#nowMs();
        this.#avoidUntilMs = Number.NEGATIVE_INFINITY;
        onOpen();
      },
      onClose: () => {
        this.#peer = null;
        this.#calls = null;
        this.health = null;
        onClose();
      },
    });
  }

  get isOpen(): boolean {
    return this.#peer?.isOpen ?? false;
  }

  /** Whether it may be asked before others, at `nowMs`. */
  isGood(nowMs: number): boolean {
    return this.isOpen && nowMs >= this.#avoidUntilMs;
  }

  /** Whether something came over the connection lately. */
  isHeard(nowMs: number): boolean {
    return this.isOpen && nowMs - this.#heardAtMs < LEADER_HEARD_MS;
  }

  ask(questions: Question[]): Promise<AskResult> {
    return this.#call((calls) => calls.ask({ relayed: false, questions }));
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

  flush(): void {
    this.#peer?.flush();
  }

  lost(): void {
    this.#avoid(AVOID_LOST_MS);
  }

  silent(): void {
    this.#avoid(AVOID_SILENT_MS);
  }

  close(): void {
    this.#link.close();
  }

  /** Rejects with `closed` where there is no connection, like a call on one that just went. */
  async #call<T>(call: (calls: ReplicaCalls) => Promise<T>): Promise<T> {
    if (!this.#calls) throw new RpcError("closed", `replica ${this.replica} is not connected`);
    return call(this.#calls);
  }

  #avoid(ms: number): void {
    this.#avoidUntilMs = Math.max(this.#avoidUntilMs, this.#nowMs() + ms);
  }

  #hear(health: Health): void {
    this.health = health;
    this.#heardAtMs = this.#nowMs();
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

/** What is looked at to choose between links. */
export type Candidate = Pick<ReplicaLink, "replica" | "isOpen" | "isGood" | "isHeard" | "health">;

/** Whom to ask while `leader` leads; null while nobody can be reached. */
export function routeTo<L extends Candidate>(
  leader: number,
  links: readonly L[],
  nowMs: number,
): L | null {
  const direct = links.find((link) => link.replica === leader);
  if (direct?.isGood(nowMs) && direct.isHeard(nowMs)) return direct;
  const relays = links.filter((link) => link.replica !== leader && link.isGood(nowMs));
  const knowing = relays.find((link) => link.isHeard(nowMs) && link.health?.leader === leader);
  if (knowing) return knowing;
  if (direct?.isOpen) return direct;
  return relays[0] ?? links.find((link) => link.isOpen) ?? null;
}
