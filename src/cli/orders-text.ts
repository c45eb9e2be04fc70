// Orders as text, in the reference program's columns: CSV, or columns for people.

import type { OwnedOrder } from "../core/service/types.ts";

const HEADER = ["transaction_number", "stock_name", "order_type", "trade_quantity"] as const;
const KEY_HEADER = "key";
/** Wide enough for the header and most names, so that pages line up without being read ahead. */
const WIDTHS = [18, 20, 10, 14] as const;

/** Lines of text, each ended. */
export interface OrdersText {
  readonly header: string;
  lines(orders: readonly OwnedOrder[]): string;
}

/** `owned`: with whose they are, where somebody's. */
export function ordersText({ csv, owned }: { csv: boolean; owned: boolean }): OrdersText {
  const line = csv ? csvRow : row;
  return {
    header: line(owned ? [...HEADER, KEY_HEADER] : HEADER),
    lines: (orders) => orders.map((order) => line(cells(order, owned))).join(""),
  };
}

function cells({ number, name, type, quantity, key }: OwnedOrder, owned: boolean) {
  const seen = [String(number), name, type, String(quantity)];
  return owned ? [...seen, key ?? ""] : seen;
}

function csvRow(values: readonly string[]): string {
  return `${values.map(csvField).join(",")}\n`;
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
