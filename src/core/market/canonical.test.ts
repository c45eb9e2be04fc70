import { describe, expect, it } from "vitest";
import { canonicalOrder, canonicalRequest, canonicalStocks } from "./canonical.ts";
import type { Order, RecordedRequest } from "./types.ts";

const order: Order = {
  number: 1,
  requestId: "key",
  name: "MenhirCo",
  type: "buy",
  quantity: 18,
  price: 17.99,
};

const bought: RecordedRequest = {
  content: { kind: "trade", name: "FishCo", type: "buy", quantity: 1 },
  outcome: { kind: "accepted", number: 7 },
};

describe("canonical forms", () => {
  it("the same facts have the same form, whatever their order", () => {
    const fish = { name: "FishCo", price: 17.99, quantity: 600 };
    const boar = { quantity: 1102, name: "BoarCo", price: 28.59 };
    expect(canonicalStocks([fish, boar])).toBe('["BoarCo",28.59,1102]\n["FishCo",17.99,600]\n');
    expect(canonicalStocks(new Set([boar, fish]))).toBe(canonicalStocks([fish, boar]));
    const { price, ...rest } = order;
    expect(canonicalOrder({ price, ...rest })).toBe('[1,"key","MenhirCo","buy",18,17.99]\n');
  });

  it("orders that differ in any field have different forms", () => {
    const others: Order[] = [
      { ...order, number: 2 },
      { ...order, requestId: "kez" },
      { ...order, name: "BoarCo" },
      { ...order, type: "sell" },
      { ...order, quantity: 19 },
      { ...order, price: 18 },
    ];
    const forms = [order, ...others].map(canonicalOrder);
    expect(new Set(forms).size).toBe(forms.length);
  });

  it("requests of different ids, content or outcome have different forms", () => {
    const trade = { kind: "trade", name: "A", type: "buy", quantity: 1 } as const;
    const requests: [string, RecordedRequest][] = [
      ["id", bought],
      ["ie", bought],
      ["id", { ...bought, outcome: { kind: "accepted", number: 8 } }],
      [
        "id",
        {
          content: { kind: "list", name: "A", price: 1, quantity: 2 },
          outcome: { kind: "listed" },
        },
      ],
      [
        "id",
        {
          content: { kind: "list", name: "A", price: 1, quantity: 3 },
          outcome: { kind: "listed" },
        },
      ],
      ["id", { content: { kind: "adjust", name: "A", by: 1 }, outcome: { kind: "adjusted" } }],
      ["id", { content: { kind: "adjust", name: "A", by: -1 }, outcome: { kind: "adjusted" } }],
      [
        "id",
        {
          content: trade,
          outcome: { kind: "refused", refusal: { kind: "unknown-stock", name: "A" } },
        },
      ],
      [
        "id",
        {
          content: trade,
          outcome: { kind: "refused", refusal: { kind: "stock-exists", name: "A" } },
        },
      ],
      [
        "id",
        {
          content: trade,
          outcome: { kind: "refused", refusal: { kind: "insufficient-volume", name: "A" } },
        },
      ],
      [
        "id",
        {
          content: trade,
          outcome: { kind: "refused", refusal: { kind: "unknown-type", type: "A" } },
        },
      ],
      [
        "id",
        {
          content: trade,
          outcome: { kind: "refused", refusal: { kind: "invalid-quantity", quantity: 1 } },
        },
      ],
      [
        "id",
        {
          content: trade,
          outcome: { kind: "refused", refusal: { kind: "invalid-quantity", quantity: Number.NaN } },
        },
      ],
      [
        "id",
        {
          content: trade,
          outcome: {
            kind: "refused",
            refusal: { kind: "invalid-quantity", quantity: Number.POSITIVE_INFINITY },
          },
        },
      ],
      ["id", { content: { ...trade, type: 'buy",1' }, outcome: { kind: "reused" } }],
      ["id", { content: trade, outcome: { kind: "reused" } }],
    ];
    const forms = requests.map(([requestId, recorded]) => canonicalRequest(requestId, recorded));
    expect(new Set(forms).size).toBe(forms.length);
  });

  it("a negative zero has the form of a zero", () => {
    expect(canonicalStocks([{ name: "A", price: 1, quantity: -0 }])).toBe(
      canonicalStocks([{ name: "A", price: 1, quantity: 0 }]),
    );
  });
});
