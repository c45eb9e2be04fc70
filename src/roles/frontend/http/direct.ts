// Nearly all requests are lookups and trades in their plainest form. These are
// answered here, before the router: what a framework does for any request, and
// these don't need, would be a good part of the work of a lookup that has a copy.
//
//   - The answer is the route's, byte for byte: both call the same code, and
//     the tests of the interface run over a socket as well as injected.
//   - Whatever isn't in its plainest form goes to the router: an escaped name,
//     a query, another method; and everything while the log takes debug lines,
//     which hooks write.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Logger } from "pino";
import { InvariantViolation } from "../../../core/invariant.ts";
import { isStockName } from "../../../core/market/content.ts";
import type { RequestDurations } from "../metrics.ts";
import { bodyProblem, KEY_HEADER, type Trades } from "../orders/trades.ts";
import { lookupAnswer, type StockLookups } from "../stocks/stock-routes.ts";
import {
  type Access,
  type Grant,
  isFor,
  isGrant,
  NEEDS,
  type Need,
  OTHER_STOCK,
  withinLimit,
} from "./access.ts";
import {
  type HttpAnswer,
  INTERNAL_ERROR,
  jsonHeaders,
  UNAVAILABLE,
  writeAnswer,
} from "./http-answer.ts";
import type { AnswerOrigin } from "./origins.ts";
import type { LimitKey } from "./rate-limits.ts";
import { beforeRequests } from "./request-gate.ts";

/** The routes of these requests, as the router has them. */
const LOOKUP_ROUTE = "GET /stocks/:name";
const TRADE_ROUTE = "POST /orders";
const LOOKUP_NEED = needed(LOOKUP_ROUTE);
const TRADE_NEED = needed(TRADE_ROUTE);
const LOOKUP_URL = "/stocks/";
const TRADE_URL = "/orders";

function needed(route: string): Need {
  const need = NEEDS[route];
  if (need === undefined) throw new Error(`no row of NEEDS for ${route}`);
  return need;
}

export interface DirectOptions {
  readonly access: Access;
  /** Null: keys are not limited. */
  readonly limitKey: LimitKey | null;
  readonly stocks: Pick<StockLookups, "lookup">;
  readonly trades: Trades;
  readonly log: Logger;
  /** Says to a browser whether a page may ask; null: none may. */
  readonly answerOrigin: AnswerOrigin | null;
  /** Told of each answer. */
  readonly durations: RequestDurations;
  /** Told of a broken invariant, after which the process must not go on. */
  readonly broken: (violation: InvariantViolation) => void;
}

/** Puts itself before the listener that `server` has for requests: the router. */
export function directly(server: Server, options: DirectOptions): void {
  const { access, limitKey, stocks, trades, answerOrigin, log, broken, durations } = options;
  if (log.isLevelEnabled("debug")) return;
  beforeRequests(server, (router) => (request, response) => {
    if (!answered(request, response)) router(request, response);
  });

  function answered(request: IncomingMessage, response: ServerResponse): boolean {
    const { method, url = "" } = request;
    if (method === "GET" && url.startsWith(LOOKUP_URL)) {
      const name = url.slice(LOOKUP_URL.length);
      if (!isStockName(name)) return false;
      answerOrigin?.(request, response);
      letIn(LOOKUP_ROUTE, LOOKUP_NEED, request, response, (grant) =>
        lookup(name, grant, request, response),
      );
      return true;
    }
    if (method === "POST" && url === TRADE_URL) {
      answerOrigin?.(request, response);
      letIn(TRADE_ROUTE, TRADE_NEED, request, response, (grant) => trade(grant, request, response));
      return true;
    }
    return false;
  }

  /** Goes on with who may, at once where that is known. */
  function letIn(
    route: string,
    need: Need,
    request: IncomingMessage,
    response: ServerResponse,
    goOn: (grant: Grant) => void,
  ): void {
    const judged = (found: Grant | HttpAnswer): void => {
      const verdict = withinLimit(found, limitKey, request, response);
      if (isGrant(verdict)) {
        goOn(verdict);
        return;
      }
      access.refused(request, route, verdict);
      // Who waited for the bazaar to know its keys asks again, a trade under the same key.
      const key = route === TRADE_ROUTE && verdict === UNAVAILABLE ? trades.begin(request) : null;
      writeAnswer(response, verdict, typeof key === "string" ? { [KEY_HEADER]: key } : {});
      durations.ended(route, verdict.status, performance.now());
    };
    const verdict = access.judge(request.headers.authorization, need);
    if (!(verdict instanceof Promise)) judged(verdict);
    else {
      const startMs = performance.now();
      verdict
        .then(judged)
        .catch((error: unknown) => failed(error, request, response, route, startMs));
    }
  }

  function lookup(
    name: string,
    grant: Grant,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const startMs = performance.now();
    try {
      if (!isFor(grant, name)) {
        writeAnswer(response, OTHER_STOCK);
        durations.ended(LOOKUP_ROUTE, OTHER_STOCK.status, startMs);
        return;
      }
      const found = stocks.lookup(name);
      if (!(found instanceof Promise)) {
        response.writeHead(200, jsonHeaders(found.body)).end(found.body);
        durations.ended(LOOKUP_ROUTE, 200, startMs);
        return;
      }
      found
        .then((result) => {
          writeAnswer(response, lookupAnswer(name, result));
          durations.ended(LOOKUP_ROUTE, response.statusCode, startMs);
        })
        .catch((error: unknown) => failed(error, request, response, LOOKUP_ROUTE, startMs));
    } catch (error) {
      failed(error, request, response, LOOKUP_ROUTE, startMs);
    }
  }

  function trade(grant: Grant, request: IncomingMessage, response: ServerResponse): void {
    const startMs = performance.now();
    const key = trades.begin(request);
    const tell = (answer: HttpAnswer): void => {
      const named = typeof key === "string" ? { [KEY_HEADER]: key } : {};
      writeAnswer(response, answer, named);
      durations.ended(TRADE_ROUTE, answer.status, startMs);
    };
    if (typeof key !== "string") {
      tell(key);
      return;
    }
    const full = trades.turnedAway(request);
    if (full) {
      tell(full);
      return;
    }
    trades.read(request, (problem, body) => {
      if (problem) {
        tell(bodyProblem(problem) ?? INTERNAL_ERROR);
        return;
      }
      trades
        .answer(body, key, KEY_HEADER in request.headers, grant, request.socket.remoteAddress)
        .then(tell)
        .catch((error: unknown) => {
          if (!response.headersSent) response.setHeader(KEY_HEADER, key);
          failed(error, request, response, TRADE_ROUTE, startMs);
        });
    });
  }

  function failed(
    error: unknown,
    { url }: IncomingMessage,
    response: ServerResponse,
    route: string,
    startMs: number,
  ): void {
    log.error({ err: error, url }, "Request failed");
    if (error instanceof InvariantViolation) broken(error);
    if (response.headersSent) return;
    writeAnswer(response, INTERNAL_ERROR);
    durations.ended(route, INTERNAL_ERROR.status, startMs);
  }
}
