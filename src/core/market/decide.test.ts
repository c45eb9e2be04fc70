import { describe, expect, it } from "vitest";
import { decide } from "./decide.ts";
import { MarketState } from "./state.ts";
import type { Command, Content, Outcome, Refusal } from "./types.ts";

const LARGEST = Number.MAX_SAFE_INTEGER;

function labMarket(): MarketState {
  return new MarketState({
    stocks: [
      { name: "FishCo", price: 17.99, quantity: 600 },
      { name: "GameStart", price: 5.5, quantity: 100 },
    ],
    lastNumber: 26,
    older: { request: () => undefined },
  });
}

/** Decides and applies, as a leader does, each call at a further position. */
function leader() {
  const market = labMarket();
  let position = 0;
  return {
    market,
    ask(requestId: string, content: Content, recordRefusal = false): Outcome {
      const { outcome, command } = decide(market, { requestId, content, recordRefusal });
      if (command !== null) market.apply(++position, [command]);
      return outcome;
    },
  };
}

function trade(name: string, type: string, quantity: number): Content {
  return { kind: "trade", name, type, quantity };
}

/** What a first attempt at the reference program's market comes to: a refusal, or the command. */
function verdict(content: Content): Refusal | Command {
  const { outcome, command } = decide(labMarket(), {
    requestId: "r",
    content,
    recordRefusal: false,
  });
  if (outcome.kind === "refused") {
    expect(command).toBeNull();
    return outcome.refusal;
  }
  if (command === null) throw new Error(`nothing recorded for ${outcome.kind}`);
  return command;
}

