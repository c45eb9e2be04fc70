// The connecting side: a link to one address, opened again whenever it closes.
//
//   1. At most one connection, one attempt or one wait at a time.
//   2. Attempts go on until close(): a process that was down for a day is found
//      when it comes back. How often is the back-off's matter.
//   3. Nothing is read of a listener, nor said to it, before it has proven that it
//      is the process that was looked for.
//   4. After close() nothing is attempted and no callback comes but the open
//      peer's onClose.

import { randomUUID } from "node:crypto";
import { Agent, get, type IncomingMessage } from "node:http";
import { connect as connectTcp, isIPv6, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Logger } from "pino";
import { WebSocket } from "ws";
import { otherCluster } from "../../core/replication/members.ts";
import { backoffMs } from "./backoff.ts";
import { Complaints } from "./complaints.ts";
import { Connection } from "./connection.ts";
import { type Dispatch, dispatcher, type OnInvariantViolation } from "./dispatcher.ts";
import { errorText } from "./error.ts";
import {
  CHALLENGE_URL,
  checkSecret,
  clientHeaders,
  type Greeting,
  listenerProves,
  newNonce,
  otherProcess,
  readIdentity,
  readNonce,
  roleNamed,
  tlsOptions,
} from "./handshake.ts";
import { type Backoff, RPC_BACKOFF, type RpcLimits, socketOptions, withLimits } from "./limits.ts";
import type {
  Contract,
  Credentials,
  Handlers,
  Identity,
  Link,
  Peer,
  Unreachable,
} from "./types.ts";

export interface ConnectOptions<C extends Contract> {
  readonly host: string;
  readonly port: number;
  /** The name of the process that listens there; another is no connection. */
  readonly name: string;
  readonly credentials: Credentials;
  /** Who this process is. */
  readonly identity: Identity;
  /** What this side serves to the listener, and how. */
  readonly contract: C;
  readonly handlers: Handlers<C>;
  readonly log: Logger;
  /** A connection is open and is Link.peer. */
  readonly onOpen?: (peer: Peer) => void;
  /** A connection is over, whoever ended it; Link.peer is null. Told once for each that was open. */
  readonly onClose?: (peer: Peer) => void;
  /** An attempt failed; another follows. The log has a line for the first of them. */
  readonly onUnreachable?: (why: Unreachable) => void;
  /** A handler threw an InvariantViolation; must end the process. Default: an uncaught exception. */
  readonly onInvariantViolation?: OnInvariantViolation;
  readonly backoff?: Backoff;
  /** Numbers in [0, 1). Default Math.random. */
  readonly random?: () => number;
  readonly limits?: Partial<RpcLimits>;
}

/** Starts the first attempt at once, and returns before it is done. */
export function connect<C extends Contract>(options: ConnectOptions<C>): Link {
  checkSecret(options.credentials.secret);
  const limits = withLimits(options.limits);
  const complaints = new Complaints(options.log, limits.complaintIntervalMs);
  const dispatch = dispatcher(
    options.contract,
    options.handlers,
    complaints,
    options.onInvariantViolation,
  );
  return new ReconnectingLink(options, limits, complaints, dispatch);
}

type Failure = Omit<Unreachable, "attempts">;

type LinkOptions = Omit<ConnectOptions<Contract>, "contract" | "handlers">;

type Phase =
  | { readonly kind: "trying"; readonly tcp: Socket }
  | { readonly kind: "open"; readonly connection: Connection; readonly sinceMs: number }
  | { readonly kind: "waiting"; readonly timer: NodeJS.Timeout }
  | { readonly kind: "closed" };

class ReconnectingLink implements Link {
  readonly #options: LinkOptions;
  readonly #limits: RpcLimits;
  readonly #complaints: Complaints;
  readonly #dispatch: Dispatch;
  readonly #backoff: Backoff;
  readonly #random: () => number;
  readonly #address: string;
  readonly #id = randomUUID();
  #phase: Phase;
  /** Failed attempts, and connections that didn't last, in a row: the back-off's measure. */
  #setbacks = 0;
  /** Failed attempts since a connection was open. */
  #attempts = 0;
  /** The kind of failure that the log was last told of. */
  #logged: Unreachable["kind"] | null = null;

  constructor(options: LinkOptions, limits: RpcLimits, complaints: Complaints, dispatch: Dispatch) {
    this.#options = options;
    this.#limits = limits;
    this.#complaints = complaints;
    this.#dispatch = dispatch;
    this.#backoff = options.backoff ?? RPC_BACKOFF;
    this.#random = options.random ?? Math.random;
    const host = isIPv6(options.host) ? `[${options.host}]` : options.host;
    this.#address = `${host}:${options.port}`;
    this.#phase = this.#try();
  }

