// Pages of other sites: which may ask this front end, and which may act here.
//
// May ask (Fetch standard, CORS protocol): those of the sites that are named, of
// none unless told. The browser is told so; it hides the answer from the others.
//
// May act: a browser sends a plain POST of any page to any address, this machine's
// included, and only hides the answer; what it says of where the page is from is
// all there is to go by. Only browsers say it, so programs are never refused. A
// site that points a name of its own here (DNS rebinding) would look like this
// front end's own page under that name: the request gate has refused it before, by
// that name.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastifyInstance } from "fastify";
import { failure } from "./http-answer.ts";

/** Any site; there are no cookies here, and a browser sends a key only for a page that has it. */
export const ANY_ORIGIN = "*";
/** What a page may send and read beside what it always may. */
const REQUEST_HEADERS = "authorization, content-type, idempotency-key, last-event-id, traceparent";
const RESPONSE_HEADERS = "idempotency-key, retry-after, www-authenticate";
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

/** Whether a request comes from a page that may not act here. */
export type IsForeign = (request: Pick<IncomingMessage, "headers">) => boolean;

/** What such a page is told, could it read it. */
export const FOREIGN_PAGE = failure(
  403,
  "Pages of other sites may not do this, except of those named by --cors-origin",
);

/** For all pages but this front end's own and those from `origins` (`*`: for none). */
export function foreignTo(origins: readonly string[]): IsForeign {
  if (origins.includes(ANY_ORIGIN)) return () => false;
  return ({ headers }) => {
    const { origin } = headers;
    // https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header; no page can set it.
    const site = headers["sec-fetch-site"];
    // An image's address, say: such requests have no Origin.
    if (origin === undefined) return site === "cross-site" || site === "same-site";
    if (site === "same-origin" || origins.includes(origin)) return false;
    return origin.slice(origin.indexOf("://") + 3).toLowerCase() !== headers.host?.toLowerCase();
  };
}
