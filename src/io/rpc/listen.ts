// The listening side: a port that only processes with the cluster's secret can
// open a connection on.
//
//   1. Who hasn't proven that it knows the secret has no place among those who have: strangers
//      are few, for a short time, and the oldest make room. No frame of theirs is read.
//   2. One link, one connection: a link that connects again has lost its earlier
//      connection, whether that was noticed here or not.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer, Server as TlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import type { Logger } from "pino";
import { WebSocketServer } from "ws";
import { otherCluster } from "../../core/replication/members.ts";
import { HostNames, isLoopback } from "../host-names.ts";
import { Complaints } from "./complaints.ts";
import { Connection } from "./connection.ts";
import { dispatcher, type OnInvariantViolation } from "./dispatcher.ts";
import { errorText } from "./error.ts";
import {
  CHALLENGE_URL,
  certifiedNames,
  checkSecret,
  clientProves,
  type Greeting,
  listenerHeaders,
  newNonce,
  nonceHeaders,
  otherProcess,
  readGreeting,
  roleNamed,
  tlsOptions,
} from "./handshake.ts";
import { type RpcLimits, socketOptions, withLimits } from "./limits.ts";
import type { Contract, Credentials, Handlers, Identity, Listener, Peer } from "./types.ts";

export interface ListenOptions<C extends Contract> {
  readonly host: string;
  /** 0 for any free one; Listener.port tells which. */
  readonly port: number;
  readonly credentials: Credentials;
  /** Who this process is. */
  readonly identity: Identity;
  /** What this side serves, and how. */
  readonly contract: C;
  readonly handlers: Handlers<C>;
  readonly log: Logger;
  /** A connection is open and in Listener.peers. */
  readonly onOpen?: (peer: Peer) => void;
  /** A connection is over, whoever ended it, and out of Listener.peers. Told once for each that was open. */
  readonly onClose?: (peer: Peer) => void;
  /** A handler threw an InvariantViolation; must end the process. Default: an uncaught exception. */
  readonly onInvariantViolation?: OnInvariantViolation;
  /**
   * What GET /metrics answers, from this machine; without it the port has no such
   * page. Prometheus' text format.
   */
  readonly metrics?: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** Hosts that /metrics may be asked under, beside this machine's and `host`. */
  readonly allowedHosts?: readonly string[];
  readonly limits?: Partial<RpcLimits>;
}

const METRICS_URL = "/metrics";
const NOT_TO_BE_SEEN = JSON.stringify({
  error: {
    code: 403,
    message: "Ask from this machine, under its address or a host named by --allowed-hosts",
  },
});

/** A handshake's headers are a few hundred bytes. */
const HANDSHAKE_BYTES_MAX = 8 * 1024;

