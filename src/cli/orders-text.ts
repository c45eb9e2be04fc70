// Orders as text, in the reference program's columns: CSV, or columns for people.

import type { OrderView } from "../roles/contract.ts";

const HEADER = ["transaction_number", "stock_name", "order_type", "trade_quantity"] as const;
/** Wide enough for the header and most names, so that pages line up without being read ahead. */
const WIDTHS = [18, 20, 10] as const;

/** Lines of text, each ended. */
export interface OrdersText {
  readonly header: string;
  lines(orders: readonly OrderView[]): string;
}

export const ordersAsCsv: OrdersText = {
  header: `${HEADER.join(",")}\n`,
  lines: (orders) => orders.map((order) => `${cells(order).map(csvField).join(",")}\n`).join(""),
};

export const ordersAsColumns: OrdersText = {
  header: row(HEADER),
  lines: (orders) => orders.map((order) => row(cells(order))).join(""),
};

function cells({ number, name, type, quantity }: OrderView): readonly string[] {
  return [String(number), name, type, String(quantity)];
}

function row(values: readonly string[]): string {
  return `${values
    .map((value, index) => value.padEnd(WIDTHS[index] ?? 0))
    .join("  ")
    .trimEnd()}\n`;
}

/** Quoted only when it must be (RFC 4180, 2.6 and 2.7). */
function csvField(value: string): string {
  return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
