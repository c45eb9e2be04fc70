// Everything that goes wrong on the way to or in a route, in the shape and the
// words of the public interface; nothing of what is inside leaves.

import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import { InvariantViolation } from "../../core/invariant.ts";
import {
  badRequest,
  failure,
  type HttpAnswer,
  INTERNAL_ERROR,
  INVALID_URL,
  JSON_TYPE,
  send,
} from "./http-answer.ts";
import { HEADER_BYTES_MAX, REQUEST_RECEIVE_LIMIT_MS } from "./limits.ts";
import { logUnreadable } from "./request-log.ts";
import type { RequestTraces } from "./request-trace.ts";
import { bodyProblem } from "./trades.ts";

const HEADERS_TOO_LARGE = failure(431, `URL and headers are larger than ${HEADER_BYTES_MAX} bytes`);
const TOO_SLOW = failure(
  408,
  `The request took more than ${REQUEST_RECEIVE_LIMIT_MS} ms to arrive`,
);
const NOT_HTTP = badRequest("The request isn't valid HTTP");
const EXPECTATION_FAILED = failure(417, "The only expectation that can be met is 100-continue");

/**
 * Handlers of unknown URLs and of errors in routes. `broken` is told of a
 * broken invariant, after which the process must not go on.
 */
export function handleErrors(
  app: FastifyInstance,
  log: Logger,
  broken: (violation: InvariantViolation) => void,
): void {
  app.setNotFoundHandler((_request, reply) => send(reply, INVALID_URL));
  app.setErrorHandler((error, request, reply) => {
    const answer = request.is404 ? INVALID_URL : answerTo(error);
    if (answer === INTERNAL_ERROR) log.error({ err: error, url: request.url }, "Request failed");
    if (error instanceof InvariantViolation) broken(error);
    return send(reply, answer);
  });
  app.server.on("checkExpectation", (_request, response) => {
    const { status, body } = EXPECTATION_FAILED;
    const length = Buffer.byteLength(body);
    response.writeHead(status, { "content-type": JSON_TYPE, "content-length": length }).end(body);
  });
}

/** For fastify's `frameworkErrors`: what is wrong with a URL is found before there is a route. */
export function badUrl(log: Logger, traces: RequestTraces) {
  return (_error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    logUnreadable(request, INVALID_URL.status, traces.of(request.raw)?.log ?? log);
    send(reply, INVALID_URL);
  };
}

/**
 * For fastify's `clientErrorHandler`: what isn't HTTP, too large or too slow. Closes the connection.
 * In words only while no request on it waits for its answer: the client would take these words
 * for that answer, and a trade that is made for a refused one.
 */
export function badConnection(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable || isAnswerAwaited(socket)) {
    socket.destroy();
    return;
  }
  const { status, body } = clientErrors[error.code ?? ""] ?? NOT_HTTP;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `content-type: ${JSON_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}

/**
 * Whether something is done for a request that has come as a whole, or its answer has begun.
 * Node keeps the oldest response of a socket there, and its own handler of these errors looks
 * there; to count them ourselves would cost every request a listener.
 */
function isAnswerAwaited(socket: Socket & { _httpMessage?: ServerResponse | null }): boolean {
  const response = socket._httpMessage;
  return !!response && (response.req.complete || response.headersSent);
}

const clientErrors: Readonly<Record<string, HttpAnswer>> = {
  HPE_HEADER_OVERFLOW: HEADERS_TOO_LARGE,
  ERR_HTTP_REQUEST_TIMEOUT: TOO_SLOW,
};

function answerTo(error: unknown): HttpAnswer {
  const problem = bodyProblem(error);
  if (problem) return problem;
  if (!isFastifyError(error)) return INTERNAL_ERROR;
  const [invalid] = error.validation ?? [];
  if (invalid?.message) return badRequest(invalid.message);
  const status = error.statusCode ?? 500;
  return status >= 400 && status < 500 ? failure(status, "Bad request") : INTERNAL_ERROR;
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && "statusCode" in error;
}