/** Opens the port. Rejects with the system's error when that can't be done (EADDRINUSE, EACCES …). */
export async function listen<C extends Contract>(options: ListenOptions<C>): Promise<Listener> {
  checkSecret(options.credentials.secret);
  const limits = withLimits(options.limits);
  const { log } = options;
  const complaints = new Complaints(log, limits.complaintIntervalMs);
  const dispatch = dispatcher(
    options.contract,
    options.handlers,
    complaints,
    options.onInvariantViolation,
  );
  const peers = new Set<Connection>();
  const strangers = new Strangers(limits);
  const hosts = new HostNames(options.host, options.allowedHosts ?? []);
  let closing: Promise<void> | null = null;

  const answered = new WeakSet<Duplex>();
  /** The nonce that each connection was given: one, for one attempt. */
  const nonces = new WeakMap<Duplex, string>();
  const { certificates } = options.credentials;
  /** What a client proves that it knows; null where its certificate says who it is. */
  const secret = certificates === null ? options.credentials.secret : null;
  const serverOptions = {
    maxHeaderSize: HANDSHAKE_BYTES_MAX,
    joinDuplicateHeaders: true, // or a second Host would be dropped unheard
  };
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const close = { connection: "close" };
    // What else came with a request is still handed over, though its connection ends with the answer.
    const { socket } = request;
    if (answered.has(socket)) return;
    const isChallenge = request.method === "GET" && request.url === CHALLENGE_URL;
    if (isChallenge && certificates === null && !nonces.has(socket)) {
      const nonce = newNonce();
      nonces.set(socket, nonce);
      response.writeHead(200, { ...nonceHeaders(nonce), "content-length": "0" }).end();
      return;
    }
    answered.add(socket);
    if (!options.metrics || request.method !== "GET" || request.url !== METRICS_URL) {
      response.writeHead(426, close).end();
    } else if (!mayLook(request, hosts)) {
      const json = { "content-type": "application/json", "x-content-type-options": "nosniff" };
      response.writeHead(403, { ...close, ...json }).end(`${NOT_TO_BE_SEEN}\n`);
    } else {
      options.metrics().then(
        ({ contentType, text }) =>
          response.writeHead(200, { ...close, "content-type": contentType }).end(text),
        (error: unknown) => {
          log.error({ err: error }, "No metrics");
          response.writeHead(500, close).end();
        },
      );
    }
  };
  const http = certificates
    ? createTlsServer(
        {
          ...serverOptions,
          ...tlsOptions(certificates),
          requestCert: true,
          rejectUnauthorized: true,
        },
        answer,
      )
    : createServer(serverOptions, answer);
  if (certificates && http instanceof TlsServer) {
    certificates.onChange(() => http.setSecureContext(tlsOptions(certificates)));
    http.on("tlsClientError", (error, socket) => {
      const from = socket.remoteAddress;
      complaints.warn(
        `certificate of ${from}`,
        { from, why: errorText(error) },
        "Refused a connection: it shows no certificate of ours",
      );
    });
  }
  http.on("connection", (socket) => {
    const crowding = strangers.add(socket);
    if (crowding === null) return;
    const fields = { from: crowding, strangersMax: limits.strangersMax };
    complaints.warn("strangers", fields, "Too many connections that don't prove who they are");
  });

  const upgrades = new WebSocketServer({
    ...socketOptions(limits),
    noServer: true,
    clientTracking: false,
  });
  /** Header lines of the answers to upgrades: who this side is, and its proof. */
  const answers = new WeakMap<IncomingMessage, readonly string[]>();
  upgrades.on("headers", (headers, request) => {
    headers.push(...(answers.get(request) ?? []));
  });
  upgrades.on("wsClientError", (error, socket) => {
    complaints.warn("handshake", { why: errorText(error) }, "Refused a connection");
    refuse(socket, "400 Bad Request");
  });

  http.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const ignore = () => {};
    socket.on("error", ignore);
    if (closing !== null) return refuse(socket, "503 Service Unavailable");
    const tcp = request.socket;
    const from = tcp.remoteAddress;
    const greeting = readGreeting(request.headers, nonces.get(tcp) ?? "");
    if (greeting === null || (certificates === null && !nonces.has(tcp))) {
      // By address: a stranger can make up any number of names.
      complaints.warn(`identity of ${from}`, { from }, "Refused a connection: it says no name");
      return refuse(socket, "400 Bad Request");
    }
    nonces.delete(tcp);
    const { client: identity, link } = greeting;
    if (tcp instanceof TLSSocket && !isCertified(tcp, identity)) {
      const names = [...certifiedNames(tcp)];
      complaints.warn(
        `certificate of ${from}`,
        { from, peer: identity.name, names },
        "Refused a connection: its certificate is for other names",
      );
      return refuse(socket, "401 Unauthorized");
    }
    if (secret !== null && !clientProves(request.headers, greeting, secret)) {
      complaints.warn(
        `secret of ${from}`,
        { from, peer: identity.name },
        "Refused a connection: it doesn't know the cluster's secret",
      );
      return refuse(socket, "401 Unauthorized");
    }
    const ours = Object.entries(listenerHeaders(options.identity, greeting, secret)).map(
      ([name, value]) => `${name}: ${value}`,
    );
    const foreign =
      otherCluster(identity.name, identity.cluster, options.identity.cluster) ??
      otherProcess("this process", greeting.to, options.identity.name);
    if (foreign !== null) {
      complaints.warn(
        `cluster of ${from}`,
        { from, why: foreign },
        "Refused a connection: it is of another cluster, or looks for another process",
      );
      return refuse(socket, "409 Conflict", ours);
    }
    const earlier = [...peers].find((peer) => peer.link === link);
    if (!earlier && peers.size >= limits.connectionsMax) {
      complaints.warn("full", { connectionsMax: limits.connectionsMax }, "Too many connections");
      return refuse(socket, "503 Service Unavailable");
    }
    strangers.delete(tcp);
    earlier?.abandon("its link has opened another connection"); // 2
    // After onClose of the earlier one, which the abandoned connection has queued.
    queueMicrotask(() => accept({ request, socket, head, ignore, greeting, ours }));
  });

  function accept({ request, socket, head, ignore, greeting, ours }: Accepted): void {
    const { client: identity, link } = greeting;
    answers.set(request, ours);
    upgrades.handleUpgrade(request, socket, head, (webSocket) => {
      socket.off("error", ignore);
      const peer = new Connection({
        socket: webSocket,
        tcp: request.socket,
        identity,
        tap: options.identity.tap,
        link,
        dispatch,
        log,
        complaints,
        limits,
        onClose: (closed) => {
          peers.delete(closed);
          options.onClose?.(closed);
        },
      });
      peers.add(peer);
      log.debug({ peer: identity.name }, "Connection opened");
      options.onOpen?.(peer);
    });
  }

  await new Promise<void>((resolve, reject) => {
    http.once("error", reject);
    http.listen(options.port, options.host, () => {
      http.off("error", reject);
      resolve();
    });
  });
  http.on("error", (error) => log.error({ err: error }, "A listening port failed"));
  const port = (http.address() as AddressInfo).port;

  return {
    port,
    peers,
    close() {
      closing ??= new Promise((resolve) => {
        http.close(() => resolve());
        // Those that are still shaking hands; open connections are no longer the HTTP server's.
        http.closeAllConnections();
        strangers.close();
        for (const peer of peers) peer.close();
      });
      return closing;
    },
  };
}

