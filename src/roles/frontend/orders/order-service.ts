// A front end's order service: core/service/order-replicas.ts over connections to
// the replicas, real time, promises for the routes, and log lines.

import type { Logger } from "pino";
import { KeyCopy } from "../../../core/service/key-copy.ts";
import {
  HEALTH_CALL_MS,
  KEYS_ASK_MS,
  NOMINATE_CALL_MS,
  QUESTION_DEADLINE_MS,
} from "../../../core/service/limits.ts";
import {
  OrderReplicas,
  type ReplicaCalls,
  type ReplicaState,
  type ReplicasObserver,
} from "../../../core/service/order-replicas.ts";
import type { Answer, Asked, Question, Unanswered } from "../../../core/service/types.ts";
import { recurring } from "../../../io/recurring.ts";
import { Complaints } from "../../../io/rpc/complaints.ts";
import { connect } from "../../../io/rpc/connect.ts";
import { RpcError } from "../../../io/rpc/error.ts";
import type {
  Calls,
  Credentials,
  Identity,
  Link,
  Peer,
  Unreachable,
} from "../../../io/rpc/types.ts";
import { frontendContract, orderContract } from "../../contract.ts";
import type { RequestTraces } from "../http/request-traces.ts";
import { COMPLAINT_INTERVAL_MS } from "../limits.ts";

export type { Asked, ReplicaState, Unanswered };

const NOTIFY_CALL_MS = 2_000;

const beatContract = { beat: frontendContract.beat } as const;
const leavingContract = { leaving: orderContract.leaving } as const;

export interface OrdersHealth {
  /** Id of the leader; null while none is known. */
  readonly leader: number | null;
  /** Whether the leader answered or beat lately and has said which keys there are, so that a trade could be answered now. */
  readonly ready: boolean;
}

export interface AskOptions {
  /** Milliseconds until the client is told "unavailable"; default 10,000. */
  readonly deadlineMs?: number;
}

export interface Orders {
  /** Never rejects. Settles within `deadlineMs` (10,000 unless told), through changes of leader. */
  ask(question: Question, options?: AskOptions): Promise<Asked>;
  /** Whether a question would be turned away now, as too many wait. */
  isFull(): boolean;
  /** Id of the leader; null while none is known. */
  leader(): number | null;
  health(): OrdersHealth;
  /** Begins to look for a leader. Settles once the first is found, which may be never. */
  start(): Promise<void>;
  /** Ends all connections; whoever still asks is told `unavailable`. */
  close(): void | Promise<void>;
  /** Calls back whenever another leader is found, or the known one is lost (null). */
  onLeader(callback: (leader: number | null) => void): void;
}

export interface OrderServiceOptions {
  /** All configured replicas. A replica's id is its port, unless something stands between. */
  readonly replicas: readonly {
    readonly id: number;
    readonly name: string;
    readonly host: string;
    readonly port: number;
  }[];
  readonly credentials: Credentials;
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

export class OrderService implements Orders {
  /** The API keys that there are. */
  readonly keys: KeyCopy;
  readonly #options: OrderServiceOptions;
  readonly #replicas: OrderReplicas<Peer>;
  readonly #onLeader: ((leader: number | null) => void)[] = [];
  #links = new Map<number, Link>();
  #started: Promise<void> | null = null;
  readonly #stopAsking: () => void;

