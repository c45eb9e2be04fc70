// The shapes of the public interface, as its routes declare them: what
// GET /openapi.json is made from. Only the queries of pages are also checked by
// their schemas; the other routes read their requests themselves, in the reference program's
// order and words.

import type { FastifySchema, FastifySchemaCompiler, RouteShorthandOptions } from "fastify";
import type { FastifySerializerCompiler } from "fastify/types/schema.js";
import { z } from "zod";
import { NAME_LETTERS_MAX } from "../../../core/market/limits.ts";
import {
  REQUEST_ID_LENGTH_MAX,
  ROWS_PER_PAGE_MAX,
  WRITTEN_NAME_LENGTH_MAX,
} from "../../contract.ts";
import { tradeSchema } from "../orders/trade-body.ts";

/** Rows of a page that doesn't say how many. */
export const PAGE_DEFAULT = 100;

/** For a route whose schema only describes: takes everything as it is. */
const takesAll: FastifySchemaCompiler<unknown> = () => (value) => ({ value });
/** Answers are texts already; a schema of theirs is for people. */
export const asText: FastifySerializerCompiler<unknown> = () => (data) => JSON.stringify(data);

/** The options of a route that reads its request itself. */
export function described(schema: FastifySchema): RouteShorthandOptions {
  return { schema, validatorCompiler: takesAll, serializerCompiler: asText };
}

const stock = z.object({
  name: z.string().regex(/^[A-Za-z]+$/),
  price: z.number(),
  quantity: z.int().nonnegative(),
});
const order = z.object({
  number: z.int().positive(),
  name: z.string(),
  type: z.enum(["buy", "sell"]),
  quantity: z.int().positive(),
});
const byName = z.object({
  name: z
    .string()
    .regex(/^[A-Za-z]+$/)
    .max(NAME_LETTERS_MAX),
});
const idempotencyKey = z
  .string()
  .regex(/^[\x20-\x7e]+$/)
  .max(REQUEST_ID_LENGTH_MAX)
  .optional()
  .describe("The same key with the same trade has the same answer, for ever.");

/** The query of GET /orders: numbers as text, each given at most once. */
export const pageQuery = z.object({
  after: whole("after", 0, Number.MAX_SAFE_INTEGER).default(0),
  limit: whole("limit", 1, ROWS_PER_PAGE_MAX).default(PAGE_DEFAULT),
});

const partOfName = `containing must be 1 to ${NAME_LETTERS_MAX} ASCII letters`;
const afterName = "after must be a stock's name";

/** The query of GET /stocks: with none of them, all stocks are asked for. */
export const stocksQuery = z.object({
  after: z
    .string({ error: afterName })
    .regex(/^[A-Za-z]+$/, afterName)
    .max(WRITTEN_NAME_LENGTH_MAX, afterName)
    .optional(),
  limit: whole("limit", 1, ROWS_PER_PAGE_MAX).optional(),
  containing: z
    .string({ error: partOfName })
    .regex(/^[A-Za-z]+$/, partOfName)
    .max(NAME_LETTERS_MAX, partOfName)
    .optional()
    .describe("Letters of the name, capital or small."),
});

const failed = (what: string) =>
  z.object({ error: z.object({ code: z.int(), message: z.string() }) }).describe(what);
const told = <T extends z.ZodType>(what: string, data: T) => z.object({ data }).describe(what);

const FOREIGN = failed("Asked by a page of another site that isn't named by --cors-origin");
const UNKNOWN_URL = failed("No such URL");
const LIMITED = failed("More than the client's address may ask for; see Retry-After and RateLimit");
const UNAVAILABLE = failed("No leader or quorum in time, or overload; ask again, see Retry-After");

