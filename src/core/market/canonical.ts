// The one way to write stocks, orders and requests down for comparison.
//
// Replicas and catalogs hold the same facts in tables of their own; digests of
// these strings tell whether they are the same. Each is a line of JSON with its
// fields in a fixed order, so no two different facts give the same string, and a
// digest may be taken over any number of lines, one after the other.

import { contentFields, type Field, refusedValue } from "./content.ts";
import type { Order, Outcome, RecordedRequest, Stock } from "./types.ts";

/** All stocks, a line each, whatever order they come in. */
export function canonicalStocks(stocks: Iterable<Stock>): string {
  return [...stocks]
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    .map(({ name, price, quantity }) => line([name, price, quantity]))
    .join("");
}

/** One order. A digest of many goes by ascending number. */
export function canonicalOrder(order: Order): string {
  return line([order.number, order.requestId, order.name, order.type, order.quantity, order.price]);
}

/** What is remembered of one request id. A digest of many goes by ascending request id. */
export function canonicalRequest(requestId: string, recorded: RecordedRequest): string {
  return line([requestId, ...contentFields(recorded.content), ...outcomeFields(recorded.outcome)]);
}

function outcomeFields(outcome: Outcome): Field[] {
  switch (outcome.kind) {
    case "accepted":
      return ["accepted", outcome.number];
    case "refused":
      return ["refused", outcome.refusal.kind, refusedValue(outcome.refusal)];
    default:
      return [outcome.kind];
  }
}

/** 0 and -0 come out the same, as a table may not keep them apart; JSON has no other numbers that it can't tell apart. */
function line(fields: readonly Field[]): string {
  const writable = fields.map((field) =>
    typeof field === "number" && !Number.isFinite(field) ? { not: String(field) } : field,
  );
  return `${JSON.stringify(writable)}\n`;
}
