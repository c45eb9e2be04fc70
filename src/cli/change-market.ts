// `list`, `adjust`, `key add` and `key revoke`: a change of the market from the command line, made once.
//
// The request id is made once and sent with every attempt, so a leader that
// dies on the way can't make the change count twice. A refusal is recorded for
// the same reason: an attempt that was delayed mustn't succeed after a "no".

import { randomUUID } from "node:crypto";
import { isPrice, isQuantity, isStockName } from "../core/market/content.ts";
import { KEYS_MAX } from "../core/market/keys.ts";
import { NAME_LETTERS_MAX, PRICE_MAX, QUANTITY_MAX } from "../core/market/limits.ts";
import type { Content, Refusal } from "../core/market/types.ts";
import type { Answer, Question } from "../roles/contract.ts";
import { numberIn } from "./numbers.ts";
import { shown, UserError } from "./user-error.ts";

/** Asks the leader to make the change; throws UserError with the reason when it won't. */
export async function changeMarket(
  leader: { ask(question: Question): Promise<Answer> },
  content: Content,
  requestId: string = randomUUID(),
): Promise<void> {
  const answer = await leader.ask({
    kind: "request",
    requestId,
    content,
    recordRefusal: true,
  });
  if (answer.kind !== "outcome") throw new UserError(`the leader answered with ${answer.kind}`);
  const { outcome } = answer;
  if (outcome.kind === "refused") throw new UserError(refusalText(outcome.refusal));
  if (outcome.kind === "reused") throw new UserError("its request id was in use: try again");
}

function refusalText(refusal: Refusal): string {
  switch (refusal.kind) {
    case "stock-exists":
      return `${refusal.name} is listed already: change its quantity with "npx bazaar adjust"`;
    case "unknown-stock":
      return `${refusal.name} is not listed: "npx bazaar list" adds it`;
    case "insufficient-volume":
      return `Insufficient volume for ${refusal.name} stock`;
    case "invalid-quantity":
      return `Invalid quantity ${refusal.quantity}`;
    case "unknown-type":
      return `Unknow trade type - ${refusal.type}`;
    case "key-exists":
      return `there is a key named ${refusal.name}, or was: a name is given once, choose another`;
    case "too-many-keys":
      return `there are ${KEYS_MAX} keys, which is the most: revoke some with "npx bazaar key revoke"`;
    case "unknown-key":
      return `there is no key named ${refusal.name}: see "npx bazaar key list"`;
    case "invalid-key":
      return `${refusal.name} can't be a key as it was asked for`;
  }
}

/** What `bazaar list NAME PRICE QUANTITY` asks for. Throws UserError. */
export function listContent(name: string, price: string, quantity: string): Content {
  demandName(name);
  const priceNumber = numberIn(price);
  if (priceNumber === null || !isPrice(priceNumber)) {
    throw new UserError(`PRICE must be a number above 0, up to ${PRICE_MAX}, not ${shown(price)}`);
  }
  const quantityNumber = numberIn(quantity);
  if (quantityNumber === null || !isQuantity(quantityNumber)) {
    throw new UserError(
      `QUANTITY must be a whole number from 0 to ${QUANTITY_MAX}, not ${shown(quantity)}`,
    );
  }
  return { kind: "list", name, price: priceNumber, quantity: quantityNumber };
}

/** What `bazaar adjust NAME BY` asks for. Throws UserError. */
export function adjustContent(name: string, by: string): Content {
  demandName(name);
  const number = numberIn(by);
  if (number === null || !Number.isSafeInteger(number) || number === 0) {
    throw new UserError(`BY must be a whole number other than 0, like 10 or -5, not ${shown(by)}`);
  }
  return { kind: "adjust", name, by: number };
}

function demandName(name: string): void {
  if (isStockName(name)) return;
  throw new UserError(
    `a stock's name has 1 to ${NAME_LETTERS_MAX} letters, A to Z and a to z, not ${shown(name)}`,
  );
}
