// A trade on its way from the bytes of a POST to its answer.

import { randomUUIDv7 } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Logger } from "pino";
import { requestIdOf } from "../../../core/market/keys.ts";
import type { Outcome } from "../../../core/market/types.ts";
import type { OrderView } from "../../../core/service/types.ts";
import { IDEMPOTENCY_KEY_LENGTH_MAX } from "../../contract.ts";
import { type Grant, isFor, OTHER_STOCK, type Recorder, whyOf } from "../http/access.ts";
import {
  badRequest,
  failure,
  type HttpAnswer,
  OVERLOADED,
  refused,
  success,
  unanswered,
  unreadableTrade,
} from "../http/http-answer.ts";
import { FOREIGN_PAGE, foreignTo, type IsForeign } from "../http/origins.ts";
import { BODY_BYTES_MAX } from "../limits.ts";
import { askFor, type Orders, type Unanswered } from "./order-service.ts";
import {
  BodyCutOffError,
  BodyTooLargeError,
  readBody,
  type Trade,
  tradeReader,
} from "./trade-body.ts";

/** The header that carries a trade's key, both ways. */
export const KEY_HEADER = "idempotency-key";

const BAD_KEY = badRequest(
  `Idempotency-Key must be 1 to ${IDEMPOTENCY_KEY_LENGTH_MAX} printable ASCII characters, given once`,
);
const REUSED_KEY = failure(
  422,
  "The Idempotency-Key was used before, with another name, type or quantity",
);
const BODY_TOO_LARGE = failure(413, `The body is larger than ${BODY_BYTES_MAX} bytes`);
/** As much came as is read at all: nobody waits for the rest. */
const BODY_ENDLESS: HttpAnswer = { ...BODY_TOO_LARGE, closes: true };
const BODY_CUT_OFF = badRequest("The body ended early"); // told to nobody

/** How a POST ended. */
export type TradeEnd =
  | "accepted"
  | "refused"
  | "reused"
  | "malformed"
  | "foreign"
  | "unavailable"
  | "overloaded"
  | "failed";

/** How a trade that the leader was asked for ended, for whoever watches. */
export type WatchedEnd = "accepted" | "refused" | "failed";

/** Told of each trade that the leader was asked for, when it was answered, or wasn't in time. */
export interface TradeWatch {
  /** `order` only when it was accepted. */
  traded(end: WatchedEnd, ms: number, order: OrderView | null): void;
}

export class Trades {
  /** How many ended in which way. */
  readonly ends: Record<TradeEnd, number> = {
    accepted: 0,
    refused: 0,
    reused: 0,
    malformed: 0,
    foreign: 0,
    unavailable: 0,
    overloaded: 0,
    failed: 0,
  };
  readonly #orders: Pick<Orders, "ask" | "isFull">;
  readonly #log: Logger;
  readonly #isForeign: IsForeign;
  readonly #watch: TradeWatch | null;
  readonly #audit: Recorder | null;
  readonly #read = tradeReader();

  /** `isForeign`: which pages may not trade; all of other sites unless told. `watch`, `audit`: nobody unless told. */
  constructor(
    orders: Pick<Orders, "ask" | "isFull">,
    log: Logger,
    isForeign: IsForeign = foreignTo([]),
    watch: TradeWatch | null = null,
    audit: Recorder | null = null,
  ) {
    this.#orders = orders;
    this.#log = log;
    this.#isForeign = isForeign;
    this.#watch = watch;
    this.#audit = audit;
  }

  /** Reads the headers: the request id to trade under, or the answer if there is to be no trade. */
  begin(request: Pick<IncomingMessage, "headers" | "rawHeaders">): string | HttpAnswer {
    if (this.#isForeign(request)) {
      this.ends.foreign += 1;
      return FOREIGN_PAGE;
    }
    const key = requestKey(request);
    if (key !== null) return key;
    this.ends.malformed += 1;
    return BAD_KEY;
  }

