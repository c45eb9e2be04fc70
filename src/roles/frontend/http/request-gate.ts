// What every request passes before anything looks at its route.
//
//   - It is answered only under a name that this front end is known by, so
//     that no page of a site that points its own name here (DNS rebinding)
//     can read or trade.
//   - An answer that says `connection: close` is the last of its connection:
//     what follows on it is never run. A head that is refused, or asks for
//     another protocol, has such an answer, since whoever passed it on may see
//     the next request begin elsewhere.
//   - Once the front end stops, each answer says so, also those under way.

import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type HostNames, hostIn } from "../../../io/host-names.ts";
import { badRequest, failure, type HttpAnswer, writeAnswer } from "./http-answer.ts";

const HOST_UNCLEAR = badRequest("Host must be a name or an address, given once");
const URL_HOST = /^https?:\/\/([^/?#]*)/i;

function misdirected(host: string): HttpAnswer {
  return failure(
    421,
    `This front end doesn't answer to the host ${host}. If it should, name it with --allowed-hosts`,
  );
}

export class RequestGate {
  readonly #hosts: HostNames;
  /** Connections whose last answer is given, or on its way. */
  readonly #ending = new WeakSet<Socket>();
  /** Answers under way, oldest first; those given at once never get here. */
  readonly #underWay = new Set<ServerResponse>();
  #isStopping = false;

  constructor(hosts: HostNames) {
    this.#hosts = hosts;
  }

  /** Puts itself before what `server` does with requests. `refused` is told the status of those that don't pass. */
  guard(server: Server, refused: (status: number) => void): void {
    beforeRequests(server, (next) => (request, response) => {
      if (this.#ending.has(request.socket)) return;
      if (this.#isStopping || request.headers.upgrade !== undefined) this.closeAfter(response);
      const refusal = this.#refusal(request);
      if (refusal === null) {
        next(request, response);
      } else {
        this.closeAfter(response);
        writeAnswer(response, refusal);
        refused(refusal.status);
      }
      if (response.writableEnded) return;
      this.#underWay.add(response);
      response.once("close", () => this.#underWay.delete(response));
    });
  }

  /** The answer is the last of its connection. */
  closeAfter(response: ServerResponse): void {
    response.setHeader("connection", "close");
    this.#ending.add(response.req.socket);
  }

  /** Whether what comes on this connection is nobody's, since its last answer is given or on its way. */
  isEnding(socket: Socket): boolean {
    return this.#ending.has(socket);
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Answers say from now on that their connection closes. */
  stop(): void {
    this.#isStopping = true;
    const lastOf = new Map<Socket, ServerResponse>();
    for (const response of this.#underWay) lastOf.set(response.req.socket, response);
    for (const response of lastOf.values()) if (!response.headersSent) this.closeAfter(response);
  }

  /** Null when the request may pass. */
  #refusal({ headers, httpVersion, url = "" }: IncomingMessage): HttpAnswer | null {
    const { host } = headers;
    if (!this.#hosts.has(host)) {
      // Before 1.1 there is no Host, nor is there in the checks of some load balancers; browsers send it.
      if (host !== undefined || httpVersion !== "1.0") return refusalOf(host);
    }
    if (url.startsWith("/")) return null;
    // RFC 9112, section 3.2.2: the host in a whole URL goes before the header.
    const named = URL_HOST.exec(url)?.[1];
    return named === undefined || this.#hosts.has(named) ? null : refusalOf(named);
  }
}

function refusalOf(header: string | undefined): HttpAnswer {
  const host = hostIn(header ?? "");
  return host === null ? HOST_UNCLEAR : misdirected(host);
}

/** Puts what `make` returns before the listener that `server` has for requests. */
export function beforeRequests(
  server: Server,
  make: (next: RequestListener) => RequestListener,
): void {
  const [next] = server.listeners("request") as RequestListener[];
  if (!next) throw new Error("the listener for requests must be there first");
  server.removeAllListeners("request");
  server.on("request", make(next));
}
