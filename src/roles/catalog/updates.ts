// The catalog's `update`: more or less of a stock.
//
// The catalog never writes on its own. An update becomes an adjust request at
// the leader, under one request id for all its attempts, so that it counts once
// however often it is asked, over changes of the leader too. Answers are the
// seed's, by status code: 200 `success`, 400 `Stock name not found`, 500 for
// what can't be done to a stock, and 503 where nobody could decide in time.

import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { Outcome, Refusal } from "../../core/market/types.ts";
import { errorText } from "../../io/rpc/error.ts";
import type { Answer, AskResult, CatalogResult, Question } from "../contract.ts";
import { UPDATE_DEADLINE_MS, UPDATE_PAUSE_MS, UPDATES_IN_HAND_MAX } from "./limits.ts";
import type { Replicas } from "./replicas.ts";

export interface UpdatesOptions {
  readonly replicas: Replicas;
  /** Whether the catalog knows the stock; only words the answer to a `by` that is no number. */
  readonly knows: (name: string) => boolean;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

export interface Update {
  readonly name: string;
  readonly by?: unknown;
  readonly requestId?: string | undefined;
  /** The client's, for the log. */
  readonly trace?: string | undefined;
}

export class Updates {
  readonly #options: UpdatesOptions;
  #inHand = 0;

  constructor(options: UpdatesOptions) {
    this.#options = options;
  }

  /** Adds `by`, which may be negative, to a stock's quantity. Never rejects. */
  async update({ name, by, requestId, trace }: Update): Promise<CatalogResult> {
    if (typeof by !== "number" || !Number.isSafeInteger(by)) {
      if (!this.#options.knows(name)) return NOT_FOUND;
      return { status: 500, message: `Invalid quantity ${shown(by)}: not a whole number` };
    }
    if (this.#inHand >= UPDATES_IN_HAND_MAX) {
      return { status: 503, message: "Too many updates at once, try again" };
    }
    this.#inHand++;
    try {
      return await this.#decided({
        kind: "request",
        requestId: requestId ?? randomUUID(),
        content: { kind: "adjust", name, by },
        recordRefusal: requestId !== undefined,
        ...(trace !== undefined && { trace }),
      });
    } finally {
      this.#inHand--;
    }
  }

  async #decided(first: Extract<Question, { kind: "request" }>): Promise<CatalogResult> {
    const { nowMs } = this.#options;
    const deadlineMs = nowMs() + UPDATE_DEADLINE_MS;
    let question = first;
    for (let attempt = 0; nowMs() < deadlineMs; attempt++) {
      const answer = await this.#attempt(question, attempt);
      if (answer?.kind === "outcome") return resultOf(answer.outcome);
      // From now on an attempt may be under way somewhere: what it is told must hold for all.
      question = { ...first, recordRefusal: true };
      await pause(UPDATE_PAUSE_MS);
    }
    return {
      status: 503,
      message: `No order leader answered in time, ask again with request id ${first.requestId}`,
    };
  }

  /** The answer, or null when there is none: nobody to ask, no leader, busy, or an unknown fate. */
  async #attempt(question: Question, attempt: number): Promise<Answer | null> {
    const { replicas } = this.#options;
    const replica = replicas.toAsk(attempt);
    if (replica === null) return null;
    let result: AskResult;
    try {
      result = await replica.calls.ask({ relayed: false, questions: [question] });
    } catch {
      if (replicas.leader === replica.id) replicas.heardOfLeader(null);
      return null;
    }
    if (result.kind === "answers") return result.answers[0] ?? null;
    if (result.kind === "not-leader") {
      replicas.heardOfLeader(result.leader === replica.id ? null : result.leader);
    } else if (replicas.leader === replica.id) {
      replicas.heardOfLeader(null);
    }
    return null;
  }
}

const NOT_FOUND: CatalogResult = { status: 400, message: "Stock name not found" };

function resultOf(outcome: Outcome): CatalogResult {
  switch (outcome.kind) {
    case "adjusted":
      return { status: 200, message: "success" };
    case "refused":
      return refusalResult(outcome.refusal);
    case "reused":
    case "accepted":
    case "listed":
      return { status: 422, message: "The request id was used before, for something else" };
  }
}

function refusalResult(refusal: Refusal): CatalogResult {
  switch (refusal.kind) {
    case "unknown-stock":
      return NOT_FOUND;
    case "insufficient-volume":
      return { status: 500, message: `Insufficient volume for ${refusal.name} stock` };
    case "invalid-quantity":
      return { status: 500, message: `Invalid quantity ${refusal.quantity}` };
    case "unknown-type":
    case "stock-exists":
      return { status: 500, message: `Unexpected answer: ${refusal.kind}` };
  }
}

/** Whatever was given, in few characters. */
function shown(by: unknown): string {
  try {
    return errorText(JSON.stringify(by) ?? String(by));
  } catch {
    return typeof by;
  }
}
