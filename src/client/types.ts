// What the bazaar answers with, as a client sees it, and the check that an
// answer is that. Checked by hand: a schema library would be most of the size
// of this one in a browser.

/** A stock on offer. `quantity` is whole and never negative. */
export interface Stock {
  readonly name: string;
  readonly price: number;
  readonly quantity: number;
}

/** A buy lowers the stock's quantity, a sell raises it. */
export type TradeType = "buy" | "sell";

/** A trade that was accepted. Numbers are 1, 2, 3 … without gaps. */
export interface Order {
  readonly number: number;
  readonly name: string;
  readonly type: TradeType;
  readonly quantity: number;
}

/** A page of orders, ascending; `next` is what to give as `after` for the page that follows, null at the end. */
export interface OrderPage {
  readonly orders: readonly Order[];
  readonly next: number | null;
}

/** A page of stocks, by name; `next` is what to give as `after` for the page that follows, null at the end. */
export interface StockPage {
  readonly stocks: readonly Stock[];
  readonly next: string | null;
}

type Fields = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isStock(value: unknown): value is Stock {
  return (
    isObject(value) &&
    typeof value.name === "string" &&
    typeof value.price === "number" &&
    typeof value.quantity === "number"
  );
}

export function isOrder(value: unknown): value is Order {
  return (
    isObject(value) &&
    typeof value.number === "number" &&
    typeof value.name === "string" &&
    (value.type === "buy" || value.type === "sell") &&
    typeof value.quantity === "number"
  );
}

export function isArrayOf<T>(
  value: unknown,
  isItem: (item: unknown) => item is T,
): value is readonly T[] {
  return Array.isArray(value) && value.every(isItem);
}
