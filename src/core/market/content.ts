// What a request asks for: whether that can be at all, and how it is remembered,
// with the answer it was given.
//
// Every recorded command carries the whole content of its request, so that the
// tables need nothing else to tell a further attempt from a request id that is
// used a second time for something else.

import { NAME_LETTERS_MAX, PRICE_MAX, QUANTITY_MAX } from "./limits.ts";
import type { Command, Content, RecordedRequest, Refusal } from "./types.ts";

const STOCK_NAME = new RegExp(`^[A-Za-z]{1,${NAME_LETTERS_MAX}}$`);

/** Whether `name` may be a stock's: ASCII letters only, 1 to NAME_LETTERS_MAX. */
export function isStockName(name: string): boolean {
  return STOCK_NAME.test(name);
}

/** Whether a stock may be listed at this price. */
export function isPrice(price: number): boolean {
  return price > 0 && price <= PRICE_MAX;
}

/** Whether a stock may be listed with this quantity. */
export function isQuantity(quantity: number): boolean {
  return Number.isInteger(quantity) && quantity >= 0 && quantity <= QUANTITY_MAX;
}

/**
 * Why this is refused whatever the market holds; null where that depends on the
 * market. Whoever is asked may say so: no attempt, early or late, is accepted
 * anywhere, so nothing needs to be remembered of it. Listings are refused in the
 * words of trades, with the price for a quantity: their callers have better ones.
 */
export function refusedInAnyMarket(content: Content): Refusal | null {
  const { name } = content;
  switch (content.kind) {
    case "trade": {
      const { type, quantity } = content;
      // A whole number beyond QUANTITY_MAX is a quantity like any other, only more
      // than anybody has: the seed answers it with "Insufficient volume".
      if (!Number.isInteger(quantity) || quantity <= 0)
        return { kind: "invalid-quantity", quantity };
      if (type !== "buy" && type !== "sell") return { kind: "unknown-type", type };
      break;
    }
    case "list":
      if (!isPrice(content.price)) return { kind: "invalid-quantity", quantity: content.price };
      if (!isQuantity(content.quantity)) {
        return { kind: "invalid-quantity", quantity: content.quantity };
      }
      break;
    case "adjust":
      if (!isQuantity(Math.abs(content.by))) {
        return { kind: "invalid-quantity", quantity: content.by };
      }
  }
  return isStockName(name) ? null : { kind: "unknown-stock", name };
}

/** Whether two attempts under one request id ask for the same. */
export function sameContent(a: Content, b: Content): boolean {
  if (a.name !== b.name) return false;
  switch (a.kind) {
    case "trade":
      return b.kind === "trade" && a.type === b.type && sameNumber(a.quantity, b.quantity);
    case "list":
      return (
        b.kind === "list" && sameNumber(a.price, b.price) && sameNumber(a.quantity, b.quantity)
      );
    case "adjust":
      return b.kind === "adjust" && sameNumber(a.by, b.by);
  }
}

/** What a recorded command makes remembered under its request id. */
export function recordedRequest(command: Command): RecordedRequest {
  switch (command.kind) {
    case "order":
      return {
        content: {
          kind: "trade",
          name: command.name,
          type: command.type,
          quantity: command.quantity,
        },
        outcome: { kind: "accepted", number: command.number },
      };
    case "refuse":
      return {
        content: command.content,
        outcome: { kind: "refused", refusal: command.refusal },
      };
    case "list":
      return {
        content: {
          kind: "list",
          name: command.name,
          price: command.price,
          quantity: command.quantity,
        },
        outcome: { kind: "listed" },
      };
    case "adjust":
      return {
        content: { kind: "adjust", name: command.name, by: command.by },
        outcome: { kind: "adjusted" },
      };
  }
}

/** 0 and -0 are the same, since not every encoding on the way keeps them apart; so is NaN. */
function sameNumber(a: number, b: number): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b));
}