  get peer(): Peer | null {
    const phase = this.#phase;
    return phase.kind === "open" && phase.connection.isOpen ? phase.connection : null;
  }

  close(): void {
    const phase = this.#phase;
    this.#phase = { kind: "closed" };
    if (phase.kind === "waiting") clearTimeout(phase.timer);
    if (phase.kind === "trying") phase.tcp.destroy();
    if (phase.kind === "open") phase.connection.close();
  }

  #try(): Phase {
    const { host, port, name, identity, credentials } = this.#options;
    const { certificates } = credentials;
    const { connectTimeoutMs, handshakeTimeoutMs } = this.#limits;
    const place = { host, port };
    const tls = certificates
      ? connectTls({ ...place, ...tlsOptions(certificates), servername: name })
      : null;
    const tcp = tls ?? connectTcp(place);
    limitDial(tcp, connectTimeoutMs);
    const agent = new OneConnection(tcp);
    let isOver = false;
    /** TLS has proven to this side who the listener is. */
    let isCertified = false;
    const failed = (failure: Failure): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(limit);
      tcp.destroy();
      this.#failed(failure);
    };
    const unreachable = (why: string): void =>
      failed({ kind: "unreachable", message: `${this.#address} ${why}` });
    // Of the whole attempt: ws would begin anew with each byte that comes.
    const limit = setTimeout(
      () => unreachable(`didn't end the handshake in ${handshakeTimeoutMs} ms`),
      handshakeTimeoutMs,
    );
    const onError = (error: Error): void => {
      if (isUntrusted(error)) failed(this.#untrusted(error, name));
      // Node's listener says no more than that, and says the rest in its log.
      else if (isCertified)
        unreachable(`closed the connection once it saw our certificate, ${identity.name}'s`);
      else unreachable(`is unreachable: ${errorText(error)}`);
    };
    const challenged = (): void => {
      get({ agent, host, port, path: CHALLENGE_URL })
        .on("error", onError)
        .on("response", (response) => {
          response.resume();
          const nonce = response.statusCode === 200 ? readNonce(response.headers) : null;
          if (nonce === null) failed(this.#noBazaar(response));
          else upgrade(nonce);
        });
    };
    const secret = tls === null ? credentials.secret : null;
    const upgrade = (listenerNonce: string): void => {
      // As it is now: another connection may tell meanwhile which cluster we are of.
      const client = { ...identity, cluster: { ...identity.cluster } };
      const clientNonce = newNonce();
      const greeting = { client, link: this.#id, to: name, clientNonce, listenerNonce };
      const socket = new WebSocket(`ws://${this.#address}`, {
        ...socketOptions(this.#limits),
        agent,
        headers: clientHeaders(greeting, secret),
        // Masks protect proxies on the way from scripts in browsers; here there
        // are neither, and a mask of zeros costs no pass over the bytes.
        generateMask: (mask) => mask.fill(0),
      });
      const onEnd = (): void => unreachable("ended the handshake");
      let other: Identity | null = null;
      socket.on("upgrade", (response) => {
        const judged = this.#judge(response, greeting);
        if ("failure" in judged) failed(judged.failure);
        else other = judged.identity;
      });
      socket.on("unexpected-response", (_request, response) => {
        failed(this.#refusal(response, greeting));
      });
      socket.on("error", onError);
      socket.on("close", onEnd);
      socket.on("open", () => {
        if (isOver || other === null) return;
        isOver = true;
        identity.cluster.name ??= other.cluster.name;
        clearTimeout(limit);
        socket.off("error", onError);
        socket.off("close", onEnd);
        this.#opened(socket, tcp, other);
      });
    };
    if (tls === null) challenged();
    else {
      // Nothing is said, not even into a buffer, before the listener's certificate is known.
      tls.on("error", onError);
      tls.once("close", () => unreachable("ended the handshake"));
      tls.once("secureConnect", () => {
        isCertified = true;
        upgrade("");
      });
    }
    return { kind: "trying", tcp };
  }

  #untrusted(error: Error, name: string): Failure {
    const why = errorText(error);
    const message = `${this.#address} and this process don't trust each other as ${name} and ${this.#options.identity.name} (${why}): see "npx bazaar certs"`;
    return { kind: "untrusted", message };
  }

  /** Who answered, if it is who was looked for, and one of us. */
  #judge(
    response: IncomingMessage,
    greeting: Greeting,
  ): { readonly identity: Identity } | { readonly failure: Failure } {
    const other = readIdentity(response.headers);
    if (other === null) return { failure: this.#noBazaar(response) };
    const { secret, certificates } = this.#options.credentials;
    if (certificates) {
      // Its certificate has the name that was looked for, or there would be no connection.
      const role = roleNamed(other.name);
      if (role !== other.role) return { failure: this.#noBazaar(response) };
    } else if (!listenerProves(response.headers, greeting, other, secret)) {
      const message = `${this.#address} doesn't know our secret: it is of another cluster, or none of ours`;
      return { failure: { kind: "untrusted", message } };
    }
    const message =
      otherCluster(this.#address, other.cluster, this.#options.identity.cluster) ??
      otherProcess(this.#address, greeting.to, other.name);
    return message === null ? { identity: other } : { failure: { kind: "other-cluster", message } };
  }

  #refusal(response: IncomingMessage, greeting: Greeting): Failure {
    if (response.statusCode === 401) {
      return {
        kind: "untrusted",
        message: `${this.#address} refused ${this.#options.credentials.certificates ? "our certificate: it isn't one for our name" : "our secret: it belongs to another cluster"}`,
      };
    }
    if (response.statusCode === 409) {
      const judged = this.#judge(response, greeting);
      if ("failure" in judged) return judged.failure;
    }
    if (response.statusCode === 503) {
      return {
        kind: "unreachable",
        message: `${this.#address} takes no connection: it is stopping, or has too many`,
      };
    }
    return this.#noBazaar(response);
  }

  #noBazaar({ statusCode }: IncomingMessage): Failure {
    const message = `${this.#address} answered with status ${statusCode}: it is no bazaar, or of another version`;
    return { kind: "not-a-bazaar", message };
  }

  #opened(socket: WebSocket, tcp: Socket, identity: Identity): void {
    const connection = new Connection({
      socket,
      tcp,
      identity,
      tap: this.#options.identity.tap,
      link: this.#id,
      dispatch: this.#dispatch,
      log: this.#options.log,
      complaints: this.#complaints,
      limits: this.#limits,
      onClose: () => this.#ended(connection),
    });
    this.#phase = { kind: "open", connection, sinceMs: performance.now() };
    this.#attempts = 0;
    this.#logged = null;
    this.#options.log.debug({ peer: identity.name, address: this.#address }, "Connection opened");
    this.#options.onOpen?.(connection);
  }

  #ended(connection: Connection): void {
    const phase = this.#phase;
    if (phase.kind === "open") {
      const lasted = performance.now() - phase.sinceMs >= this.#limits.settledMs;
      this.#setbacks = lasted ? 0 : this.#setbacks + 1;
      this.#wait();
    }
    this.#options.onClose?.(connection);
  }

  #failed(failure: Failure): void {
    if (this.#phase.kind === "closed") return;
    this.#setbacks += 1;
    this.#attempts += 1;
    if (this.#logged !== failure.kind) {
      this.#logged = failure.kind;
      const level = failure.kind === "unreachable" ? "info" : "error";
      this.#options.log[level]({ address: this.#address, why: failure.message }, "Can't connect");
    }
    this.#wait();
    this.#options.onUnreachable?.({ ...failure, attempts: this.#attempts });
  }

  #wait(): void {
    const timer = setTimeout(
      () => {
        this.#phase = this.#try();
      },
      backoffMs(this.#setbacks, this.#backoff, this.#random),
    );
    this.#phase = { kind: "waiting", timer };
  }
}

/** All requests over one connection, one after the other. */
export class OneConnection extends Agent {
  readonly #tcp: Socket;

  constructor(tcp: Socket) {
    super({ keepAlive: true, maxSockets: 1 });
    this.#tcp = tcp;
  }

  override getName(): string {
    return "";
  }

  override createConnection(): Socket {
    return this.#tcp;
  }
}

/** Whether TLS ended because of who the other side is, or who it takes this one for. */
function isUntrusted(error: Error & { readonly code?: string }): boolean {
  return /CERT|ALERT|ALTNAME|SELF_SIGNED|UNABLE_TO/.test(error.code ?? "");
}

/** A connection under way is destroyed when no address of the host takes it in time. */
function limitDial(tcp: Socket, timeoutMs: number): void {
  let timer: NodeJS.Timeout | undefined;
  const late = () => tcp.destroy(new Error(`no answer in ${timeoutMs} ms`));
  // From here on, not from the start: to find the host's addresses may take longer.
  tcp.on("connectionAttempt", () => {
    clearTimeout(timer);
    timer = setTimeout(late, timeoutMs);
  });
  tcp.once("connect", () => clearTimeout(timer));
  tcp.once("close", () => clearTimeout(timer));
}
