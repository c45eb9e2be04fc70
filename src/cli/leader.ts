// The order leader for a command: asked over connections made for it.

import { type LeaderAnswer, LeaderClient } from "../core/service/leader-client.ts";
import type { ClusterConfig } from "../roles/config.ts";
import { type Answer, orderContract, type Question } from "../roles/contract.ts";
import { attemptOver } from "../roles/leader.ts";
import type { Peers } from "../roles/peers.ts";
import { commandPeers } from "./closed.ts";
import { UserError } from "./user-error.ts";

/** How long a question is asked again, milliseconds: a fail-over and more. */
export const ASK_LIMIT_MS = 10_000;
/** A replica that doesn't accept a connection by then isn't waited for, milliseconds. */
const REACH_LIMIT_MS = 1_000;
/** One attempt; a leader that is cut off knows it sooner, milliseconds. */
const ATTEMPT_LIMIT_MS = 3_000;

type Replica = ClusterConfig["replicas"][number];

export interface LeaderOptions {
  readonly replicas: readonly Replica[];
  readonly peers: Peers;
  /** Default ASK_LIMIT_MS. */
  readonly limitMs?: number;
}

export class Leader {
  readonly #client: LeaderClient;
  readonly #limitMs: number;

  constructor({ replicas, peers, limitMs = ASK_LIMIT_MS }: LeaderOptions) {
    const byId = new Map(replicas.map((replica) => [replica.id, replica]));
    this.#limitMs = limitMs;
    this.#client = new LeaderClient({
      reachable: () => [...byId.keys()],
      ask: async (id, question, settled) => {
        const replica = byId.get(id);
        if (replica) settled(await attempt(peers, replica, question));
      },
      nowMs: () => performance.now(),
      after: (ms, run) => setTimeout(run, ms),
      limitMs,
    });
  }

  /** The leader's answer. Throws UserError when there is none in time, or none to be had. */
  async ask(question: Question): Promise<Answer> {
    const answer = await new Promise<LeaderAnswer>((settled) =>
      this.#client.ask(question, settled),
    );
    switch (answer.kind) {
      case "unanswered":
        throw new UserError(
          `no order leader answered within ${this.#limitMs / 1_000} s (${answer.why}): see "npx bazaar status"`,
        );
      case "impossible":
        throw new UserError(answer.why);
      case "too-many":
        throw new UserError("too many questions at once");
      default:
        return answer;
    }
  }
}

async function attempt(peers: Peers, replica: Replica, question: Question) {
  const { name } = replica;
  const reached = await peers.reach(replica, REACH_LIMIT_MS);
  if (reached.kind === "unreachable") {
    const why = reached.isFinal ? reached.why : `${name}: ${reached.why}`;
    return { kind: "failed", why, isFinal: reached.isFinal } as const;
  }
  const calls = reached.peer.calls(orderContract, { timeoutMs: ATTEMPT_LIMIT_MS });
  const attempted = await attemptOver(calls, question);
  if (attempted.kind !== "failed") return attempted;
  const { why, isFinal } = attempted;
  return { ...attempted, why: isFinal ? `refused: ${why}` : `${name}: ${why}` };
}

/** Does `work` with the order leader of the configuration at hand, then closes what that opened. */
export async function withLeader<T>(
  config: ClusterConfig,
  work: (leader: Leader) => Promise<T>,
): Promise<T> {
  const peers = commandPeers(config);
  try {
    return await work(new Leader({ replicas: config.replicas, peers }));
  } finally {
    peers.close();
  }
}
