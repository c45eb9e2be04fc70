// GET /stocks/NAME, /stocks, /stocks?after=&limit=&containing= and /cache_invalid/NAME.
//
// A lookup with a copy in memory is answered on the turn it was read, without
// a promise: it is the most frequent request there is.

import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { Logger } from "pino";
import { isStockName } from "../../../core/market/content.ts";
import { isFor, OTHER_STOCK } from "../http/access.ts";
import { api, asText, described, PAGE_DEFAULT } from "../http/api-schemas.ts";
import {
  type HttpAnswer,
  INVALID_URL,
  JSON_HEADERS,
  send,
  success,
  unanswered,
  unknownStock,
} from "../http/http-answer.ts";
import type { Lane } from "../http/lane.ts";
import { FOREIGN_PAGE, type IsForeign } from "../http/origins.ts";
import { type Lookup, type StockList, type StockPage, type Stocks, stockText } from "./stocks.ts";

/** What the routes need of the stocks. */
export type StockLookups = Pick<Stocks<never>, "lookup" | "list" | "page" | "drop">;

interface ByName {
  Params: { name: string };
}

export function stockRoutes(
  app: FastifyInstance,
  stocks: StockLookups,
  log: Logger,
  isForeign: IsForeign,
  pages: Lane,
): void {
  app.get<ByName>("/stocks/:name", described(api.lookup), (request, reply) => {
    const { name } = request.params;
    if (!isStockName(name)) return send(reply, wrongName(name));
    if (request.grant && !isFor(request.grant, name)) return send(reply, OTHER_STOCK);
    const found = stocks.lookup(name);
    if (found instanceof Promise) {
      return found.then((lookup) => send(reply, told(lookupAnswer(name, lookup))));
    }
    if (log.isLevelEnabled("debug")) told({ status: 200, body: found.body });
    return reply.headers(JSON_HEADERS).send(found.body);
  });

  const typed = app.withTypeProvider<ZodTypeProvider>();
  typed.get(
    "/stocks",
    { schema: api.stocks, serializerCompiler: asText },
    async ({ query: { after, limit, containing } }, reply) => {
      if (after === undefined && limit === undefined && containing === undefined) {
        return send(reply, listAnswer(await stocks.list()));
      }
      const wanted = { after: after ?? "", limit: limit ?? PAGE_DEFAULT, containing };
      return send(reply, pageAnswer(await pages.run(() => stocks.page(wanted))));
    },
  );

  app.get<ByName>("/cache_invalid/:name", described(api.dropCopy), (request, reply) => {
    const { name } = request.params;
    if (!isStockName(name)) return send(reply, wrongName(name));
    if (request.grant && !isFor(request.grant, name)) return send(reply, OTHER_STOCK);
    if (isForeign(request.raw)) return send(reply, FOREIGN_PAGE);
    stocks.drop(name);
    return send(reply, success("cache invalidation successful"));
  });

  function told(answer: HttpAnswer): HttpAnswer {
    if (log.isLevelEnabled("debug")) {
      log.debug(`Received lookup response - ${answer.status} ${answer.body}`);
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
  return list.kind === "list" ? { status: 200, body: list.body } : unanswered(list.kind);
}

function pageAnswer(page: StockPage): HttpAnswer {
  if (page.kind !== "stocks") return unanswered(page.kind);
  const rows = page.stocks.map(stockText).join();
  return { status: 200, body: `{"data":[${rows}],"next":${JSON.stringify(page.next)}}` };
}
