// What the tests of this folder share: two stocks, trades, and answers to them.

import { MarketState } from "../market/state.ts";
import type { OrderTables } from "./turn.ts";
import type { Answer, Question } from "./types.ts";

export function market(): MarketState {
  const stocks = [
    { name: "FishCo", price: 17.99, quantity: 600 },
    { name: "BoarCo", price: 28.59, quantity: 1102 },
  ];
  return new MarketState({ stocks, lastNumber: 0, older: { request: () => undefined } });
}

export const noTables: OrderTables = {
  order: () => undefined,
  orders: () => [],
  readTogether: (read) => read(),
};

export function trade(
  requestId: string,
  name = "FishCo",
  type = "sell",
  quantity = 1,
  recordRefusal = false,
): Question {
  return {
    kind: "request",
    requestId,
    content: { kind: "trade", name, type, quantity },
    recordRefusal,
  };
}

export function accepted(number: number): Answer {
  return { kind: "outcome", outcome: { kind: "accepted", number } };
}

export const refused: Answer = {
  kind: "outcome",
  outcome: { kind: "refused", refusal: { kind: "unknown-stock", name: "FishCo" } },
};
