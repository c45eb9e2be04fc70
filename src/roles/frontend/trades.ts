// A trade on its way from the bytes of a POST to its answer.

import type { Logger } from "pino";
import type { Outcome } from "../../core/market/types.ts";
import { REQUEST_ID_LENGTH_MAX } from "../contract.ts";
import { BodyCutOffError, BodyTooLargeError } from "./body-reader.ts";
import {
  badRequest,
  failure,
  type HttpAnswer,
  refused,
  success,
  unanswered,
  unreadableTrade,
} from "./http-answer.ts";
import { BODY_BYTES_MAX } from "./limits.ts";
import { askFor, type Orders, type Unanswered } from "./orders.ts";
import { tradeReader } from "./trade-body.ts";

/** The header that carries a trade's key, both ways. */
export const KEY_HEADER = "idempotency-key";

export const BAD_KEY = badRequest(
  `Idempotency-Key must be 1 to ${REQUEST_ID_LENGTH_MAX} printable ASCII characters, given once`,
);
const REUSED_KEY = failure(
  422,
  "The Idempotency-Key was used before, with another name, type or quantity",
);
const BODY_TOO_LARGE = failure(413, `The body is larger than ${BODY_BYTES_MAX} bytes`);
const BODY_CUT_OFF = badRequest("The body ended early"); // told to nobody

/** How a POST ended. */
export type TradeEnd =
  | "accepted"
  | "refused"
  | "reused"
  | "malformed"
  | "unavailable"
  | "overloaded";

export class Trades {
  /** How many ended in which way. */
  readonly ends: Record<TradeEnd, number> = {
    accepted: 0,
    refused: 0,
    reused: 0,
    malformed: 0,
    unavailable: 0,
    overloaded: 0,
  };
  readonly #orders: Pick<Orders, "ask">;
  readonly #log: Logger;
  readonly #read = tradeReader();

  constructor(orders: Pick<Orders, "ask">, log: Logger) {
    this.#orders = orders;
    this.#log = log;
  }

  /**
   * Makes the trade that the bytes of `body` ask for under the request id `key`. `given`:
   * the client chose the key, and so may use it again.
   */
  async answer(body: unknown, key: string, given: boolean): Promise<HttpAnswer> {
    const read = this.#read(body);
    if ("wrong" in read) {
      this.ends.malformed += 1;
      return unreadableTrade(read.wrong);
    }
    const { name, type, quantity } = read.value;
    const debug = this.#log.isLevelEnabled("debug");
    if (debug) {
      this.#log.debug(`data - ${JSON.stringify(read.value)}`);
      this.#log.debug("Calling trade service");
    }
    const asked = await askFor(this.#orders, "outcome", {
      kind: "request",
      requestId: key,
      content: { kind: "trade", name, type, quantity },
      recordRefusal: given,
    });
    const answer = asked.kind === "outcome" ? outcomeAnswer(asked.outcome) : unanswered(asked.kind);
    this.ends[endOf(asked)] += 1;
    if (debug) this.#log.debug(`Received trade response - ${answer.status} ${answer.body}`);
    return answer;
  }
}

/** What is said of a body that couldn't be read; null if that isn't what went wrong. */
export function bodyProblem(error: unknown): HttpAnswer | null {
  if (error instanceof BodyTooLargeError) return BODY_TOO_LARGE;
  if (error instanceof BodyCutOffError) return BODY_CUT_OFF;
  return null;
}

function endOf(
  asked: { readonly kind: "outcome"; readonly outcome: Outcome } | Unanswered,
): TradeEnd {
  if (asked.kind !== "outcome") return asked.kind;
  const { kind } = asked.outcome;
  return kind === "refused" || kind === "reused" ? kind : "accepted";
}

function outcomeAnswer(outcome: Outcome): HttpAnswer {
  switch (outcome.kind) {
    case "accepted":
      return success({ transaction_number: outcome.number });
    case "refused":
      return refused(outcome.refusal);
    case "reused":
      return REUSED_KEY;
    default:
      throw new Error(`a trade ended as ${outcome.kind}`);
  }
}
