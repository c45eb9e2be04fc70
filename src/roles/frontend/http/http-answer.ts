// The bodies and statuses of the public interface, in the reference program's words: its
// clients match on them, typing error included.

import type { ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";
import type { Refusal } from "../../../core/market/types.ts";
import { unknownStockText } from "../../words.ts";
import { RETRY_AFTER_S } from "../limits.ts";

/** An answer to a client, ready to be sent. */
export interface HttpAnswer {
  readonly status: number;
  /** JSON; as bytes where many get the same large one. */
  readonly body: string | Buffer;
  /** The connection can't be used for another request, and is closed. */
  readonly closes?: boolean;
  /** WWW-Authenticate: what is asked of the client. */
  readonly challenge?: string;
}

/** Of every JSON answer. A browser must not guess that it is anything else. */
export const JSON_HEADERS = {
  "content-type": "application/json; charset=utf-8",
  "x-content-type-options": "nosniff",
} as const;

/** The body of a success. */
export function dataBody(data: unknown): string {
  return `{"data":${JSON.stringify(data)}}`;
}

/** A success. */
export function success(data: unknown): HttpAnswer {
  return { status: 200, body: dataBody(data) };
}

/** Anything else; `message` is for people, and by tradition for programs. */
export function failure(status: number, message: string): HttpAnswer {
  return { status, body: JSON.stringify({ error: { code: status, message } }) };
}

export const INVALID_URL = failure(404, "Invalid request url");
export const INTERNAL_ERROR = failure(500, "Internal server error");
export const OVERLOADED = failure(503, "Too many requests are waiting. Ask again later");
export const STOPPING = failure(503, "This front end is stopping. Ask another");
export const NO_LEADER = failure(503, "No order leader found. Ask again later");
export const UNAVAILABLE = failure(
  503,
  "No order leader answered in time. Ask again later, a trade with its Idempotency-Key",
);

/** The status of what a client asked beyond its share. */
export const RATE_LIMITED = 429;

export function unknownStock(name: string): HttpAnswer {
  return failure(400, unknownStockText(name));
}

/** `number` as it was asked for: it may be beyond what a number holds. */
export function unknownOrder(number: string): HttpAnswer {
  return failure(400, `Bad request. ${number} order not found in ORDER LOG`);
}

export function badRequest(what: string): HttpAnswer {
  return failure(400, `Bad request. ${what}`);
}

export function unreadableTrade(what: string): HttpAnswer {
  return failure(400, `POST data not in correct format. ${what}`);
}

/** Why a trade wasn't made. */
export function refused(refusal: Refusal): HttpAnswer {
  switch (refusal.kind) {
    case "invalid-quantity":
      return failure(400, `Invalid quantity ${refusal.quantity}`);
    case "unknown-type":
      return failure(400, `Unknow trade type - ${refusal.type}`);
    case "unknown-stock":
      return unknownStock(refusal.name);
    case "insufficient-volume":
      return failure(500, `Insufficient volume for ${refusal.name} stock`);
    case "stock-exists":
      return badRequest(`${refusal.name} stock exists already`);
    default:
      throw new Error(`a trade was refused as ${refusal.kind}`);
  }
}

/** Why a question to the leader has no answer. */
export function unanswered(kind: "unavailable" | "overloaded"): HttpAnswer {
  return kind === "overloaded" ? OVERLOADED : UNAVAILABLE;
}

export function send(reply: FastifyReply, answer: HttpAnswer): FastifyReply {
  if (answer.status === 503) reply.header("retry-after", RETRY_AFTER_S);
  if (answer.closes) reply.header("connection", "close");
  if (answer.challenge) reply.header("www-authenticate", answer.challenge);
  return reply.code(answer.status).headers(JSON_HEADERS).send(answer.body);
}

/** The same past the router; `more` are headers of this answer. */
export function writeAnswer(
  response: ServerResponse,
  { status, body, closes, challenge }: HttpAnswer,
  more?: Readonly<Record<string, string>>,
): void {
  // All at once: headers that are set one by one are checked, kept and copied one by one.
  const headers: Record<string, string | number> = { ...jsonHeaders(body), ...more };
  if (status === OVERLOADED.status) headers["retry-after"] = RETRY_AFTER_S;
  if (challenge) headers["www-authenticate"] = challenge;
  if (closes) headers.connection = "close";
  response.writeHead(status, headers).end(body);
}

/** With the length of `body`. */
export function jsonHeaders(body: string | Buffer): Record<string, string | number> {
  return { ...JSON_HEADERS, "content-length": Buffer.byteLength(body) };
}
