// The connecting side: a link to one address, opened again whenever it closes.
//
//   1. At most one connection, one attempt or one wait at a time.
//   2. Attempts go on until close(): a process that was down for a day is found
//      when it comes back. How often is the back-off's matter.
//   3. After close() nothing is attempted and no callback comes but the open
//      peer's onClose.

import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { connect as connectTcp, isIPv6, type Socket } from "node:net";
import type { Logger } from "pino";
import { WebSocket } from "ws";
import { otherCluster } from "../../core/replication/members.ts";
import { backoffMs } from "./backoff.ts";
import { Complaints } from "./complaints.ts";
import { Connection } from "./connection.ts";
import { type Dispatch, dispatcher, type OnInvariantViolation } from "./dispatcher.ts";
import { errorText } from "./error.ts";
import { checkSecret, clientHeaders, readIdentity } from "./handshake.ts";
import { type Backoff, RPC_BACKOFF, type RpcLimits, socketOptions, withLimits } from "./limits.ts";
import type { Contract, Handlers, Identity, Link, Peer, Unreachable } from "./types.ts";

export interface ConnectOptions<C extends Contract> {
  readonly host: string;
  readonly port: number;
  /** The cluster's secret, which the listener demands. */
  readonly secret: string;
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
  checkSecret(options.secret);
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

type LinkOptions = Omit<ConnectOptions<Contract>, "contract" | "handlers">;

type Phase =
  | { readonly kind: "trying"; readonly socket: WebSocket }
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
    if (phase.kind === "trying") phase.socket.terminate();
    if (phase.kind === "open") phase.connection.close();
  }

  #try(): Phase {
    const { host, port, secret, identity } = this.#options;
    const tcp = dial(host, port, this.#limits.connectTimeoutMs);
    const socket = new WebSocket(`ws://${this.#address}`, {
      ...socketOptions(this.#limits),
      createConnection: () => tcp,
      headers: clientHeaders(secret, identity, this.#id),
      // Masks protect proxies on the way from scripts in browsers; here there
      // are neither, and a mask of zeros costs no pass over the bytes.
      generateMask: (mask) => mask.fill(0),
    });
    let other: Identity | null = null;
    let failure: Omit<Unreachable, "attempts"> | null = null;
    const { handshakeTimeoutMs } = this.#limits;
    // Of the whole attempt: ws would begin anew with each byte that comes.
    const limit = setTimeout(() => {
      const message = `${this.#address} didn't end the handshake in ${handshakeTimeoutMs} ms`;
      failure ??= { kind: "unreachable", message };
      socket.terminate();
    }, handshakeTimeoutMs);
    socket.on("upgrade", (response) => {
      other = readIdentity(response.headers);
    });
    socket.on("unexpected-response", (_request, response) => {
      failure = this.#refusal(response);
      socket.terminate();
    });
    const onError = (error: Error) => {
      failure ??= {
        kind: "unreachable",
        message: `${this.#address} is unreachable: ${errorText(error)}`,
      };
    };
    const onEnd = () => {
      clearTimeout(limit);
      this.#failed(
        failure ?? { kind: "unreachable", message: `${this.#address} ended the handshake` },
      );
    };
    socket.on("error", onError);
    socket.on("close", onEnd);
    socket.on("open", () => {
      failure =
        other === null
          ? { kind: "not-a-bazaar", message: `${this.#address} didn't say who it is` }
          : this.#foreign(other);
      if (other === null || failure !== null) {
        socket.terminate();
        return;
      }
      identity.cluster.name ??= other.cluster.name;
      clearTimeout(limit);
      socket.off("error", onError);
      socket.off("close", onEnd);
      this.#opened(socket, tcp, other);
    });
    return { kind: "trying", socket };
  }

  #refusal(response: IncomingMessage): Omit<Unreachable, "attempts"> {
    if (response.statusCode === 401) {
      return {
        kind: "secret-refused",
        message: `${this.#address} refused our secret: it belongs to another cluster`,
      };
    }
    const other = readIdentity(response.headers);
    const foreign = response.statusCode === 409 && other !== null ? this.#foreign(other) : null;
    if (foreign !== null) return foreign;
    if (response.statusCode === 503) {
      return {
        kind: "unreachable",
        message: `${this.#address} takes no connection: it is stopping, or has too many`,
      };
    }
    return {
      kind: "not-a-bazaar",
      message: `${this.#address} answered with status ${response.statusCode}`,
    };
  }

  #foreign(other: Identity): Omit<Unreachable, "attempts"> | null {
    const message = otherCluster(this.#address, other.cluster, this.#options.identity.cluster);
    return message === null ? null : { kind: "other-cluster", message };
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

  #failed(failure: Omit<Unreachable, "attempts">): void {
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

/** A connection under way, destroyed when no address of the host takes it in time. */
function dial(host: string, port: number, timeoutMs: number): Socket {
  const tcp = connectTcp({ host, port });
  let timer: NodeJS.Timeout | undefined;
  const late = () => tcp.destroy(new Error(`no answer in ${timeoutMs} ms`));
  // From here on, not from the start: to find the host's addresses may take longer.
  tcp.on("connectionAttempt", () => {
    clearTimeout(timer);
    timer = setTimeout(late, timeoutMs);
  });
  tcp.once("connect", () => clearTimeout(timer));
  tcp.once("close", () => clearTimeout(timer));
  return tcp;
}
