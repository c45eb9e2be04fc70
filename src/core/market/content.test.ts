import { describe, expect, it } from "vitest";
import { isStockName, recordedRequest, sameContent, wellFormedContent } from "./content.ts";
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
  it("no content is taken for another, and every one for its own copy", () => {
    for (const a of contents) {
      for (const b of contents) {
        expect(sameContent(a, { ...b }), `${JSON.stringify(a)} ${JSON.stringify(b)}`).toBe(a === b);
      }
    }
  });

  it("a zero that lost its sign on the way isn't another quantity", () => {
    const zero = { kind: "trade", name: "A", type: "buy", quantity: 0 } as const;
    expect(sameContent(zero, { ...zero, quantity: -0 })).toBe(true);
  });
});

describe("wellFormedContent", () => {
  it("what UTF-8 can hold is not copied, what it can't is replaced in every string", () => {
    for (const content of contents) expect(wellFormedContent(content)).toBe(content);
    expect(
      wellFormedContent({ kind: "trade", name: "a\ud800", type: "\udc00b", quantity: 1 }),
    ).toEqual({ kind: "trade", name: "a\ufffd", type: "\ufffdb", quantity: 1 });
    expect(wellFormedContent({ kind: "adjust", name: "\ud800", by: 1 })).toEqual({
      kind: "adjust",
      name: "\ufffd",
      by: 1,
    });
  });
});

describe("recordedRequest", () => {
  it("what is remembered of a command is the content that asked for it, and its answer", () => {
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
  it("only letters that every URL can carry name a stock", () => {
    for (const name of ["A", "FishCo", "z".repeat(1_000)]) expect(isStockName(name)).toBe(true);
    for (const name of ["", "Fish Co", "Fish1", "Fish-Co", "Bœuf", "Fish\n", "Fish/Co"]) {
      expect(isStockName(name), name).toBe(false);
    }
  });
});
