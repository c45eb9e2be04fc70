// GET /stocks/NAME, /stocks and /cache_invalid/NAME.
//
// A lookup with a copy in memory is answered on the turn it was read, without
// a promise: it is the most frequent request there is.

import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { isStockName } from "../../core/market/content.ts";
import { api, described } from "./api-schemas.ts";
import { FOREIGN_PAGE, type IsForeign } from "./foreign-pages.ts";
import {
  type HttpAnswer,
  INVALID_URL,
  JSON_HEADERS,
  send,
  success,
  unanswered,
  unknownStock,
} from "./http-answer.ts";
import type { RequestTraces, TracedRequest } from "./request-trace.ts";
import type { Lookup, StockCache, StockList } from "./stock-cache.ts";

/** What the routes need of the cache. */
export type Stocks = Pick<StockCache, "lookup" | "list" | "drop">;

interface ByName {
  Params: { name: string };
}

export function stockRoutes(
  app: FastifyInstance,
  stocks: Stocks,
  log: Logger,
  isForeign: IsForeign,
  traces: RequestTraces,
): void {
  app.get<ByName>("/stocks/:name", described(api.lookup), (request, reply) => {
    const { name } = request.params;
    if (!isStockName(name)) return send(reply, wrongName(name));
    const tracedBy = () => traces.of(request.raw);
    const found = stocks.lookup(name, tracedBy);
    if (found instanceof Promise) {
      return found.then((lookup) => send(reply, told(lookupAnswer(name, lookup), tracedBy())));
    }
    if (log.isLevelEnabled("debug")) told({ status: 200, body: found.body }, tracedBy());
    return reply.headers(JSON_HEADERS).send(found.body);
  });

  app.get("/stocks", described(api.stocks), async (request, reply) =>
    send(reply, listAnswer(await stocks.list(traces.of(request.raw)))),
  );

  app.get<ByName>("/cache_invalid/:name", described(api.dropCopy), (request, reply) => {
    const { name } = request.params;
    if (!isStockName(name)) return send(reply, wrongName(name));
    if (isForeign(request.raw)) return send(reply, FOREIGN_PAGE);
    stocks.drop(name);
    return send(reply, success("cache invalidation successful"));
  });

  function told(answer: HttpAnswer, traced: TracedRequest | undefined): HttpAnswer {
    if (log.isLevelEnabled("debug")) {
      (traced?.log ?? log).debug(`Received lookup response - ${answer.status} ${answer.body}`);
    }
    return answer;
  }
}

/** What is said of a name that no stock can have: only letters make a URL that is known. */
function wrongName(name: string): HttpAnswer {
  return /^[A-Za-z]+$/.test(name) ? unknownStock(name) : INVALID_URL;
}

/** The answer to a lookup that no copy in memory answered. */
export function lookupAnswer(name: string, lookup: Lookup): HttpAnswer {
  switch (lookup.kind) {
    case "known":
      return { status: 200, body: lookup.body };
    case "unknown":
      return unknownStock(name);
    default:
      return unanswered(lookup.kind);
  }
}

function listAnswer(list: StockList): HttpAnswer {
  if (list.kind !== "stocks") return unanswered(list.kind);
  return success(list.stocks.map(({ name, price, quantity }) => ({ name, price, quantity })));
}
