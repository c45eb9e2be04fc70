// The client library: what `stock-bazaar/client` exports.

export type { ApiKeySource } from "./arguments.ts";
export type { TradeAnswer, TradeRequest } from "./client.ts";
export { BazaarClient, type BazaarClientOptions, type CallOptions } from "./client.ts";
export { BazaarError, type BazaarErrorKind } from "./errors.ts";
export type { ChangeMessage, StateMessage } from "./event-messages.ts";
export type { BazaarEvent, EventOptions } from "./events.ts";
export type { Order, OrderPage, Stock, StockPage, TradeType } from "./types.ts";