  /** What a request is told whose turn wouldn't come: its body, if that isn't large, needn't be read. Else null. */
  turnedAway({ headers }: Pick<IncomingMessage, "headers">): HttpAnswer | null {
    const isSmall = Number(headers["content-length"]) <= BODY_BYTES_MAX;
    if (!isSmall || !this.#orders.isFull()) return null;
    this.ends.overloaded += 1;
    this.#watch?.traded(watchedAs("overloaded"), 0, null);
    return OVERLOADED;
  }

  /** Reads the body. An error is one that bodyProblem() knows. */
  read(request: IncomingMessage, done: (error: Error | null, body?: Uint8Array) => void): void {
    readBody(request, (error, body) => {
      if (error instanceof BodyTooLargeError) this.ends.malformed += 1;
      done(error, body);
    });
  }

  /**
   * Makes the trade that the bytes of `body` ask for under `key`, for who was let in. `given`:
   * the client chose the key, and so may use it again.
   */
  async answer(
    body: unknown,
    key: string,
    given: boolean,
    grant: Grant,
    from?: string,
  ): Promise<HttpAnswer> {
    const read = this.#read(body);
    if ("wrong" in read) {
      this.ends.malformed += 1;
      return unreadableTrade(read.wrong);
    }
    const { name, type, quantity } = read.value;
    const asked = { key, name, type, quantity };
    if (!isFor(grant, name)) {
      this.ends.malformed += 1;
      this.#record(asked, OTHER_STOCK, null, grant, from);
      return OTHER_STOCK;
    }
    const requestId = requestIdOf(grant.owner, key);
    const debug = this.#log.isLevelEnabled("debug");
    const log = debug ? this.#log.child({ requestId }) : this.#log;
    if (debug) {
      log.debug(`data - ${JSON.stringify(read.value)}`);
      log.debug("Calling trade service");
    }
    const beganMs = performance.now();
    let end: TradeEnd = "failed";
    let order: OrderView | null = null;
    try {
      const outcome = await askFor(this.#orders, "outcome", {
        kind: "request",
        requestId,
        content: { kind: "trade", name, type, quantity },
        recordRefusal: given,
      });
      const answer =
        outcome.kind === "outcome" ? outcomeAnswer(outcome.outcome) : unanswered(outcome.kind);
      end = endOf(outcome);
      if (outcome.kind === "outcome" && outcome.outcome.kind === "accepted" && isTradeType(type)) {
        order = { number: outcome.outcome.number, name, type, quantity };
      }
      if (debug) log.debug(`Received trade response - ${answer.status} ${answer.body}`);
      this.#record(asked, answer, order, grant, from);
      return answer;
    } finally {
      this.ends[end] += 1;
      this.#watch?.traded(watchedAs(end), performance.now() - beganMs, order);
    }
  }

  #record(
    { key, name, type, quantity }: { readonly key: string } & Trade,
    answer: HttpAnswer,
    order: OrderView | null,
    { owner }: Grant,
    from: string | undefined,
  ): void {
    this.#audit?.record({
      what: "trade",
      who: owner,
      from,
      key,
      name: name.slice(0, WORD_LENGTH_MAX),
      type: type.slice(0, WORD_LENGTH_MAX),
      quantity,
      status: answer.status,
      ...(order === null ? { why: whyOf(answer) } : { order: order.number }),
    });
  }
}

/** Characters of what a client sent that are written down: no stock has a longer name. */
const WORD_LENGTH_MAX = 64;

function isTradeType(type: string): type is OrderView["type"] {
  return type === "buy" || type === "sell";
}

function watchedAs(end: TradeEnd): WatchedEnd {
  if (end === "accepted") return end;
  return end === "refused" || end === "reused" ? "refused" : "failed";
}

/** What is said of a body that couldn't be read; null if that isn't what went wrong. */
export function bodyProblem(error: unknown): HttpAnswer | null {
  if (error instanceof BodyTooLargeError) return error.ended ? BODY_TOO_LARGE : BODY_ENDLESS;
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

const PRINTABLE_ASCII = /^[\x20-\x7e]+$/;

/** The key to work under; null when the client's isn't one. */
export function requestKey(
  request: Pick<IncomingMessage, "headers" | "rawHeaders">,
): string | null {
  const key = request.headers["idempotency-key"];
  if (key === undefined) return randomUUIDv7();
  if (typeof key !== "string" || key.length > IDEMPOTENCY_KEY_LENGTH_MAX) return null;
  if (!PRINTABLE_ASCII.test(key)) return null;
  // Node joins a header that came twice with a comma, and two keys are no key.
  return key.includes(",") && isTwice(request.rawHeaders) ? null : key;
}

function isTwice(rawHeaders: readonly string[]): boolean {
  const isKey = (text: string, index: number) =>
    index % 2 === 0 && text.toLowerCase() === "idempotency-key";
  return rawHeaders.filter(isKey).length > 1;
}