describe("decide, a trade", () => {
  it("an accepted trade takes the next number and the stock's price", () => {
    expect(
      decide(labMarket(), {
        requestId: "r",
        content: trade("FishCo", "buy", 600),
        recordRefusal: false,
      }),
    ).toEqual({
      outcome: { kind: "accepted", number: 27 },
      command: {
        kind: "order",
        number: 27,
        requestId: "r",
        name: "FishCo",
        type: "buy",
        quantity: 600,
        price: 17.99,
      },
    });
  });

  it("a trade with several faults is refused for the first in the lab's order: quantity, type, stock, volume", () => {
    expect(verdict(trade("Hey", "negotiate", -10))).toEqual({
      kind: "invalid-quantity",
      quantity: -10,
    });
    expect(verdict(trade("Hey", "negotiate", 1e20))).toEqual({
      kind: "unknown-type",
      type: "negotiate",
    });
    expect(verdict(trade("Hey", "buy", 1e20))).toEqual({ kind: "unknown-stock", name: "Hey" });
    expect(verdict(trade("Hey", "sell", 1e20))).toEqual({ kind: "unknown-stock", name: "Hey" });
    expect(verdict(trade("GameStart", "buy", 101))).toEqual({
      kind: "insufficient-volume",
      name: "GameStart",
    });
    expect(verdict(trade("GameStart", "buy", 100))).toMatchObject({ kind: "order" });
  });

  it("a buy of more than any number can hold exactly is short of volume, not invalid", () => {
    for (const quantity of [
      Number("9999999999999999"),
      1e20,
      Number.MAX_VALUE,
      LARGEST,
      LARGEST + 1,
    ]) {
      expect(verdict(trade("GameStart", "buy", quantity)), `${quantity}`).toEqual({
        kind: "insufficient-volume",
        name: "GameStart",
      });
    }
  });

  it("a sell can't take a stock beyond exact numbers", () => {
    expect(verdict(trade("FishCo", "sell", LARGEST - 600))).toMatchObject({ kind: "order" });
    for (const quantity of [LARGEST - 599, LARGEST, LARGEST + 1, 1e20, Number.MAX_VALUE]) {
      expect(verdict(trade("FishCo", "sell", quantity)), `${quantity}`).toEqual({
        kind: "invalid-quantity",
        quantity,
      });
    }
  });

  it("nothing, less than nothing, and parts can't be traded", () => {
    for (const quantity of [0, -0, -1, 1.9, -1e20, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(verdict(trade("FishCo", "buy", quantity)), `${quantity}`).toEqual({
        kind: "invalid-quantity",
        quantity,
      });
    }
  });

  it("types are lower case, names exact, and no property of an object is one", () => {
    expect(verdict(trade("FishCo", "BUY", 1))).toMatchObject({ kind: "unknown-type" });
    expect(verdict(trade("FishCo", "", 1))).toMatchObject({ kind: "unknown-type" });
    expect(verdict(trade("fishco", "buy", 1))).toMatchObject({ kind: "unknown-stock" });
    expect(verdict(trade("constructor", "buy", 1))).toMatchObject({ kind: "unknown-stock" });
  });
});

describe("decide, listings and adjustments", () => {
  it("a stock isn't listed twice, nor without a price or with less than nothing", () => {
    const list = (name: string, price: number, quantity: number): Content => ({
      kind: "list",
      name,
      price,
      quantity,
    });
    expect(verdict(list("BoarCo", 28.59, 0))).toEqual({
      kind: "list",
      requestId: "r",
      name: "BoarCo",
      price: 28.59,
      quantity: 0,
    });
    expect(verdict(list("BoarCo", 28.59, -0))).toMatchObject({ quantity: 0 });
    expect(verdict(list("FishCo", 1, 1))).toEqual({ kind: "stock-exists", name: "FishCo" });
    for (const price of [0, -1, 1e300, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(verdict(list("BoarCo", price, 1))).toEqual({
        kind: "invalid-quantity",
        quantity: price,
      });
    }
    for (const quantity of [-1, 0.5, LARGEST + 1, Number.NaN]) {
      expect(verdict(list("BoarCo", 1, quantity))).toEqual({ kind: "invalid-quantity", quantity });
    }
    for (const name of ["", "Boar Co", "Boar1", "Bœuf", "BoarCo\n"]) {
      expect(verdict(list(name, 1, 1)), name).toEqual({ kind: "unknown-stock", name });
    }
  });

  it("an adjustment can't take a stock below zero or beyond exact numbers", () => {
    const adjust = (name: string, by: number): Content => ({ kind: "adjust", name, by });
    expect(verdict(adjust("FishCo", 10))).toEqual({
      kind: "adjust",
      requestId: "r",
      name: "FishCo",
      by: 10,
    });
    expect(verdict(adjust("FishCo", -600))).toMatchObject({ kind: "adjust" });
    expect(verdict(adjust("FishCo", 0))).toMatchObject({ kind: "adjust" });
    expect(verdict(adjust("FishCo", -601))).toEqual({
      kind: "insufficient-volume",
      name: "FishCo",
    });
    expect(verdict(adjust("FishCo", LARGEST - 600))).toMatchObject({ kind: "adjust" });
    expect(verdict(adjust("FishCo", LARGEST - 599))).toMatchObject({ kind: "invalid-quantity" });
    for (const by of [LARGEST + 1, -LARGEST - 1, 0.5, Number.NaN, Number.NEGATIVE_INFINITY]) {
      expect(verdict(adjust("FishCo", by))).toEqual({ kind: "invalid-quantity", quantity: by });
    }
    expect(verdict(adjust("Meh", 10))).toEqual({ kind: "unknown-stock", name: "Meh" });
  });
});

describe("decide, a request id seen before", () => {
  it("M1: a further attempt doesn't buy again, though stock and volume are looked at no more", () => {
    const { market, ask } = leader();
    const content = trade("GameStart", "buy", 100);
    expect(ask("a", content)).toEqual({ kind: "accepted", number: 27 });
    expect(ask("b", content)).toMatchObject({ kind: "refused" });
    expect(ask("a", { ...content })).toEqual({ kind: "accepted", number: 27 });
    expect(market.stock("GameStart")?.quantity).toBe(0);
    expect(market.lastNumber).toBe(27);
  });

  it("M1: a delayed attempt can't buy after a recorded no, though there is volume now", () => {
    const { ask } = leader();
    const content = trade("GameStart", "buy", 101);
    const refused = {
      kind: "refused",
      refusal: { kind: "insufficient-volume", name: "GameStart" },
    };
    expect(ask("a", content, true)).toEqual(refused);
    expect(ask("s", trade("GameStart", "sell", 50))).toMatchObject({ kind: "accepted" });
    expect(ask("a", content)).toEqual(refused);
    expect(ask("fresh", content)).toMatchObject({ kind: "accepted" });
  });

  it("a refusal without a client's key leaves nothing behind", () => {
    const { market, ask } = leader();
    expect(ask("a", trade("Hey", "buy", 1), false)).toMatchObject({ kind: "refused" });
    expect(market.tailSize).toBe(0);
    expect(ask("a", trade("FishCo", "buy", 1))).toMatchObject({ kind: "accepted" });
  });

  it("a key used for something else is told so, and nothing happens or is recorded", () => {
    const { market, ask } = leader();
    ask("a", trade("FishCo", "buy", 1));
    ask("l", { kind: "list", name: "BoarCo", price: 2, quantity: 3 });
    ask("j", { kind: "adjust", name: "FishCo", by: 5 });
    const held = market.tailSize;
    const others: [string, Content][] = [
      ["a", trade("FishCo", "buy", 2)],
      ["a", trade("FishCo", "sell", 1)],
      ["a", trade("GameStart", "buy", 1)],
      ["a", { kind: "adjust", name: "FishCo", by: 1 }],
      ["l", { kind: "list", name: "BoarCo", price: 2, quantity: 4 }],
      ["l", { kind: "list", name: "BoarCo", price: 3, quantity: 3 }],
      ["l", trade("BoarCo", "buy", 3)],
      ["j", { kind: "adjust", name: "FishCo", by: 6 }],
      ["j", { kind: "list", name: "FishCo", price: 5, quantity: 5 }],
    ];
    for (const [requestId, content] of others) {
      expect(ask(requestId, content, true), JSON.stringify(content)).toEqual({ kind: "reused" });
    }
    expect(market.tailSize).toBe(held);
    expect(ask("l", { kind: "list", name: "BoarCo", price: 2, quantity: 3 })).toEqual({
      kind: "listed",
    });
    expect(ask("j", { kind: "adjust", name: "FishCo", by: 5 })).toEqual({ kind: "adjusted" });
    expect(market.stock("FishCo")?.quantity).toBe(604);
  });

  it("a request that only the durable tables know is found there", () => {
    const market = new MarketState({
      stocks: [],
      lastNumber: 1,
      older: {
        request: (requestId) =>
          requestId === "old"
            ? {
                content: { kind: "trade", name: "FishCo", type: "buy", quantity: 1 },
                outcome: { kind: "accepted", number: 1 },
              }
            : undefined,
      },
    });
    const ask = (content: Content) =>
      decide(market, { requestId: "old", content, recordRefusal: true });
    expect(ask(trade("FishCo", "buy", 1))).toEqual({
      outcome: { kind: "accepted", number: 1 },
      command: null,
    });
    expect(ask(trade("FishCo", "buy", 2))).toEqual({ outcome: { kind: "reused" }, command: null });
  });

  it("M1: what no market accepts leaves nothing behind, under a client's key too, and stays refused", () => {
    const { market, ask } = leader();
    const nonsense: Content[] = [
      trade("FishCo", "buy", 0),
      trade("FishCo", "negotiate", 1),
      trade("x".repeat(65), "buy", 1),
      trade("\ud800", "sell", 1),
      { kind: "list", name: "Boar Co", price: 1, quantity: 1 },
      { kind: "list", name: "BoarCo", price: 1e300, quantity: 1 },
      { kind: "adjust", name: "FishCo", by: 0.5 },
    ];
    for (const content of nonsense) {
      const first = ask("a", content, true);
      expect(first).toMatchObject({ kind: "refused" });
      expect(ask("a", content, true)).toEqual(first);
    }
    expect(market.tailSize).toBe(0);
    expect(ask("a", trade("FishCo", "buy", 1), true)).toEqual({ kind: "accepted", number: 27 });
    for (const content of nonsense) expect(ask("a", content)).toMatchObject({ kind: "refused" });
    expect(ask("a", trade("FishCo", "buy", 1))).toEqual({ kind: "accepted", number: 27 });
  });
});
