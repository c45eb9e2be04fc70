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
  | { readonly kind: "adjust"; readonly name: string; readonly by: number }
  | ({ readonly kind: "key" } & ApiKey)
  /** `name` is a key's. */
  | { readonly kind: "revoke"; readonly name: string };

/** Who may ask for what, as it is recorded: what proves it, and what it is for. */
export interface ApiKey {
  /** What orders and logs call it: given once, for ever. */
  readonly name: string;
  /** SHA-256 of the secret, 64 hex digits. */
  readonly digest: string;
  /** Rights, with commas between, in the order of RIGHTS. */
  readonly may: string;
  /** The only stocks that it is for, with commas between; empty: for all. */
  readonly stocks: string;
  /** Milliseconds since 1970 from which on it is none; 0: never. */
  readonly expiresAtMs: number;
}

/** A call that changes the market, well-formed but not yet judged. */
export interface Request {
  /** Identity of the call across its attempts: whose it is (requestIdOf() in keys.ts), and 1 to 128 printable ASCII characters. */
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
  | { readonly kind: "stock-exists"; readonly name: string }
  | { readonly kind: "invalid-key"; readonly name: string }
  | { readonly kind: "key-exists"; readonly name: string }
  | { readonly kind: "too-many-keys"; readonly name: string }
  | { readonly kind: "unknown-key"; readonly name: string };

/** The answer of the market to a Request; the same for every attempt under one request id. */
export type Outcome =
  | { readonly kind: "accepted"; readonly number: number }
  | { readonly kind: "listed" }
  | { readonly kind: "adjusted" }
  | { readonly kind: "key-made" }
  | { readonly kind: "key-revoked" }
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
    }
  | ({ readonly kind: "key"; readonly requestId: string } & ApiKey)
  | { readonly kind: "revoke"; readonly requestId: string; readonly name: string };

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
  /** Who may ask, by name; a name is taken for ever. */
  readonly keys: {
    readonly size: number;
    has(name: string): boolean;
    isTaken(name: string): boolean;
  };
}
