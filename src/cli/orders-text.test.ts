// Orders in the reference program's columns.

import { expect, test } from "vitest";
import { ordersText } from "./orders-text.ts";

const ordersAsCsv = ordersText({ csv: true, owned: false });
const ordersAsColumns = ordersText({ csv: false, owned: false });
const ORDERS = [
  { number: 1, name: "FishCo", type: "buy", quantity: 18 },
  { number: 20, name: 'The "Co", Ltd', type: "sell", quantity: 1 },
] as const;

test("orders as CSV have the reference program's columns, and a name with a comma is quoted", () => {
  expect(ordersAsCsv.header).toBe("transaction_number,stock_name,order_type,trade_quantity\n");
  expect(ordersAsCsv.lines(ORDERS)).toBe('1,FishCo,buy,18\n20,"The ""Co"", Ltd",sell,1\n');
  expect(ordersAsCsv.lines([])).toBe("");
});

test("pages of orders line up under the header", () => {
  const text = ordersAsColumns.header + ordersAsColumns.lines(ORDERS);
  expect(text).toBe(
    [
      "transaction_number  stock_name            order_type  trade_quantity",
      "1                   FishCo                buy         18",
      '20                  The "Co", Ltd         sell        1',
      "",
    ].join("\n"),
  );
});

test("whose an order is stands in a column of its own, where it is asked for", () => {
  const owned = ORDERS.map((order, index) => ({ ...order, key: ["shop", null][index] ?? null }));
  const csv = ordersText({ csv: true, owned: true });
  expect(csv.header).toBe("transaction_number,stock_name,order_type,trade_quantity,key\n");
  expect(csv.lines(owned)).toBe('1,FishCo,buy,18,shop\n20,"The ""Co"", Ltd",sell,1,\n');
  const columns = ordersText({ csv: false, owned: true });
  expect(columns.lines(owned.slice(0, 1))).toBe(
    "1                   FishCo                buy         18              shop\n",
  );
});
