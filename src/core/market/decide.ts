// What the market answers to a request, and what must be remembered of it.
//
// Pure: it reads the state and changes nothing. The leader applies the command
// it returns before it decides the next request, and journals it.
//
//   M1. A recorded request id is answered from the record, before stock or volume
//       is looked at: they may have changed since, and a delayed attempt must
//       not buy after its client was told no.
//   M2. No command makes a quantity negative, or too large to be exact.
//   M3. An order takes the next number. Every command carries a request id that
//       wasn't recorded before.
//
// The checks of a trade run in the seed's order: quantity, type, stock, volume.
// It shows in the seed document's five refused POSTs, each of which fails one.

import { isStockName, recordedRequest, sameContent, wellFormedContent } from "./content.ts";
import type { Command, Content, MarketReader, Outcome, Refusal, Request } from "./types.ts";

/** An answer, and the effect to record. */
export interface Decision {
  readonly outcome: Outcome;
  /** To apply and to journal before the outcome is told; null when nothing changes and nothing is remembered. */
  readonly command: Command | null;
}

/**
 * Judges a request at the market's newest state. Never throws: whatever the
 * content holds, there is an outcome for it.
 */
export function decide(market: MarketReader, request: Request): Decision {
  const content = wellFormedContent(request.content);
  const recorded = market.request(request.requestId);
  if (recorded !== undefined) {
    return sameContent(recorded.content, content)
      ? { outcome: recorded.outcome, command: null } // M1
      : { outcome: { kind: "reused" }, command: null };
  }
  const judged = judge(market, request.requestId, content);
  if (judged.kind !== "refusal") {
    return { outcome: recordedRequest(judged).outcome, command: judged };
  }
  const { refusal } = judged;
  return {
    outcome: { kind: "refused", refusal },
    command: request.recordRefusal
      ? { kind: "refuse", requestId: request.requestId, content, refusal }
      : null,
  };
}

type Judgement = Exclude<Command, { kind: "refuse" }> | Refused;

interface Refused {
  readonly kind: "refusal";
  readonly refusal: Refusal;
}

function judge(market: MarketReader, requestId: string, content: Content): Judgement {
  switch (content.kind) {
    case "trade":
      return judgeTrade(market, requestId, content);
    case "list":
      return judgeList(market, requestId, content);
    case "adjust":
      return judgeAdjust(market, requestId, content);
  }
}

function judgeTrade(
  market: MarketReader,
  requestId: string,
  { name, type, quantity }: Extract<Content, { kind: "trade" }>,
): Judgement {
  // A whole number beyond the safe integers is a quantity like any other, only
  // more than anybody has: the seed answers it with "Insufficient volume".
  if (!Number.isInteger(quantity) || quantity <= 0) return invalidQuantity(quantity);
  if (type !== "buy" && type !== "sell") return refused({ kind: "unknown-type", type });
  const stock = market.stock(name);
  if (stock === undefined) return refused({ kind: "unknown-stock", name });
  if (type === "buy" && quantity > stock.quantity) {
    return refused({ kind: "insufficient-volume", name }); // M2
  }
  // M2. Rounding can't hide an overflow: a sum above the largest safe integer
  // is at least 2^53 after rounding too.
  if (type === "sell" && quantity + stock.quantity > Number.MAX_SAFE_INTEGER) {
    return invalidQuantity(quantity);
  }
  return {
    kind: "order",
    number: market.lastNumber + 1, // M3
    requestId,
    name: stock.name,
    type,
    quantity,
    price: stock.price,
  };
}

/**
 * A new stock. A price that is no positive finite number is refused as an
 * invalid quantity, with the price in it; a name that no stock can have, as an
 * unknown stock. Callers check both for a better message; here they only must
 * not get in, nor stop a leader, which would stop the next one after it too.
 */
function judgeList(
  market: MarketReader,
  requestId: string,
  { name, price, quantity }: Extract<Content, { kind: "list" }>,
): Judgement {
  if (!Number.isFinite(price) || price <= 0) return invalidQuantity(price);
  if (!Number.isSafeInteger(quantity) || quantity < 0) return invalidQuantity(quantity);
  if (!isStockName(name)) return refused({ kind: "unknown-stock", name });
  if (market.stock(name) !== undefined) return refused({ kind: "stock-exists", name });
  // + 0 turns -0 into 0.
  return { kind: "list", requestId, name, price, quantity: quantity + 0 };
}

function judgeAdjust(
  market: MarketReader,
  requestId: string,
  { name, by }: Extract<Content, { kind: "adjust" }>,
): Judgement {
  if (!Number.isSafeInteger(by)) return invalidQuantity(by);
  const stock = market.stock(name);
  if (stock === undefined) return refused({ kind: "unknown-stock", name });
  if (stock.quantity + by < 0) return refused({ kind: "insufficient-volume", name }); // M2
  if (stock.quantity + by > Number.MAX_SAFE_INTEGER) return invalidQuantity(by); // M2
  return { kind: "adjust", requestId, name: stock.name, by: by + 0 };
}

function invalidQuantity(quantity: number): Refused {
  return refused({ kind: "invalid-quantity", quantity });
}

function refused(refusal: Refusal): Refused {
  return { kind: "refusal", refusal };
}
