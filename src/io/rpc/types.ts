// What a role sees of a connection to another process.
//
// A connection is symmetric once open: either side calls what the other serves.
// Calls of one event-loop turn leave in one frame; flush() sends them at once.

import type { z } from "zod";
import type { Cluster } from "../../core/replication/members.ts";
import type { Certificates } from "../tls/certificates.ts";
import type { WireMessage } from "./wire.ts";

/** A call: who may make it, the schema of its one argument, and of its result; without `result` it is a notification. */
export interface CallShape {
  /** Processes of other roles are refused. */
  readonly callers: readonly RoleKind[];
  readonly argument: z.ZodType;
  readonly result?: z.ZodType;
}

/** A set of calls that one side serves. */
export type Contract = Readonly<Record<string, CallShape>>;

export type Argument<C extends CallShape> = z.infer<C["argument"]>;
export type Result<C extends CallShape> = C extends { readonly result: z.ZodType }
  ? z.infer<C["result"]>
  : undefined;

export type RoleKind = "order" | "catalog" | "frontend" | "cli";

/** By what processes know each other. */
export interface Credentials {
  /** The cluster's secret, which both sides prove that they know; never sent. */
  readonly secret: string;
  /** Of this process: then connections are encrypted, and the other side's certificate says who it is. Null: on loopback. */
  readonly certificates: Certificates | null;
}

/** Who is at the other end, told and proven in the handshake that opens the connection. */
export interface Identity {
  readonly role: RoleKind;
  /** `order-9094`, `catalog`, `frontend-8001` …: the ROLE of the command line. */
  readonly name: string;
  /** Both sides refuse a peer of another cluster, or of another set of replicas. */
  readonly cluster: Cluster;
  /** Of this process: told of the messages of all its connections. Stays here. */
  readonly tap?: Tap;
}

/** One message of a connection, as it is sent or has come in. */
export interface Passed {
  readonly kind: "sent" | "received";
  /** The name of who is at the other end. */
  readonly peer: string;
  /** The connection's link, and which message of its direction this is: the same at both ends. */
  readonly link: string;
  readonly nth: number;
  /** One that has come in has the shape of a message, and nothing inside is checked yet. */
  readonly message: WireMessage;
}

/** What a process has sent over all its connections since it started. */
export interface SentCounts {
  messages: number;
  /** What was handed to the network together: the messages of a turn to one peer. */
  frames: number;
}

/** Where somebody may listen to all messages of a process. */
export interface Tap {
  readonly sent: SentCounts;
  /** Null while nobody does. Mustn't throw. */
  watch: ((passed: Passed) => void) | null;
}

/**
 * Why a call has no result, by what the caller can do.
 * - `closed`: the connection is or went down; whether the call was carried out is unknown.
 * - `timeout`: no answer in time; likewise unknown.
 * - `busy`: too many calls in flight, here or there; not carried out, call again later.
 * - `refused`: the call's shape or size was refused, here or there; not carried out, don't repeat it.
 * - `failed`: the handler threw, or answered in the wrong shape; the message says why.
 */
export type RpcFailure = "closed" | "timeout" | "busy" | "refused" | "failed";

/** What the other side serves, as functions. A notification never fails: on a closed connection it is dropped. */
export type Calls<C extends Contract> = {
  readonly [K in keyof C]: C[K] extends { readonly result: z.ZodType }
    ? (argument: Argument<C[K]>) => Promise<Result<C[K]>>
    : (argument: Argument<C[K]>) => void;
};

export interface CallOptions {
  /** How long each call waits for its answer, in milliseconds. Default 10,000 (RPC_LIMITS.callTimeoutMs). */
  readonly timeoutMs?: number;
}

/** One connection, from the moment it is open. Calls on a closed one reject with `closed`. */
export interface Peer {
  readonly identity: Identity;
  /**
   * The connecting side's link, made anew with each Link: the same for all
   * connections that one Link opens one after the other, different for two
   * processes even if they have one name.
   */
  readonly link: string;
  readonly isOpen: boolean;
  /**
   * The calls of `contract` at the other end; failed calls reject with RpcError.
   * Make it once, use it often. Throws RangeError for a time-out that no timer can keep.
   */
  calls<C extends Contract>(contract: C, options?: CallOptions): Calls<C>;
  /** Hands what is queued to the network now, not at the end of the turn: before a blocking write, say. */
  flush(): void;
  /** Sends what is queued, then closes. Calls without an answer reject with `closed`. */
  close(): void;
}

/** What this side serves: one function a call. `peer` is who calls. What a notification's handler returns is ignored. */
export type Handlers<C extends Contract> = {
  readonly [K in keyof C]: (
    argument: Argument<C[K]>,
    peer: Peer,
  ) => C[K] extends { readonly result: z.ZodType } ? Result<C[K]> | Promise<Result<C[K]>> : unknown;
};

/**
 * Why an attempt to connect failed.
 * - `unreachable`: nothing listens there, or it doesn't answer in time.
 * - `untrusted`: it listens, and one of us can't prove to the other who it is: another secret, most
 *   likely of another cluster's files, or a certificate that has ended, or isn't of our authorities.
 * - `other-cluster`: it knows our secret, and belongs to another cluster, is configured with other
 *   replicas, or is another process than the one looked for.
 * - `not-a-bazaar`: it answers in some other way; something else has the port.
 */
export interface Unreachable {
  readonly kind: "unreachable" | "untrusted" | "other-cluster" | "not-a-bazaar";
  /** One line for people. */
  readonly message: string;
  /** Failed attempts since the start, or since a connection was last open; the first is 1. */
  readonly attempts: number;
}

/** A connection that is opened again whenever it closes, with back-off and jitter, until closed for good. */
export interface Link {
  /** The open connection, or null while there is none. */
  readonly peer: Peer | null;
  /** Closes it for good: no further attempt, no further callback but the peer's onClose. */
  close(): void;
}

/** The listening side. */
export interface Listener {
  readonly port: number;
  /** The open connections. */
  readonly peers: ReadonlySet<Peer>;
  /** Closes the port and every connection; settles when no handle of them is left. Safe to call again. */
  close(): Promise<void>;
}
