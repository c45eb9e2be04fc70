import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { InvariantViolation } from "../../core/invariant.ts";
import { JournalCorrupt } from "./errors.ts";
import {
  ORDER_COLUMNS,
  orderOf,
  orderValues,
  prepareBulkInsert,
  type RecordedOrder,
  stockChecksum,
  stockOf,
} from "./rows.ts";

function table(): DatabaseSync {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE t (a INTEGER, b TEXT, c INTEGER)");
  return database;
}

test("all rows are inserted once and in order, across the seams between two statements", () => {
  for (const rows of [0, 1, 15, 16, 17, 32, 100]) {
    const database = table();
    const insert = prepareBulkInsert(database, "t (a, b)", 2);
    insert(Array.from({ length: rows }, (_, index) => [index, `row ${index}`]).flat());
    const stored = database.prepare("SELECT * FROM t ORDER BY rowid").all();
    expect(stored.map(({ a, b, c }) => ({ a, b, c }))).toEqual(
      Array.from({ length: rows }, (_, a) => ({ a, b: `row ${a}`, c: null })),
    );
  }
});

test("half a row is refused", () => {
  const insert = prepareBulkInsert(table(), "t (a, b)", 2);
  expect(() => insert([1, "one", 2])).toThrow(InvariantViolation);
});

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
])("a damaged row of a stock is refused: %j", (change) => {
  expect(() => stockOf("path", { ...ROW, ...change })).toThrow();
  if (typeof change.quantity !== "string" && change.checksum !== null) {
    expect(() => stockOf("path", { ...ROW, ...change })).toThrow(JournalCorrupt);
  }
});

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

test("an order comes back as it was", () => {
  expect(orderValues(ORDER, 5, 40)).toHaveLength(ORDER_COLUMNS);
  expect(orderOf("path", rowOf(ORDER), nameOf)).toEqual(ORDER);
  const buy = { ...ORDER, type: "buy" } as const;
  expect(orderOf("path", rowOf(buy), nameOf)).toEqual(buy);
});

test.each(COLUMNS)("an order with a damaged %s is refused", (column) => {
  const row = rowOf(ORDER);
  const damaged = { ...row, [column]: (row[column] ?? 0) + 1 };
  expect(() => orderOf("path", damaged, nameOf)).toThrow(JournalCorrupt);
});
