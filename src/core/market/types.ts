// The words of the market: what may be asked, what is decided, what is recorded.
//
// A Request asks; decide() turns it into an Outcome and, where something must be
// remembered, a Command. Commands are effects, decided once by the leader, so
// that applying one can't fail and every replica ends up the same.

/** Direction of a trade, seen from the client: a buy lowers the stock's quantity, a sell raises it. */
export type TradeType = "buy" | "sell";

/** A stock on offer. `quantity` is a safe integer, never negative; `price` a positive finite number. */
export interface Stock {
  readonly name: string;
  readonly price: number;
  readonly quantity: number;
}

/** An accepted trade. Numbers are 1, 2, 3 … without gaps; `price` is the stock's when it was decided. */
export interface Order {
  readonly number: number;
  readonly requestId: string;
  readonly name: string;
  readonly type: TradeType;
  readonly quantity: number;
  readonly price: number;
}

/** What a request is about, without its identity. The same request id must always come with the same content. */
export type Content =
  | {
      readonly kind: "trade";
      readonly name: string;
      readonly type: string;
      readonly quantity: number;
    }
  | {
      readonly kind: "list";
      readonly name: string;
      readonly price: number;
      readonly quantity: number;
    }
  | { readonly kind: "adjust"; readonly name: string; readonly by: number };

/** A call that changes the market, well-formed but not yet judged. */
export interface Request {
  /** Identity of the call across its attempts: 1 to 128 printable ASCII characters. */
  readonly requestId: string;
  readonly content: Content;
  /**
   * Record a refusal too: the call came with a client's key, or isn't the first
   * attempt. Otherwise a delayed attempt could buy after the client was told no.
   */
  readonly recordRefusal: boolean;
}

/** Why the market said no. The order of the variants is the order of the checks, which is the reference program's. */
export type Refusal =
  | { readonly kind: "invalid-quantity"; readonly quantity: number }
  | { readonly kind: "unknown-type"; readonly type: string }
  | { readonly kind: "unknown-stock"; readonly name: string }
  | { readonly kind: "insufficient-volume"; readonly name: string }
  | { readonly kind: "stock-exists"; readonly name: string };

/** The answer of the market to a Request; the same for every attempt under one request id. */
export type Outcome =
  | { readonly kind: "accepted"; readonly number: number }
  | { readonly kind: "listed" }
  | { readonly kind: "adjusted" }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** The request id was used before, with other content. Never recorded. */
  | { readonly kind: "reused" };

/** One recorded effect. An entry of the journal holds one or more of them, decided in the same turn. */
export type Command =
  | ({ readonly kind: "order" } & Order)
  | {
      readonly kind: "refuse";
      readonly requestId: string;
      readonly content: Content;
      readonly refusal: Refusal;
    }
  | {
      readonly kind: "list";
      readonly requestId: string;
      readonly name: string;
      readonly price: number;
      readonly quantity: number;
    }
  | {
      readonly kind: "adjust";
      readonly requestId: string;
      readonly name: string;
      readonly by: number;
    };

/** What is remembered of a request id, forever. */
export interface RecordedRequest {
  readonly content: Content;
  readonly outcome: Outcome;
}

/** What decide() reads: the market at the leader's newest state. */
export interface MarketReader {
  stock(name: string): Stock | undefined;
  request(requestId: string): RecordedRequest | undefined;
  /** Number of the newest order; 0 before the first. */
  readonly lastNumber: number;
}
