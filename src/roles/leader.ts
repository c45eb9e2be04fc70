// What a process that is no front end has to do with the order leader: it asks it,
// looks for it, and says when there is none.

import type { Logger } from "pino";
import type { Attempt } from "../core/service/leader-client.ts";
import type { Question } from "../core/service/types.ts";
import { errorText, RpcError } from "../io/rpc/error.ts";
import type { Calls, Credentials, Identity } from "../io/rpc/types.ts";
import { within } from "../io/within.ts";
import type { ClusterConfig } from "./config.ts";
import { orderContract } from "./contract.ts";
import { Peers } from "./peers.ts";

/** One attempt to ask a replica that is connected. Settles once, never rejects. */
export async function attemptOver(
  { ask }: Pick<Calls<typeof orderContract>, "ask">,
  question: Question,
): Promise<Attempt> {
  try {
    return await ask({ relayed: false, questions: [question] });
  } catch (error) {
    const isFinal = error instanceof RpcError && error.failure === "refused";
    return { kind: "failed", why: errorText(error), isFinal };
  }
}

/** A leader as it described itself. */
export interface FoundLeader {
  readonly replica: number;
  readonly commitPosition: number;
}

export interface LeaderSearch {
  readonly replicas: ClusterConfig["replicas"];
  readonly identity: Identity;
  readonly credentials: Credentials;
  readonly limitMs: number;
}

/**
 * Asks each of these replicas once whether it leads; null if none does, or none says so in time.
 * One that can't be reached now isn't waited for, since it can't lead now. Never rejects.
 */
export async function findLeader(search: LeaderSearch): Promise<FoundLeader | null> {
  const { replicas, identity, credentials, limitMs } = search;
  const peers = new Peers(credentials, identity);
  const asked = replicas.map(async (replica): Promise<FoundLeader> => {
    const reached = await peers.reach(replica, limitMs);
    if (reached.kind === "unreachable") throw new Error(reached.why);
    const health = await reached.peer.calls(orderContract, { timeoutMs: limitMs }).health({});
    if (!health.leads) throw new Error(`${replica.id} doesn't lead`);
    return { replica: replica.id, commitPosition: health.commitPosition };
  });
  try {
    return (await within(Promise.any(asked), limitMs)) ?? null;
  } catch {
    return null; // nobody leads
  } finally {
    peers.close();
  }
}

/** A start of everything together, and a fail-over, pass without a word, milliseconds. */
export const SILENT_MS = 2_000;
/** Between two lines, milliseconds: as often as a front end says the same. */
export const AGAIN_MS = 5_000;

export interface LeaderWaitOptions {
  readonly log: Logger;
  /** Monotonic, milliseconds. */
  readonly nowMs: () => number;
  /** Ids of the replicas that could lead it. */
  readonly replicas: readonly number[];
  /** Whether a connection to this one is open. */
  readonly isUp: (replica: number) => boolean;
}

/** Says that a process waits for a leader: "ready" alone would leave who reads the log of a lone one to guess. */
export class LeaderWait {
  readonly #options: LeaderWaitOptions;
  /** When the next line is due; null while there is a leader. */
  #dueMs: number | null = null;

  constructor(options: LeaderWaitOptions) {
    this.#options = options;
  }

  /** Now and then, several times a second: whether there is a leader. */
  tick(isLed: boolean): void {
    if (isLed) {
      this.#dueMs = null;
      return;
    }
    const { log, nowMs, replicas, isUp } = this.#options;
    const now = nowMs();
    this.#dueMs ??= now + SILENT_MS;
    if (now < this.#dueMs) return;
    this.#dueMs = now + AGAIN_MS;
    const states = replicas.map((id) => `${id} ${isUp(id) ? "up" : "down"}`);
    log.info(`Waiting for an order leader - ${states.join(", ")}`);
  }
}