  constructor(options: OrderServiceOptions) {
    const { replicas, traces, log, random = Math.random, startWaitMs } = options;
    this.#options = options;
    const nowMs = () => performance.now();
    const complaints = new Complaints(log, COMPLAINT_INTERVAL_MS, nowMs);
    this.#replicas = new OrderReplicas({
      replicas: replicas.map(({ id }) => id),
      calls: new PeerCalls(traces, complaints),
      observer: {
        ...logLines(log, complaints),
        leaderChanged: (leader) => {
          if (leader !== null) this.keys.ask();
          for (const callback of this.#onLeader) callback(leader);
        },
      },
      random,
      ...(startWaitMs !== undefined && { startWaitMs }),
      nowMs,
      // Check phase: every socket that had a request in this turn was read by then.
      atTurnsEnd: setImmediate,
      after: (ms, run) => setTimeout(run, ms).unref(),
    });
    this.keys = new KeyCopy({
      ask: (question, settled) => this.#replicas.askOnce(question, settled),
      nowMs,
    });
    this.#stopAsking = recurring(
      () => KEYS_ASK_MS,
      () => this.keys.tick(),
    );
  }

  /** Connects and begins to look for a leader. Settles once the first is found, which may be never. */
  start(): Promise<void> {
    this.#started ??= new Promise((resolve) => {
      this.onLeader((leader) => {
        if (leader !== null) resolve();
      });
      for (const replica of this.#options.replicas) {
        this.#links.set(replica.id, this.#link(replica));
      }
      this.#replicas.start();
    });
    return this.#started;
  }

  #link({ id, name, host, port }: OrderServiceOptions["replicas"][number]): Link {
    const { credentials, identity, log, onUnreachable } = this.#options;
    return connect({
      host,
      port,
      name,
      credentials,
      identity,
      contract: beatContract,
      handlers: { beat: (health) => this.#replicas.beat(id, health) },
      log,
      onOpen: (peer) => this.#replicas.opened(id, peer),
      onClose: (peer) => this.#replicas.closed(id, peer),
      onUnreachable: (why) => onUnreachable?.(id, why),
    });
  }

  ask(question: Question, { deadlineMs = QUESTION_DEADLINE_MS }: AskOptions = {}): Promise<Asked> {
    return new Promise((settled) => this.#replicas.ask(question, deadlineMs, settled));
  }

  isFull(): boolean {
    return this.#replicas.isFull;
  }

  leader(): number | null {
    return this.#replicas.leader;
  }

  health(): OrdersHealth {
    // A request that needs a key, or that there are none, would wait for the first answer to that.
    const ready = this.#replicas.ready && this.keys.last !== null;
    return { leader: this.leader(), ready };
  }

  /** Every configured replica, in the configuration's order. */
  replicas(): readonly ReplicaState[] {
    return this.#replicas.states();
  }

  /** The connection to a replica; null while there is none. */
  peer(replica: number): Peer | null {
    return this.#links.get(replica)?.peer ?? null;
  }

  onLeader(callback: (leader: number | null) => void): void {
    this.#onLeader.push(callback);
  }

  /** Tells every replica that this front end stops. */
  leaving(): void {
    for (const { peer } of this.#links.values()) peer?.calls(leavingContract).leaving({});
  }

  close(): void {
    this.#stopAsking();
    this.keys.close();
    this.#replicas.close();
    for (const link of this.#links.values()) link.close();
  }
}

/**
 * Asks, and takes the answer of this kind, or one of these, out of what came. Throws when it is of
 * another.
 */
export async function askFor<K extends Answer["kind"]>(
  orders: Pick<Orders, "ask">,
  kind: K | readonly K[],
  question: Question,
  deadlineMs?: number,
): Promise<Extract<Answer, { kind: K }> | Unanswered> {
  const asked = await orders.ask(question, deadlineMs === undefined ? {} : { deadlineMs });
  if (asked.kind !== "answer") return asked;
  const { answer } = asked;
  if (isOf(answer, kind)) return answer;
  if (answer.kind === "busy") return { kind: "overloaded" };
  throw new Error(`the leader answered a question for ${question.kind} with ${answer.kind}`);
}

function isOf<K extends Answer["kind"]>(
  answer: Answer,
  kind: K | readonly K[],
): answer is Extract<Answer, { kind: K }> {
  return typeof kind === "string" ? answer.kind === kind : kind.some((one) => one === answer.kind);
}

/** What a replica serves to a front end, each call with its own time-out. */
interface ServedCalls {
  readonly ask: Calls<Pick<typeof orderContract, "ask">>["ask"];
  readonly health: Calls<Pick<typeof orderContract, "health">>["health"];
  readonly nominate: Calls<Pick<typeof orderContract, "nominate">>["nominate"];
  readonly notifyLeader: Calls<Pick<typeof orderContract, "notifyLeader">>["notifyLeader"];
}

/** What is said to replicas, over their connections. */
class PeerCalls implements ReplicaCalls<Peer> {
  readonly #traces: RequestTraces;
  readonly #complaints: Complaints;
  readonly #known = new WeakMap<Peer, ServedCalls>();

  constructor(traces: RequestTraces, complaints: Complaints) {
    this.#traces = traces;
    this.#complaints = complaints;
  }

  ask: ReplicaCalls<Peer>["ask"] = (peer, questions, settled) => {
    this.#calls(peer)
      .ask({ relayed: false, questions, ...this.#traces.of(questions) })
      .then(settled, (error: unknown) => {
        const failure = error instanceof RpcError ? error.failure : "failed";
        if (failure === "failed" || failure === "refused") {
          const replica = peer.identity.name;
          const line = failure === "failed" ? "Questions failed" : "Questions refused";
          this.#complaints.warn(`${failure} ${replica}`, { replica, err: error }, line);
        }
        settled({ kind: "failed", failure });
      });
  };

  health: ReplicaCalls<Peer>["health"] = (peer, settled) => {
    this.#calls(peer)
      .health({})
      .then(settled, () => settled(null));
  };

  nominate: ReplicaCalls<Peer>["nominate"] = (peer, settled) => {
    this.#calls(peer)
      .nominate({})
      .then(settled, () => settled(null));
  };

  notify(peer: Peer, leader: number): void {
    this.#calls(peer)
      .notifyLeader({ leader })
      .catch(() => {}); // it learns that from the leader all the same
  }

  flush(peer: Peer): void {
    peer.flush();
  }

  #calls(peer: Peer): ServedCalls {
    let calls = this.#known.get(peer);
    if (!calls) {
      const { ask, health, nominate, notifyLeader } = orderContract;
      calls = {
        ...peer.calls({ ask }, { timeoutMs: QUESTION_DEADLINE_MS }),
        ...peer.calls({ health }, { timeoutMs: HEALTH_CALL_MS }),
        ...peer.calls({ nominate }, { timeoutMs: NOMINATE_CALL_MS }),
        ...peer.calls({ notifyLeader }, { timeoutMs: NOTIFY_CALL_MS }),
      };
      this.#known.set(peer, calls);
    }
    return calls;
  }
}

/** In the words of the reference program's logs, where it has any. */
function logLines(log: Logger, complaints: Complaints): Omit<ReplicasObserver, "leaderChanged"> {
  const requestId = (question: Question) =>
    question.kind === "request" ? { requestId: question.requestId } : {};
  return {
    line: (level, message) => log[level](message),
    nominating: (replica) => log.debug({ replica }, "Nominating"),
    nominated: (replica, result) => log.debug({ replica, result }, "Nomination ended"),
    mismatched: (replica, counts) =>
      complaints.warn(
        `pairs ${replica}`,
        { replica, ...counts },
        "Answers don't pair up with the questions",
      ),
    failed(question) {
      if (log.isLevelEnabled("debug")) log.debug(requestId(question), "Trying request again...");
    },
    triedAgain(question) {
      if (log.isLevelEnabled("debug")) log.debug(requestId(question), "Calling trade service");
    },
  };
}
