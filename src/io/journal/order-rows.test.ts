import { expect, test } from "vitest";
import { JournalCorrupt } from "./errors.ts";
import { ORDER_COLUMNS, orderOf, orderValues, type RecordedOrder } from "./order-rows.ts";

const ORDER: RecordedOrder = {
  number: 3,
  name: "FishCo",
  type: "sell",
  quantity: 12,
  price: 17.99,
};
const COLUMNS = ["number", "stock", "sells", "quantity", "price", "position", "checksum"] as const;

function rowOf(order: RecordedOrder): Record<string, number> {
  const values = orderValues(order, 5, 40);
  return Object.fromEntries(COLUMNS.map((column, index) => [column, Number(values[index])]));
}
const nameOf = (stock: number) => (stock === 5 ? "FishCo" : undefined);

test("an order that comes back changed is another trade", () => {
  expect(orderValues(ORDER, 5, 40)).toHaveLength(ORDER_COLUMNS);
  expect(orderOf("path", rowOf(ORDER), nameOf)).toEqual(ORDER);
  const buy = { ...ORDER, type: "buy" } as const;
  expect(orderOf("path", rowOf(buy), nameOf)).toEqual(buy);
});

test.each(COLUMNS)("a damaged %s must not be told to a client", (column) => {
  const row = rowOf(ORDER);
  const damaged = { ...row, [column]: (row[column] ?? 0) + 1 };
  expect(() => orderOf("path", damaged, nameOf)).toThrow(JournalCorrupt);
});
