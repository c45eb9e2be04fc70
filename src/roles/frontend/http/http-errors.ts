// Everything that goes wrong on the way to or in a route, in the shape and the
// words of the public interface; nothing of what is inside leaves.

import { type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import { InvariantViolation } from "../../../core/invariant.ts";
import { HEADER_BYTES_MAX, REQUEST_RECEIVE_LIMIT_MS } from "../limits.ts";
import { bodyProblem } from "../orders/trades.ts";
import {
  badRequest,
  failure,
  type HttpAnswer,
  INTERNAL_ERROR,
  INVALID_URL,
  jsonHeaders,
  send,
  writeAnswer,
} from "./http-answer.ts";
import type { RequestGate } from "./request-gate.ts";
import { logUnreadable } from "./request-log.ts";

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
}

/** What Node tells apart from requests before anybody sees them as such; each closes its connection. */
export function handleOddRequests(server: Server, gate: RequestGate): void {
  server.on("checkExpectation", (request, response) => {
    if (gate.isEnding(request.socket)) return;
    gate.closeAfter(response); // whether the body comes all the same is anybody's guess
    writeAnswer(response, EXPECTATION_FAILED);
  });
  server.on("connect", (_request, socket) => lastWord(socket as Socket, INVALID_URL));
}

/** For fastify's `frameworkErrors`: what is wrong with a URL is found before there is a route. */
export function badUrl(log: Logger) {
  return (_error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    logUnreadable(request, INVALID_URL.status, log);
    send(reply, INVALID_URL);
  };
}

/**
 * For fastify's `clientErrorHandler`: what isn't HTTP, too large or too slow. Closes the connection,
 * unless its last answer is on its way, which does so itself.
 */
export function badConnection(gate: RequestGate) {
  return (error: Error & { code?: string }, socket: Socket): void => {
    const isAfterLast = error.code === "HPE_CLOSED_CONNECTION" || gate.isEnding(socket);
    if (isAfterLast && socket.writable && isAnswerAwaited(socket)) return;
    if (error.code === "ECONNRESET") socket.destroy();
    else lastWord(socket, clientErrors[error.code ?? ""] ?? NOT_HTTP);
  };
}

/**
 * Closes a connection outside of any request. In words only while no request on it waits for its
 * answer: the client would take these words for that answer, and a trade that is made for a refused one.
 */
function lastWord(socket: Socket, { status, body }: HttpAnswer): void {
  if (!socket.writable || isAnswerAwaited(socket)) {
    socket.destroy();
    return;
  }
  const headers = Object.entries({ ...jsonHeaders(body), connection: "close" });
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("")}`;
  socket.end(`${head}\r\n${body}`, () => socket.destroy());
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
