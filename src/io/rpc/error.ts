// The one error a call rejects with. `failure` is a closed set, by what the
// caller can do next; everything else about it is for people.

import type { RpcFailure } from "./types.ts";

/** A call has no result. See {@link RpcFailure} for what each failure means to the caller. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly failure: RpcFailure;

  constructor(failure: RpcFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}

/** How an {@link RpcError} travels: no stack, nothing of the process it came from. */
export interface WireError {
  readonly failure: RpcFailure;
  readonly message: string;
}

/** Longest error text that is sent or logged, in characters: a message may quote what a client sent. */
export const ERROR_TEXT_LENGTH_MAX = 512;

/** Whatever was thrown, as text of bounded length. */
export function errorText(error: unknown): string {
  const text = error instanceof Error ? error.message || nameOf(error) : String(error);
  return text.length <= ERROR_TEXT_LENGTH_MAX ? text : `${text.slice(0, ERROR_TEXT_LENGTH_MAX)}…`;
}

/** For errors without a message, as a refused connection to a host of several addresses is. */
function nameOf(error: Error): string {
  return "code" in error ? String(error.code) : error.name;
}

/** The error as it is sent to the caller; anything but an RpcError is the handler's failure. */
export function toWire(error: unknown): WireError {
  return {
    failure: error instanceof RpcError ? error.failure : "failed",
    message: errorText(error),
  };
}

/**
 * The failure of the call `what`, from what the connection rejected with: our
 * own RpcError as it is, the other side's {@link WireError} with `what` told.
 */
export function fromWire(error: unknown, what: string): RpcError {
  if (error instanceof RpcError) return error;
  if (isWireError(error)) return new RpcError(error.failure, `${what}: ${error.message}`);
  return new RpcError("failed", `${what}: ${errorText(error)}`);
}

// The failures another process may report: `closed` and `timeout` are only seen from here.
const REMOTE_FAILURES: ReadonlySet<unknown> = new Set(["busy", "refused", "failed"]);

function isWireError(error: unknown): error is WireError {
  return (
    typeof error === "object" &&
    error !== null &&
    "failure" in error &&
    REMOTE_FAILURES.has(error.failure) &&
    "message" in error &&
    typeof error.message === "string"
  );
}