/** By route; `tags` group them in the documentation. */
export const api = {
  lookup: {
    summary: "One stock",
    description: "Never older than anything that was answered before the request began.",
    tags: ["stocks"],
    params: byName,
    response: {
      200: told("The stock", stock),
      400: failed("Unknown stock, or a name longer than any stock's"),
      404: UNKNOWN_URL,
      429: LIMITED,
      503: UNAVAILABLE,
    },
  },
  stocks: {
    summary: "All stocks",
    description:
      "By name, all true at one moment. With `after` or `limit` a page of them, and `next`, " +
      "the `after` of the following page, null at the end. With `containing` a page of those " +
      "whose names have these letters in them; it may hold fewer than `limit`, or none, and " +
      "`next` still name a following page.",
    tags: ["stocks"],
    querystring: stocksQuery,
    response: {
      200: z
        .object({ data: z.array(stock), next: z.string().nullable().optional() })
        .describe("The stocks"),
      400: failed("A wrong parameter"),
      429: LIMITED,
      503: UNAVAILABLE,
    },
  },
  trade: {
    summary: "Buy or sell",
    description:
      "A buy lowers the stock's quantity, a sell raises it. The answer names the " +
      "Idempotency-Key it was done under.",
    tags: ["orders"],
    headers: z.object({ "idempotency-key": idempotencyKey }),
    body: tradeSchema,
    response: {
      200: told("Accepted", z.object({ transaction_number: z.int().positive() })),
      400: failed("Malformed, or refused: quantity, type or stock"),
      403: FOREIGN,
      413: failed("The body is too large"),
      422: failed("The key was used for another trade"),
      429: LIMITED,
      500: failed("Refused: not enough volume"),
      503: UNAVAILABLE,
    },
  },
  order: {
    summary: "One order",
    tags: ["orders"],
    params: z.object({ number: z.string().regex(/^[1-9][0-9]*$/) }),
    response: {
      200: told("The order", order),
      400: failed("Unknown order"),
      404: UNKNOWN_URL,
      429: LIMITED,
      503: UNAVAILABLE,
    },
  },
  orders: {
    summary: "Orders, page by page",
    description: "Ascending; `next` is the `after` of the following page, null at the end.",
    tags: ["orders"],
    querystring: pageQuery,
    response: {
      200: z
        .object({ data: z.array(order), next: z.int().nullable() })
        .describe("A page of orders"),
      400: failed("A wrong parameter"),
      429: LIMITED,
      503: UNAVAILABLE,
    },
  },
  leader: {
    summary: "Who leads",
    tags: ["service"],
    response: {
      200: told("The replica's id", z.object({ order_leader: z.int() })),
      429: LIMITED,
      503: failed("Nobody, for now"),
    },
  },
  dropCopy: {
    summary: "Drop a copy from this front end's cache",
    tags: ["service"],
    params: byName,
    response: {
      200: told("Dropped, known or not", z.string()),
      400: failed("A name longer than any stock's"),
      403: FOREIGN,
      404: UNKNOWN_URL,
      429: LIMITED,
    },
  },
  verify: {
    summary: "Whether all copies of everything are the same",
    description:
      "Has all replicas and catalogs compared at one position of the journal, as `bazaar verify` " +
      "does. Asked again within half a minute, it tells what was found before.",
    tags: ["service"],
    response: {
      200: told(
        "What was found",
        z.object({
          ok: z.boolean(),
          position: z.int().nonnegative(),
          orders: z.int().nonnegative(),
          differences: z.array(z.string()),
          at: z.number(),
          lost: z.int().nonnegative().nullable(),
          failed: z.int().nonnegative(),
        }),
      ),
      403: FOREIGN,
      429: LIMITED,
    },
  },
  health: {
    summary: "Whether the process is up",
    tags: ["service"],
    response: { 200: told("It is", z.literal("up")) },
  },
  readiness: {
    summary: "Whether a trade could be answered now",
    tags: ["service"],
    response: { 200: told("It could", z.literal("ready")), 503: failed("It couldn't") },
  },
} as const;

/** A whole number in a query, given at most once. */
function whole(name: string, min: number, max: number) {
  const error = `${name} must be a whole number from ${min} to ${max}`;
  return z
    .string({ error })
    .regex(/^[0-9]{1,16}$/, error)
    .transform(Number)
    .refine((value) => value >= min && value <= max, error);
}
