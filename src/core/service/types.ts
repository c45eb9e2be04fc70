// What is asked of the order leader and what it answers, and what leader, catalogs
// and front ends tell each other: the words that the rules of this folder speak.
// On the wire each has a schema, which the compiler holds against these.

import type { StocksAnswer, StocksQuestion } from "../market/stock-lists.ts";
import type { ApiKey, Order, Outcome, Request, Stock } from "../market/types.ts";

/** An order as a client sees it. */
export type OrderView = Pick<Order, "number" | "name" | "type" | "quantity">;

/** An order as an operator sees it: `key` is the name of the key that made it, null when none did. */
export type OwnedOrder = OrderView & { readonly key?: string | null | undefined };

/** One thing a client wants of the leader. Safe to ask again: changes carry a request id. */
export type Question =
  | ({ readonly kind: "request" } & Request)
  | { readonly kind: "order"; readonly number: number }
  /** Orders with a number above `after`, at most `limit`; `owned`: and whose they are. */
  | {
      readonly kind: "orders";
      readonly after: number;
      readonly limit: number;
      readonly owned?: boolean | undefined;
    }
  /** All API keys; `known` is the version that is known, null for none. */
  | { readonly kind: "keys"; readonly known: number | null }
  | { readonly kind: "lookup"; readonly name: string }
  | ({ readonly kind: "stocks" } & StocksQuestion);

/** The answer to one question. */
export type Answer =
  | { readonly kind: "outcome"; readonly outcome: Outcome }
  | { readonly kind: "order"; readonly order: OrderView | null }
  | { readonly kind: "orders"; readonly orders: OwnedOrder[]; readonly next: number | null }
  /** `keys` is null where the version is the known one. */
  | { readonly kind: "keys"; readonly version: number; readonly keys: ApiKey[] | null }
  /** `stock` is null for an unknown name. `position`: the journal position this is true at. */
  | { readonly kind: "stock"; readonly stock: Stock | null; readonly position: number }
  | StocksAnswer
  /** The leader has too much in hand; nothing was done. */
  | { readonly kind: "busy" };

/** The answer to all questions of one call. */
export type AskResult =
  | { readonly kind: "answers"; readonly answers: Answer[] }
  /** Not asked of a leader; nothing was done. `leader` is who to ask, if known. */
  | { readonly kind: "not-leader"; readonly leader: number | null }
  /** The leader was deposed, or lost, on the way: the fate is unknown; ask again with the same request ids. */
  | { readonly kind: "unknown" };

/** What a catalog answers an update, by the reference program's status codes. */
export interface CatalogResult {
  readonly status: number;
  readonly message: string;
}

/** A stock, or why there is none, as `GET /stocks/NAME` says it. */
export type FindResult = { readonly status: 200; readonly data: Stock } | CatalogResult;

/** Why a question has no answer. */
export type Unanswered =
  /** No leader answered in time. A change may have happened: ask again under the same request id. */
  | { readonly kind: "unavailable" }
  /** It could not be begun in time. Nothing happened. */
  | { readonly kind: "overloaded" };

/** How a question ended for its client. */
export type Asked = { readonly kind: "answer"; readonly answer: Answer } | Unanswered;

/** From a catalog to its front ends: these stocks changed in (after, through]. */
export interface Hold {
  readonly after: number;
  readonly through: number;
  readonly names: readonly string[];
}

/** A catalog without a lease can't answer: ask the leader. */
export interface Unleased {
  readonly kind: "unleased";
}

/** What a catalog says of some stocks: null for a name that is unknown; all true at `position`. */
export interface LookedUp {
  readonly kind: "stocks";
  readonly stocks: (Stock | null)[];
  readonly position: number;
}
