import { describe, expect, it } from "vitest";
import { isStockName, recordedRequest, refusedInAnyMarket, sameContent } from "./content.ts";
import { NAME_LETTERS_MAX, PRICE_MAX, QUANTITY_MAX } from "./limits.ts";
import type { Command, Content } from "./types.ts";

const contents: Content[] = [
  { kind: "trade", name: "FishCo", type: "buy", quantity: 1 },
  { kind: "trade", name: "FishCo", type: "buy", quantity: 2 },
  { kind: "trade", name: "FishCo", type: "buy", quantity: Number.NaN },
  { kind: "trade", name: "FishCo", type: "sell", quantity: 1 },
  { kind: "trade", name: "BoarCo", type: "buy", quantity: 1 },
  { kind: "list", name: "FishCo", price: 1, quantity: 1 },
  { kind: "list", name: "FishCo", price: 2, quantity: 1 },
  { kind: "list", name: "FishCo", price: Number.NaN, quantity: 2 },
  { kind: "adjust", name: "FishCo", by: 1 },
  { kind: "adjust", name: "FishCo", by: Number.NaN },
];

describe("sameContent", () => {
  it("takes no content for another, and each for its own copy", () => {
    for (const a of contents) {
      for (const b of contents) {
        expect(sameContent(a, { ...b }), `${JSON.stringify(a)} ${JSON.stringify(b)}`).toBe(a === b);
      }
    }
  });

  it("takes a zero that lost its sign on the way for the same quantity", () => {
    const zero = { kind: "trade", name: "A", type: "buy", quantity: 0 } as const;
    expect(sameContent(zero, { ...zero, quantity: -0 })).toBe(true);
  });
});

describe("refusedInAnyMarket", () => {
  const trade = { kind: "trade", name: "FishCo", type: "buy", quantity: 1 } as const;
  const list = { kind: "list", name: "FishCo", price: 17.99, quantity: 600 } as const;
  const adjust = { kind: "adjust", name: "FishCo", by: -5 } as const;
  const invalid = (quantity: number) => ({ kind: "invalid-quantity", quantity });

  it("refuses nothing that some market accepts", () => {
    const longest = "z".repeat(NAME_LETTERS_MAX);
    for (const content of [
      trade,
      { ...trade, type: "sell" },
      { ...trade, name: longest, quantity: QUANTITY_MAX },
      { ...list, name: longest, price: PRICE_MAX, quantity: QUANTITY_MAX },
      { ...list, price: 0.01, quantity: 0 },
      { ...adjust, by: QUANTITY_MAX },
      { ...adjust, name: longest, by: -QUANTITY_MAX },
      { ...adjust, by: 0 },
    ]) {
      expect(refusedInAnyMarket(content), JSON.stringify(content)).toBeNull();
    }
  });

  it("leaves the largest buy to a market, which may not have the stock or the volume", () => {
    expect(refusedInAnyMarket({ ...trade, quantity: 1e20 })).toBeNull();
  });

  it("refuses what no market accepts, for the first of the lab's reasons", () => {
    const tooLong = "z".repeat(NAME_LETTERS_MAX + 1);
    const cases: [Content, ReturnType<typeof refusedInAnyMarket>][] = [
      ...[0, -0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY].map(
        (quantity): (typeof cases)[number] => [
          { ...trade, name: tooLong, type: "x", quantity },
          { kind: "invalid-quantity", quantity },
        ],
      ),
      [
        { ...trade, name: tooLong, type: "x" },
        { kind: "unknown-type", type: "x" },
      ],
      [
        { ...list, price: 1e300 },
        { kind: "invalid-quantity", quantity: 1e300 },
      ],
      [
        { ...list, quantity: -1 },
        { kind: "invalid-quantity", quantity: -1 },
      ],
      [
        { ...adjust, by: 0.5 },
        { kind: "invalid-quantity", quantity: 0.5 },
      ],
    ];
    for (const name of [tooLong, "", "Hey there", "B\u0153uf", "\ud800", "Fish\n"]) {
      for (const content of [trade, list, adjust]) {
        cases.push([
          { ...content, name },
          { kind: "unknown-stock", name },
        ]);
      }
    }
    for (const [content, refusal] of cases) {
      expect(refusedInAnyMarket(content), JSON.stringify(content)).toEqual(refusal);
    }
    expect(refusedInAnyMarket({ ...list, price: 0 })).toEqual(invalid(0));
  });
});

describe("recordedRequest", () => {
  it("is the content that asked for a command, and its answer", () => {
    const refusal = { kind: "unknown-stock", name: "Hey" } as const;
    const hey: Content = { kind: "trade", name: "Hey", type: "buy", quantity: 1 };
    const cases: [Command, ReturnType<typeof recordedRequest>][] = [
      [
        {
          kind: "order",
          number: 7,
          requestId: "r",
          name: "FishCo",
          type: "sell",
          quantity: 3,
          price: 17.99,
        },
        {
          content: { kind: "trade", name: "FishCo", type: "sell", quantity: 3 },
          outcome: { kind: "accepted", number: 7 },
        },
      ],
      [
        { kind: "refuse", requestId: "r", content: hey, refusal },
        { content: hey, outcome: { kind: "refused", refusal } },
      ],
      [
        { kind: "list", requestId: "r", name: "A", price: 1, quantity: 2 },
        {
          content: { kind: "list", name: "A", price: 1, quantity: 2 },
          outcome: { kind: "listed" },
        },
      ],
      [
        { kind: "adjust", requestId: "r", name: "A", by: -1 },
        { content: { kind: "adjust", name: "A", by: -1 }, outcome: { kind: "adjusted" } },
      ],
    ];
    for (const [command, recorded] of cases) expect(recordedRequest(command)).toEqual(recorded);
  });
});

describe("isStockName", () => {
  it("accepts only letters that every URL can carry, 64 of them at most", () => {
    for (const name of ["A", "FishCo", "z".repeat(64)]) expect(isStockName(name)).toBe(true);
    for (const name of [
      "",
      "Fish Co",
      "Fish1",
      "Fish-Co",
      "Bœuf",
      "Fish\n",
      "Fish/Co",
      "z".repeat(65),
    ]) {
      expect(isStockName(name), name).toBe(false);
    }
  });
});
