// What the market answers to a request, and what must be remembered of it.
//
// Pure: it reads the state and changes nothing. The leader applies the command
// it returns before it decides the next request, and journals it.
//
//   M1. A recorded request id is answered from the record, before stock or volume
//       is looked at: they may have changed since, and a delayed attempt must
//       not buy after its client was told no. Only what no state of the market
//       could accept is refused without a record: there a delayed attempt is
//       refused as well, and clients can't fill the journal with nonsense.
//   M2. No command makes a quantity negative, or too large to be exact.
//   M3. An order takes the next number. Every command carries a request id that
//       wasn't recorded before.
//   M4. A key's name is given once; only a key that there is is revoked.
//
// The checks of a trade run in the reference program's order: quantity, type, stock, volume.
// It shows in the lab document's five refused POSTs, each of which fails one.

import { invariant } from "../invariant.ts";
import { recordedRequest, refusedInAnyMarket, sameContent } from "./content.ts";
import { isOperatorRequestId, KEYS_MAX } from "./keys.ts";
import { QUANTITY_MAX } from "./limits.ts";
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
  const { content } = request;
  const impossible = refusedInAnyMarket(content);
  if (impossible !== null) {
    return { outcome: { kind: "refused", refusal: impossible }, command: null }; // M1
  }
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

/** Of content that some market accepts. */
function judge(market: MarketReader, requestId: string, content: Content): Judgement {
  switch (content.kind) {
    case "trade":
      return judgeTrade(market, requestId, content);
    case "list":
      return judgeList(market, requestId, content);
    case "adjust":
      return judgeAdjust(market, requestId, content);
    case "key":
      return judgeKey(market, requestId, content);
    case "revoke":
      return judgeRevoke(market, requestId, content);
  }
}

function judgeTrade(
  market: MarketReader,
  requestId: string,
  { name, type, quantity }: Extract<Content, { kind: "trade" }>,
): Judgement {
  invariant(type === "buy" || type === "sell", "a trade is of a known type", { type });
  const stock = market.stock(name);
  if (stock === undefined) return refused({ kind: "unknown-stock", name });
  if (type === "buy" && quantity > stock.quantity) {
    return refused({ kind: "insufficient-volume", name }); // M2
  }
  // M2. Rounding can't hide an overflow: a sum above the largest safe integer
  // is at least 2^53 after rounding too.
  if (type === "sell" && quantity + stock.quantity > QUANTITY_MAX) {
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

function judgeList(
  market: MarketReader,
  requestId: string,
  { name, price, quantity }: Extract<Content, { kind: "list" }>,
): Judgement {
  if (market.stock(name) !== undefined) return refused({ kind: "stock-exists", name });
  // + 0 turns -0 into 0.
  return { kind: "list", requestId, name, price, quantity: quantity + 0 };
}

function judgeAdjust(
  market: MarketReader,
  requestId: string,
  { name, by }: Extract<Content, { kind: "adjust" }>,
): Judgement {
  const stock = market.stock(name);
  if (stock === undefined) return refused({ kind: "unknown-stock", name });
  if (stock.quantity + by < 0) return refused({ kind: "insufficient-volume", name }); // M2
  if (stock.quantity + by > QUANTITY_MAX) return invalidQuantity(by); // M2
  return { kind: "adjust", requestId, name: stock.name, by: by + 0 };
}

function judgeKey(
  { keys }: MarketReader,
  requestId: string,
  content: Extract<Content, { kind: "key" }>,
): Judgement {
  const { name } = content;
  if (!isOperatorRequestId(requestId)) return refused({ kind: "invalid-key", name });
  if (keys.isTaken(name)) return refused({ kind: "key-exists", name }); // M4
  if (keys.size >= KEYS_MAX) return refused({ kind: "too-many-keys", name });
  return { ...content, requestId };
}

function judgeRevoke(
  { keys }: MarketReader,
  requestId: string,
  { name }: Extract<Content, { kind: "revoke" }>,
): Judgement {
  if (!isOperatorRequestId(requestId)) return refused({ kind: "invalid-key", name });
  return keys.has(name)
    ? { kind: "revoke", requestId, name }
    : refused({ kind: "unknown-key", name }); // M4
}

function invalidQuantity(quantity: number): Refused {
  return refused({ kind: "invalid-quantity", quantity });
}

function refused(refusal: Refusal): Refused {
  return { kind: "refusal", refusal };
}
