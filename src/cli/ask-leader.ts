// A question to the order leader from the command line, whoever leads.
//
// Any replica is asked; one that doesn't lead names who does, or relays. What
// has an unknown fate is asked again with the same request id, so that a change
// counts once, until the deadline.

import { setTimeout as pause } from "node:timers/promises";
import { RpcError } from "../io/rpc/error.ts";
import type { ClusterConfig } from "../roles/config.ts";
import { type Answer, type AskResult, orderContract, type Question } from "../roles/contract.ts";
import type { Peers } from "./peers.ts";
import { errorLine, UserError } from "./user-error.ts";

/** How long a question is asked again, milliseconds: a fail-over and more. */
export const ASK_LIMIT_MS = 10_000;
/** A replica that doesn't accept a connection by then isn't waited for, milliseconds. */
const REACH_LIMIT_MS = 1_000;
/** One attempt; a leader that is cut off knows it sooner, milliseconds. */
const ATTEMPT_LIMIT_MS = 3_000;
/** Between two rounds of attempts, milliseconds. */
const PAUSE_MS = 100;

export type Replica = ClusterConfig["replicas"][number];

/** Asks one replica; rejects with RpcError, or with UserError when asking again can't help. */
export type AskReplica = (replica: Replica, question: Question) => Promise<AskResult>;

export interface AskLeaderOptions {
  readonly replicas: readonly Replica[];
  readonly ask: AskReplica;
  /** Monotonic, milliseconds. Default the process's. */
  readonly now?: () => number;
  readonly limitMs?: number;
}

/** Remembers who answered last, and asks that one first. */
export class AskLeader {
  readonly #options: AskLeaderOptions;
  readonly #now: () => number;
  readonly #limitMs: number;
  /** Who answered last. */
  #leader: Replica | undefined;

  constructor(options: AskLeaderOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#limitMs = options.limitMs ?? ASK_LIMIT_MS;
  }

  /** The leader's answer. Throws UserError when there is none in time. */
  async ask(question: Question): Promise<Answer> {
    const end = this.#now() + this.#limitMs;
    // The highest id leads unless it has failed.
    const order = this.#options.replicas.toSorted((a, b) => b.id - a.id);
    let why = "no replica is configured";
    do {
      for (const replica of this.#leader ? [this.#leader, ...order] : order) {
        let result = await this.#attempt(replica, question);
        if (result.kind === "again" && result.leader !== null) {
          // One step only: two that name each other would have it go back and forth.
          const { leader } = result;
          const named = order.find(({ id }) => id === leader && id !== replica.id);
          if (named) result = await this.#attempt(named, question);
        }
        if (result.kind === "answered") return result.answer;
        why = result.why;
        if (this.#now() >= end) break;
      }
      this.#leader = undefined;
      await pause(PAUSE_MS);
    } while (this.#now() < end);
    throw new UserError(
      `no order leader answered within ${this.#limitMs / 1_000} s (${why}): see "npx bazaar status"`,
    );
  }

  async #attempt(
    replica: Replica,
    question: Question,
  ): Promise<
    | { readonly kind: "answered"; readonly answer: Answer }
    | { readonly kind: "again"; readonly why: string; readonly leader: number | null }
  > {
    const again = (why: string, leader: number | null = null) =>
      ({ kind: "again", why: `${replica.name}: ${why}`, leader }) as const;
    let result: AskResult;
    try {
      result = await this.#options.ask(replica, question);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      if (error.failure === "refused") throw new UserError(`refused: ${errorLine(error)}`);
      return again(errorLine(error));
    }
    if (result.kind === "not-leader") return again("does not lead", result.leader);
    if (result.kind === "unknown") return again("the leader was lost on the way");
    const answer = result.answers[0];
    if (answer === undefined) throw new UserError(`${replica.name} gave no answer to a question`);
    if (answer.kind === "busy") return again("the leader is busy");
    this.#leader = replica;
    return { kind: "answered", answer };
  }
}

/** Asks over the internal ports. */
export function askOver(peers: Peers): AskReplica {
  return async (replica, question) => {
    const reached = await peers.reach(replica, REACH_LIMIT_MS);
    if (reached.kind === "unreachable") {
      if (reached.isFinal) throw new UserError(reached.why);
      throw new RpcError("closed", reached.why);
    }
    const calls = reached.peer.calls(orderContract, { timeoutMs: ATTEMPT_LIMIT_MS });
    return calls.ask({ relayed: false, questions: [question] });
  };
}