interface Accepted {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly ignore: () => void;
  readonly greeting: Greeting;
  readonly ours: readonly string[];
}

/** Connections that haven't proven who they are: at most so many, each for the time of a handshake. */
class Strangers {
  readonly #limits: RpcLimits;
  /** Oldest first. */
  readonly #since = new Map<
    string,
    { readonly socket: Socket; readonly address: string; readonly timer: NodeJS.Timeout }
  >();
  /** How many each address has. */
  readonly #counts = new Map<string, number>();

  constructor(limits: RpcLimits) {
    this.#limits = limits;
  }

  /** Returns the address of which the oldest connection had to make room; null if none had to. */
  add(socket: Socket): string | null {
    const { handshakeTimeoutMs, strangersMax } = this.#limits;
    const timer = setTimeout(() => socket.destroy(), handshakeTimeoutMs);
    const address = socket.remoteAddress ?? "";
    const end = endpoint(socket);
    this.#since.set(end, { socket, address, timer });
    this.#counts.set(address, (this.#counts.get(address) ?? 0) + 1);
    socket.once("close", () => this.#delete(end));
    if (this.#since.size <= strangersMax) return null;
    const [crowding] = [...this.#counts].reduce((most, next) => (next[1] > most[1] ? next : most));
    for (const [oldest, { socket: of, address: from }] of this.#since) {
      if (from !== crowding) continue;
      this.#delete(oldest);
      of.destroy();
      break;
    }
    return crowding;
  }

  /** It has proven who it is. */
  delete(socket: Socket): void {
    this.#delete(endpoint(socket));
  }

  #delete(end: string): void {
    const stranger = this.#since.get(end);
    if (!stranger) return;
    clearTimeout(stranger.timer);
    this.#since.delete(end);
    const left = (this.#counts.get(stranger.address) ?? 0) - 1;
    if (left > 0) this.#counts.set(stranger.address, left);
    else this.#counts.delete(stranger.address);
  }

  close(): void {
    for (const [end, { socket }] of [...this.#since]) {
      this.#delete(end);
      socket.destroy();
    }
  }
}

/** The other end of a connection, the same for a TLS socket and for what it is made of. */
function endpoint({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** Whether the certificate that the other side has shown is for who it says it is. */
function isCertified(socket: TLSSocket, { name, role }: Identity): boolean {
  return roleNamed(name) === role && certifiedNames(socket).has(name);
}

/** Names whose certificates open the metrics: of who scrapes them, and of commands. */
const LOOKERS = ["metrics", "cli"];

/** Whether who asks may see the metrics: with a certificate for it; without any, from this machine, under a name that no other site has. */
export function mayLook(
  request: Pick<IncomingMessage, "headers"> & {
    readonly socket: Pick<IncomingMessage["socket"], "remoteAddress">;
  },
  hosts: HostNames,
): boolean {
  const { headers, socket } = request;
  if (socket instanceof TLSSocket) {
    const names = certifiedNames(socket);
    return LOOKERS.some((name) => names.has(name));
  }
  return isLoopback(socket.remoteAddress) && hosts.has(headers.host);
}

function refuse(socket: Duplex, status: string, headers: readonly string[] = []): void {
  const lines = [`HTTP/1.1 ${status}`, "Connection: close", "Content-Length: 0", ...headers];
  socket.end(`${lines.join("\r\n")}\r\n\r\n`, () => socket.destroy());
}
