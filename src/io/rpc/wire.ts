// What birpc's messages look like in a frame, so that nothing else reaches it.

/** Longest name of a call that is looked at, in characters. */
const CALL_NAME_LENGTH_MAX = 64;
/** Longest id of a call that is looked at, in characters; birpc makes them of 21. */
const CALL_ID_LENGTH_MAX = 64;

/** A call (with an id) or a notification (without): name and arguments, of which we use one. */
export interface WireRequest {
  readonly t: "q";
  readonly i?: string;
  readonly m: string;
  readonly a: unknown[];
}

/** The answer to the call `i`: a result, or an error. */
export interface WireAnswer {
  readonly t: "s";
  readonly i: string;
  readonly r?: unknown;
  e?: unknown;
}

export type WireMessage = WireRequest | WireAnswer;

/** Whether a message of a frame may be given to birpc. Its argument or result is checked later, by the contract. */
export function isWireMessage(message: unknown): message is WireMessage {
  if (typeof message !== "object" || message === null || !("t" in message)) return false;
  const id = "i" in message ? message.i : undefined;
  if (message.t === "s") return isText(id, CALL_ID_LENGTH_MAX);
  return (
    message.t === "q" &&
    (id === undefined || isText(id, CALL_ID_LENGTH_MAX)) &&
    "m" in message &&
    isText(message.m, CALL_NAME_LENGTH_MAX) &&
    "a" in message &&
    Array.isArray(message.a) &&
    message.a.length === 1
  );
}

function isText(value: unknown, lengthMax: number): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= lengthMax;
}
