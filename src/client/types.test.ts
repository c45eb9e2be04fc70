// Answers of another shape than the bazaar's are told apart.

import { expect, test } from "vitest";
import { isArrayOf, isObject, isOrder, isStock } from "./types.ts";

const STOCK = { name: "FishCo", price: 17.99, quantity: 600 };
const ORDER = { number: 1, name: "FishCo", type: "buy", quantity: 18 };

test.each([null, undefined, 1, "FishCo", [], [STOCK], { ...STOCK, quantity: "600" }, {}])(
  "%j is no stock",
  (value) => expect(isStock(value)).toBe(false),
);

test.each([null, STOCK, { ...ORDER, type: "BUY" }, { ...ORDER, number: null }])(
  "%j is no order",
  (value) => expect(isOrder(value)).toBe(false),
);

test("the bazaar's own answers are recognized", () => {
  expect(isStock(STOCK)).toBe(true);
  expect(isOrder(ORDER)).toBe(true);
  expect(isArrayOf([STOCK, STOCK], isStock)).toBe(true);
  expect(isArrayOf([STOCK, ORDER], isStock)).toBe(false);
  expect(isArrayOf({ 0: STOCK }, isStock)).toBe(false);
  expect(isObject(ORDER)).toBe(true);
});
