// What the catalog's `find` and `update` answer, in the words of the lab's
// reference program and by its status codes: 200, 400 for a stock that isn't
// there, 500 for what can't be done to one, and 503 where nobody could decide.

import type { Outcome, Refusal, Stock } from "../../core/market/types.ts";
import type { LeaderAnswer } from "../../core/service/leader-client.ts";
import { errorText } from "../../io/rpc/error.ts";
import type { CatalogResult, FindResult } from "../contract.ts";
import { unknownStockText } from "../words.ts";

/** As GET /stocks/NAME says it. */
export function findResult(asked: string, answer: LeaderAnswer): FindResult {
  if (answer.kind === "stock") return stockResult(asked, answer.stock);
  if (answer.kind === "too-many") {
    return { status: 503, message: "Too many questions at once, try again" };
  }
  return { status: 503, message: "No order leader answered in time, ask again" };
}

/** The fields in the reference program's order. */
function stockResult(asked: string, stock: Stock | null): FindResult {
  if (!stock) return { status: 400, message: unknownStockText(asked) };
  const { name, price, quantity } = stock;
  return { status: 200, data: { name, price, quantity } };
}

/** Whether `by` can be told the leader at all. */
export function isWhole(by: unknown): by is number {
  return typeof by === "number" && Number.isSafeInteger(by);
}

/** Of an update by what is no whole number. */
export function notWholeResult(by: unknown, isKnown: boolean): CatalogResult {
  if (!isKnown) return NOT_FOUND;
  return { status: 500, message: `Invalid quantity ${shown(by)}: not a whole number` };
}

export function updateResult(requestId: string, answer: LeaderAnswer): CatalogResult {
  switch (answer.kind) {
    case "outcome":
      return outcomeResult(answer.outcome);
    case "too-many":
      return { status: 503, message: "Too many updates at once, try again" };
    case "impossible":
      return { status: 500, message: answer.why };
    default:
      return {
        status: 503,
        message: `No order leader answered in time, ask again with request id ${requestId}`,
      };
  }
}

const NOT_FOUND: CatalogResult = { status: 400, message: "Stock name not found" };

function outcomeResult(outcome: Outcome): CatalogResult {
  switch (outcome.kind) {
    case "adjusted":
      return { status: 200, message: "success" };
    case "refused":
      return refusalResult(outcome.refusal);
    default:
      return { status: 422, message: "The request id was used before, for something else" };
  }
}

function refusalResult(refusal: Refusal): CatalogResult {
  switch (refusal.kind) {
    case "unknown-stock":
      return NOT_FOUND;
    case "insufficient-volume":
      return { status: 500, message: `Insufficient volume for ${refusal.name} stock` };
    case "invalid-quantity":
      return { status: 500, message: `Invalid quantity ${refusal.quantity}` };
    default:
      return { status: 500, message: `Unexpected answer: ${refusal.kind}` };
  }
}

/** Whatever was given, in few characters. */
function shown(by: unknown): string {
  try {
    return errorText(JSON.stringify(by) ?? String(by));
  } catch {
    return typeof by;
  }
}
