// The calls that this process serves: finds the handler of a call, checks the
// argument against the contract, and turns whatever goes wrong into an RpcError.
//
//   1. A handler only ever sees an argument of its schema's shape, from a role that
//      the contract lets make this call.
//   2. Nothing that another process sends throws through this one. Only a broken
//      invariant of our own does, since going on could lose an order.

import type { z } from "zod";
import { InvariantViolation } from "../../core/invariant.ts";
import type { Complaints } from "./complaints.ts";
import { errorText, RpcError } from "./error.ts";
import type { Contract, Handlers, Peer, RoleKind } from "./types.ts";

/** Carries out one call. Returns the handler's result, or throws or rejects with an RpcError. */
export type Dispatch = (name: string, argument: unknown, peer: Peer) => unknown;

/** Told of a broken invariant in a handler; must bring the process down. */
export type OnInvariantViolation = (violation: InvariantViolation) => void;

interface Served {
  readonly argument: z.ZodType;
  readonly callers: readonly RoleKind[];
  readonly answers: boolean;
  readonly handle: (argument: unknown, peer: Peer) => unknown;
}

/** Longest piece of a peer's text in a log line, in characters. */
const QUOTE_LENGTH_MAX = 64;

/** The calls of `contract` as `handlers` carries them out. */
export function dispatcher<C extends Contract>(
  contract: C,
  handlers: Handlers<C>,
  complaints: Complaints,
  onInvariantViolation: OnInvariantViolation = throwThroughTheProcess,
): Dispatch {
  // A map, not an object: a call named `constructor` finds nothing.
  const served = new Map<string, Served>();
  for (const [name, shape] of Object.entries(contract)) {
    const handler: unknown = handlers[name];
    if (typeof handler !== "function") throw new TypeError(`no handler for the call ${name}`);
    served.set(name, {
      argument: shape.argument,
      callers: shape.callers,
      answers: shape.result !== undefined,
      handle: (argument, peer) => handler.call(handlers, argument, peer),
    });
  }

  function refused(name: string, peer: Peer, why: string): RpcError {
    const from = peer.identity.name;
    // Names that we don't know are one kind: the other side could make up any number of them.
    const kind = served.has(name) ? name : "unknown";
    const call = name.slice(0, QUOTE_LENGTH_MAX);
    complaints.warn(`refused ${kind} of ${from}`, { peer: from, call, why }, "Refused a call");
    return new RpcError("refused", why);
  }

  function failed(name: string, peer: Peer, error: unknown, answers: boolean): RpcError {
    if (error instanceof InvariantViolation) onInvariantViolation(error);
    // A caller that waits for an answer is told; a notification's failure would otherwise be seen nowhere.
    if (!answers || !(error instanceof RpcError)) {
      complaints.warn(
        `failed ${name} of ${peer.identity.name}`,
        { peer: peer.identity.name, call: name, err: error },
        "A call's handler failed",
      );
    }
    return new RpcError("failed", errorText(error));
  }

  return (name, argument, peer) => {
    const call = served.get(name);
    if (call === undefined) throw refused(name, peer, "no such call here");
    const { role } = peer.identity;
    if (!call.callers.includes(role)) {
      throw refused(name, peer, `${name} is not for ${role}, only for ${call.callers.join(", ")}`);
    }
    const parsed = call.argument.safeParse(argument);
    if (!parsed.success) throw refused(name, peer, shapeProblem(parsed.error));
    let result: unknown;
    try {
      result = call.handle(parsed.data, peer);
    } catch (error) {
      throw failed(name, peer, error, call.answers);
    }
    if (!(result instanceof Promise)) return result;
    return result.catch((error: unknown) => {
      throw failed(name, peer, error, call.answers);
    });
  };
}

/** The first thing wrong with a value, in one short line. */
export function shapeProblem(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return "wrong shape";
  const path = issue.path.map(String).join(".");
  return errorText(path === "" ? issue.message : `${path}: ${issue.message}`);
}

function throwThroughTheProcess(violation: InvariantViolation): void {
  // Out of every promise's reach, so that nothing can swallow it.
  setImmediate(() => {
    throw violation;
  });
}
