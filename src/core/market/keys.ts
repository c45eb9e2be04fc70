// The API keys at one position of the journal: who may ask for what.
//
//   M4. A key's name is given once, for ever: orders and idempotency keys name
//       whose they are by it. Only a key that there is can be revoked.
//
// What was made and not revoked is a key; so it doesn't matter in which order
// the commands of keys are told, and their number alone says which table it is.
// Of a secret only its digest is here, or anywhere.
//
// Commands of keys have request ids that no client can send (operatorRequestId),
// so that the tables of a replica, which find commands by their request ids, need
// no table of their own for keys.

import { invariant } from "../invariant.ts";
import type { ApiKey, Command } from "./types.ts";

/** What a key may be allowed: to look up, to trade, to act on the bazaar itself, to read its metrics. */
export const RIGHTS = ["read", "trade", "manage", "metrics"] as const;
export type Right = (typeof RIGHTS)[number];

/** Keys there can be at once: a front end has all of them in memory, and one message carries them. */
export const KEYS_MAX = 1_000;
/** Characters of a key's name: it stands before each idempotency key, which is kept for ever. */
export const KEY_NAME_LENGTH_MAX = 32;
/** Characters of the names of the stocks that a key is for: what one command has kept for ever is bounded. */
export const KEY_STOCKS_LENGTH_MAX = 512;

const KEY_NAME = new RegExp(`^[A-Za-z0-9][A-Za-z0-9_-]{0,${KEY_NAME_LENGTH_MAX - 1}}$`);
const DIGEST = /^[0-9a-f]{64}$/;
const STOCKS = /^(?:[A-Za-z]+(?:,[A-Za-z]+)*)?$/;

/** Between whose request it is and the rest of a request id. No header can carry it, so no client's key has it. */
const OWNER_END = "\u001f";

/** Whether `name` may be a key's: letters, digits, - and _, 1 to KEY_NAME_LENGTH_MAX. */
export function isKeyName(name: string): boolean {
  return KEY_NAME.test(name);
}

/** Whether a key could be made so. */
export function isKey({ name, digest, may, stocks, expiresAtMs }: ApiKey): boolean {
  const rights = may.split(",");
  return (
    isKeyName(name) &&
    DIGEST.test(digest) &&
    may !== "" &&
    RIGHTS.filter((right) => rights.includes(right)).join() === may &&
    stocks.length <= KEY_STOCKS_LENGTH_MAX &&
    STOCKS.test(stocks) &&
    Number.isSafeInteger(expiresAtMs) &&
    expiresAtMs >= 0
  );
}

/** The request id of what `owner` asks for under `key`; without an owner the key itself. */
export function requestIdOf(owner: string | null, key: string): string {
  return owner === null ? key : `${owner}${OWNER_END}${key}`;
}

/** Whose request this is; null when nobody in particular made it. */
export function ownerOf(requestId: string): string | null {
  const end = requestId.indexOf(OWNER_END);
  return end <= 0 ? null : requestId.slice(0, end);
}

/** Of a command of keys; `unique` tells it from all others. Such ids come one after another in a table of ids. */
export function operatorRequestId(unique: string): string {
  return `${OWNER_END}${unique}`;
}

/** Before all request ids of operatorRequestId(), and after all. */
export const OPERATOR_REQUEST_IDS = { from: OWNER_END, before: "\u0020" } as const;

export function isOperatorRequestId(requestId: string): boolean {
  return requestId.startsWith(OWNER_END);
}

export class KeyBook {
  readonly #keys = new Map<string, ApiKey>();
  readonly #revoked = new Set<string>();

  constructor(commands: Iterable<Command> = []) {
    const all = [...commands];
    for (const command of all) if (command.kind === "key") this.apply(command);
    for (const command of all) if (command.kind === "revoke") this.apply(command);
  }

  /** How many keys there are. */
  get size(): number {
    return this.#keys.size;
  }

  /** How many commands made this; of one history, no two tables have the same. */
  get version(): number {
    return this.#keys.size + 2 * this.#revoked.size;
  }

  all(): ApiKey[] {
    return [...this.#keys.values()];
  }

  /** Whether there is such a key, or was. */
  isTaken(name: string): boolean {
    return this.#keys.has(name) || this.#revoked.has(name);
  }

  has(name: string): boolean {
    return this.#keys.has(name);
  }

  /** Does what a decided command says; nothing for those that aren't of keys. Throws InvariantViolation for one that can't be next. */
  apply(command: Command): void {
    if (command.kind !== "key" && command.kind !== "revoke") return;
    const { name, requestId } = command;
    invariant(isOperatorRequestId(requestId), "no client has a request id of keys", { name });
    if (command.kind === "key") {
      invariant(!this.isTaken(name), "a key's name is given once", { name }); // M4
      const { digest, may, stocks, expiresAtMs } = command;
      this.#keys.set(name, { name, digest, may, stocks, expiresAtMs });
    } else {
      invariant(this.#keys.delete(name), "only a key that there is is revoked", { name }); // M4
      this.#revoked.add(name);
    }
  }
}
