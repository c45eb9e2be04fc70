// POST /orders, GET /orders/NUMBER and GET /orders?after=&limit=.
//
// Every answer to a POST names the Idempotency-Key that it was done under, be
// it a refusal or a 503, so that a client that isn't sure can ask again with it.

import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { z } from "zod";
import { invariant } from "../../../core/invariant.ts";
import type { OrderView } from "../../contract.ts";
import { type Grant, isFor, OTHER_STOCK } from "../http/access.ts";
import { api, asText, described, type pageQuery } from "../http/api-schemas.ts";
import {
  type HttpAnswer,
  INVALID_URL,
  send,
  success,
  unanswered,
  unknownOrder,
} from "../http/http-answer.ts";
import type { Lane } from "../http/lane.ts";
import { askFor, type Orders } from "./order-service.ts";
import { bodyProblem, KEY_HEADER, type Trades } from "./trades.ts";

/** An order's number in a URL, as the answer to its trade gave it. */
const NUMBER = /^[1-9][0-9]*$/;
/** Registers the routes; a plugin of its own, since only they take a body. */
export function orderRoutes(orders: Pick<Orders, "ask">, trades: Trades, pages: Lane) {
  return async (scope: FastifyInstance): Promise<void> => {
    const app = scope.withTypeProvider<ZodTypeProvider>();
    app.addContentTypeParser("*", (_request, payload, done) =>
      // Not as an error: the framework would close the connection with it.
      trades.read(payload, (error, body) => done(null, error ?? body)),
    );

    app.post(
      "/orders",
      {
        ...described(api.trade), // Trades reads the bytes
        onRequest: (request, reply, done) => {
          const key = trades.begin(request.raw);
          if (typeof key !== "string") {
            send(reply, key);
            return;
          }
          reply.header(KEY_HEADER, key);
          const full = trades.turnedAway(request.raw);
          if (full) {
            send(reply, full);
            return;
          }
          request.headers["content-type"] = undefined; // the body is JSON whatever it says
          done();
        },
      },
      async (request, reply) => {
        const key = reply.getHeader(KEY_HEADER);
        invariant(typeof key === "string", "a trade has its key before its body is read");
        const body: unknown = request.body; // as readBody gave it
        const problem = bodyProblem(body);
        if (problem) return send(reply, problem);
        const { raw, grant } = request;
        invariant(grant !== null, "who trades was let in");
        const given = KEY_HEADER in raw.headers;
        return send(reply, await trades.answer(body, key, given, grant, raw.socket.remoteAddress));
      },
    );

    app.get<{ Params: { number: string } }>(
      "/orders/:number",
      described(api.order),
      async (request, reply) => {
        const { number } = request.params;
        return send(reply, NUMBER.test(number) ? await order(number, request.grant) : INVALID_URL);
      },
    );

    app.get("/orders", { schema: api.orders, serializerCompiler: asText }, async (request, reply) =>
      send(reply, await page(request.query)),
    );
  };

  async function order(number: string, grant: Grant | null): Promise<HttpAnswer> {
    const value = Number(number);
    if (!Number.isSafeInteger(value)) return unknownOrder(number); // numbers don't go that far
    const asked = await askFor(orders, "order", { kind: "order", number: value });
    if (asked.kind !== "order") return unanswered(asked.kind);
    if (asked.order && grant && !isFor(grant, asked.order.name)) return OTHER_STOCK;
    return asked.order ? success(orderView(asked.order)) : unknownOrder(number);
  }

  async function page(asked: z.infer<typeof pageQuery>): Promise<HttpAnswer> {
    const answer = await pages.run(() => askFor(orders, "orders", { kind: "orders", ...asked }));
    if (answer.kind !== "orders") return unanswered(answer.kind);
    const body = JSON.stringify({ data: answer.orders.map(orderView), next: answer.next });
    return { status: 200, body };
  }
}

/** The fields in the reference program's order. */
function orderView({ number, name, type, quantity }: OrderView): OrderView {
  return { number, name, type, quantity };
}
