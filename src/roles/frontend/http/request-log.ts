// The reference program's lines around every request: received, the access line, finished.
//
// Hooks cost time on every request, so they are there only when the log takes
// debug lines as the front end starts.

import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import { requestIdOf } from "../../../core/market/keys.ts";
import { KEY_HEADER } from "../orders/trades.ts";
import type { RequestTraces } from "./request-traces.ts";

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

export function logRequests(app: FastifyInstance, log: Logger, traces: RequestTraces): void {
  if (!log.isLevelEnabled("debug")) return;
  app.addHook("onRequest", (request, _reply, done) => {
    logReceived(request, log);
    done();
  });
  // A trade has its key by then.
  app.addHook("preHandler", (request, reply, done) => {
    const key = reply.getHeader(KEY_HEADER);
    const [path = ""] = request.url.split("?");
    const { traceparent } = request.headers;
    const owner = request.grant?.owner ?? null;
    const traced = typeof key === "string" ? requestIdOf(owner, key) : path;
    reply.raw.once("close", traces.begins(traceparent, traced));
    done();
  });
  // Before the answer leaves, so that the lines of what the client does next come after.
  app.addHook("onSend", (request, reply, _body, done) => {
    logFinished(request, reply.statusCode, log);
    done();
  });
}

/** The same lines for a request that no hook sees, because its URL can't be read. */
export function logUnreadable(request: FastifyRequest, status: number, log: Logger): void {
  if (!log.isLevelEnabled("debug")) return;
  logReceived(request, log);
  logFinished(request, status, log);
}

function logReceived(request: FastifyRequest, log: Logger): void {
  log.debug(`Received ${request.method} request on url ${request.url}`);
}

function logFinished(request: FastifyRequest, status: number, log: Logger): void {
  log.debug(accessLine(request, status, new Date()));
  log.debug(`Finished ${request.method} request`);
}

/** Common Log Format, as the reference program's server writes it: local time, no zone, no length. */
export function accessLine(
  request: Pick<FastifyRequest, "ip" | "method" | "url"> & { raw: { httpVersion: string } },
  status: number,
  now: Date,
): string {
  const [day, hours, minutes, seconds] = [
    now.getDate(),
    now.getHours(),
    now.getMinutes(),
    now.getSeconds(),
  ].map((number) => String(number).padStart(2, "0"));
  const time = `${day}/${MONTHS[now.getMonth()]}/${now.getFullYear()} ${hours}:${minutes}:${seconds}`;
  return `${request.ip} - - [${time}] "${request.method} ${request.url} HTTP/${request.raw.httpVersion}" ${status} -`;
}
