// Lets pages of other sites ask this front end (Fetch standard, CORS protocol):
// of none, unless told which.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastifyInstance } from "fastify";

/** Any site; there are no cookies or passwords here that it could use. */
export const ANY_ORIGIN = "*";
/** What a page may send and read beside what it always may. */
const REQUEST_HEADERS = "content-type, idempotency-key, last-event-id, traceparent";
const RESPONSE_HEADERS = "idempotency-key, retry-after";
const METHODS = "GET, HEAD, POST";
/** A browser may remember a preflight's answer this long, seconds. */
const PREFLIGHT_MAX_AGE_S = 600;

/** Says to the browser whether the page may; true if that was all it asked. */
export type AnswerOrigin = (request: IncomingMessage, response: ServerResponse) => boolean;

/** For pages from `origins` (`https://shop.example`, or `*`); null when there are none. */
export function answersOrigins(origins: readonly string[]): AnswerOrigin | null {
  if (origins.length === 0) return null;
  const any = origins.includes(ANY_ORIGIN);
  return (request, response) => {
    if (!any) response.setHeader("vary", "origin");
    const { origin } = request.headers;
    if (origin === undefined || !(any || origins.includes(origin))) return false;
    response.setHeader("access-control-allow-origin", any ? ANY_ORIGIN : origin);
    response.setHeader("access-control-expose-headers", RESPONSE_HEADERS);
    const isPreflight =
      request.method === "OPTIONS" && "access-control-request-method" in request.headers;
    if (!isPreflight) return false;
    response.setHeader("access-control-allow-methods", METHODS);
    response.setHeader("access-control-allow-headers", REQUEST_HEADERS);
    response.setHeader("access-control-max-age", PREFLIGHT_MAX_AGE_S);
    response.writeHead(204).end();
    return true;
  };
}

/** The same for what the router answers, unknown URLs included. */
export function corsHook(app: FastifyInstance, answer: AnswerOrigin): void {
  app.addHook("onRequest", (request, reply, done) => {
    if (answer(request.raw, reply.raw)) reply.hijack();
    else done();
  });
}
