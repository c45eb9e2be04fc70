import { expect, test } from "vitest";
import { JournalCorrupt } from "./errors.ts";
import { stockChecksum, stockOf } from "./stock-rows.ts";

const STOCK = { name: "FishCo", price: 17.99, quantity: 600 };
const ROW = { ...STOCK, checksum: stockChecksum(STOCK) };

test("a stock is what its row says", () => {
  expect(stockOf("path", ROW)).toEqual(STOCK);
});

test.each([
  { name: "FishCe" },
  { price: 17.98 },
  { quantity: 601 },
  { quantity: "600" },
  { checksum: 1 },
  { checksum: null },
])("a damaged row must not be traded on: %j", (change) => {
  expect(() => stockOf("path", { ...ROW, ...change })).toThrow();
  if (typeof change.quantity !== "string" && change.checksum !== null) {
    expect(() => stockOf("path", { ...ROW, ...change })).toThrow(JournalCorrupt);
  }
});
