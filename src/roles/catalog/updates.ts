// The catalog's `update`: more or less of a stock.
//
// The catalog never writes on its own. An update becomes an adjust request at
// the leader, under one request id for all its attempts. Answers are the seed's,
// by status code: 200 `success`, 400 `Stock name not found`, 500 for what can't
// be done to a stock, and 503 where nobody could decide in time.

import { randomUUID } from "node:crypto";
import { refusedInAnyMarket } from "../../core/market/content.ts";
import type { Content, Outcome, Refusal } from "../../core/market/types.ts";
import { errorText } from "../../io/rpc/error.ts";
import type { CatalogResult } from "../contract.ts";
import type { LeaderQuestions } from "./leader-questions.ts";

export interface UpdatesOptions {
  readonly leader: LeaderQuestions;
  /** Whether the catalog knows the stock; only words the answer to a `by` that is no number. */
  readonly knows: (name: string) => boolean;
}

export interface Update {
  readonly name: string;
  readonly by?: unknown;
  readonly requestId?: string | undefined;
}

export class Updates {
  readonly #options: UpdatesOptions;

  constructor(options: UpdatesOptions) {
    this.#options = options;
  }

  /** Adds `by`, which may be negative, to a stock's quantity. Never rejects. */
  async update({ name, by, requestId }: Update): Promise<CatalogResult> {
    if (typeof by !== "number" || !Number.isSafeInteger(by)) {
      if (!this.#options.knows(name)) return NOT_FOUND;
      return { status: 500, message: `Invalid quantity ${shown(by)}: not a whole number` };
    }
    const content: Content = { kind: "adjust", name, by };
    const refusal = refusedInAnyMarket(content);
    if (refusal) return refusalResult(refusal);
    const id = requestId ?? randomUUID();
    const answer = await this.#options.leader.ask({
      kind: "request",
      requestId: id,
      content,
      recordRefusal: requestId !== undefined,
    });
    if (answer.kind === "outcome") return resultOf(answer.outcome);
    return answer.kind === "too-many" ? TOO_MANY : unanswered(id);
  }
}

const NOT_FOUND: CatalogResult = { status: 400, message: "Stock name not found" };
const TOO_MANY: CatalogResult = { status: 503, message: "Too many updates at once, try again" };

function unanswered(requestId: string): CatalogResult {
  return {
    status: 503,
    message: `No order leader answered in time, ask again with request id ${requestId}`,
  };
}

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
