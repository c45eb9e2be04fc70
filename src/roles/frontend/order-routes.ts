// POST /orders, GET /orders/NUMBER and GET /orders?after=&limit=.
//
// Every answer to a POST names the Idempotency-Key that it was done under, be
// it a refusal or a 503, so that a client that isn't sure can ask again with it.

import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { Logger } from "pino";
import { z } from "zod";
import { invariant } from "../../core/invariant.ts";
import type { Outcome } from "../../core/market/types.ts";
import { ORDERS_PER_PAGE_MAX, type OrderView, REQUEST_ID_LENGTH_MAX } from "../contract.ts";
import { readBody } from "./body-reader.ts";
import {
  badRequest,
  failure,
  type HttpAnswer,
  INVALID_URL,
  refused,
  send,
  success,
  unanswered,
  unknownOrder,
} from "./http-answer.ts";
import { askFor, type Orders } from "./orders.ts";
import { requestKey } from "./request-key.ts";
import { type Trade, tradeReader, tradeSchema } from "./trade-body.ts";

const BAD_KEY = badRequest(
  `Idempotency-Key must be 1 to ${REQUEST_ID_LENGTH_MAX} printable ASCII characters, given once`,
);
const REUSED_KEY = failure(
  422,
  "The Idempotency-Key was used before, with another name, type or quantity",
);

const KEY_HEADER = "idempotency-key";
/** An order's number in a URL, as the answer to its trade gave it. */
const NUMBER = /^[1-9][0-9]*$/;
const PAGE_DEFAULT = 100;

const pageSchema = z.object({
  after: whole("after", 0, Number.MAX_SAFE_INTEGER).default(0),
  limit: whole("limit", 1, ORDERS_PER_PAGE_MAX).default(PAGE_DEFAULT),
});

/** Registers the routes; a plugin of its own, since only they take a body. */
export function orderRoutes(orders: Pick<Orders, "ask">, log: Logger) {
  return async (scope: FastifyInstance): Promise<void> => {
    const app = scope.withTypeProvider<ZodTypeProvider>();
    const readTrade = tradeReader();

    app.addContentTypeParser("*", (_request, payload, done) => readBody(payload, done));

    app.post(
      "/orders",
      {
        schema: { body: tradeSchema },
        validatorCompiler: () => readTrade,
        onRequest: (request, reply, done) => {
          const key = requestKey(request.raw);
          if (!key) {
            send(reply, BAD_KEY);
            return;
          }
          reply.header(KEY_HEADER, key);
          request.headers["content-type"] = undefined; // the body is JSON whatever it says
          done();
        },
      },
      async (request, reply) => {
        const key = reply.getHeader(KEY_HEADER);
        invariant(typeof key === "string", "a trade has its key before its body is read");
        if (log.isLevelEnabled("debug")) log.debug(`data - ${JSON.stringify(request.body)}`);
        const answer = await trade(request.body, key, KEY_HEADER in request.headers);
        if (log.isLevelEnabled("debug")) {
          log.debug(`Received trade response - ${answer.status} ${answer.body}`);
        }
        return send(reply, answer);
      },
    );

    app.get<{ Params: { number: string } }>("/orders/:number", async (request, reply) => {
      const { number } = request.params;
      return send(reply, NUMBER.test(number) ? await order(number) : INVALID_URL);
    });

    app.get("/orders", { schema: { querystring: pageSchema } }, async (request, reply) =>
      send(reply, await page(request.query)),
    );
  };

  /** `given`: the client chose the key, and so may use it again. */
  async function trade(body: Trade, requestId: string, given: boolean): Promise<HttpAnswer> {
    if (log.isLevelEnabled("debug")) log.debug("Calling trade service");
    const asked = await askFor(orders, "outcome", {
      kind: "request",
      requestId,
      content: { kind: "trade", name: body.name, type: body.type, quantity: body.quantity },
      recordRefusal: given,
    });
    return asked.kind === "outcome" ? outcomeAnswer(asked.outcome) : unanswered(asked.kind);
  }

  async function order(number: string): Promise<HttpAnswer> {
    const value = Number(number);
    if (!Number.isSafeInteger(value)) return unknownOrder(number); // numbers don't go that far
    const asked = await askFor(orders, "order", { kind: "order", number: value });
    if (asked.kind !== "order") return unanswered(asked.kind);
    return asked.order ? success(orderView(asked.order)) : unknownOrder(number);
  }

  async function page(asked: z.infer<typeof pageSchema>): Promise<HttpAnswer> {
    const answer = await askFor(orders, "orders", { kind: "orders", ...asked });
    if (answer.kind !== "orders") return unanswered(answer.kind);
    const body = JSON.stringify({ data: answer.orders.map(orderView), next: answer.next });
    return { status: 200, body };
  }
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

/** The fields in the seed's order. */
function orderView({ number, name, type, quantity }: OrderView): OrderView {
  return { number, name, type, quantity };
}

/** A whole number in a query, given at most once. */
function whole(name: string, min: number, max: number) {
  const error = `${name} must be a whole number from ${min} to ${max}`;
  return z
    .string({ error })
    .regex(/^[0-9]{1,16}$/, error)
    .transform(Number)
    .refine((value) => value >= min && value <= max, error);
}
