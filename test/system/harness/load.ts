// Clients that trade at once, and what their answers must add up to.

import { type Call, dataOf, type HttpClient, jsonOf, numberOf } from "./http.ts";

/** A trade as a body of `POST /orders`. */
export interface Trade {
  readonly name: string;
  readonly type: "buy" | "sell";
  readonly quantity: number;
}

/** An order as `GET /orders` lists it. */
export interface OrderRow extends Trade {
  readonly number: number;
}

/** A trade and its answer. */
export interface Traded {
  readonly trade: Trade;
  readonly call: Call;
}

/** Trades under way until stop() is called. */
export class Load {
  readonly traded: Traded[] = [];
  readonly #clients: readonly Promise<void>[];
  #stopping = false;

  /** Each client waits for its answer before it sends the next; `next` says what the nth of a client is. */
  constructor(clients: readonly HttpClient[], next: (client: number, nth: number) => Trade) {
    this.#clients = clients.map(async (client, index) => {
      for (let nth = 0; !this.#stopping; nth++) {
        const trade = next(index, nth);
        this.traded.push({ trade, call: await client.trade(trade) });
      }
    });
  }

  /** Trades answered 200 so far. */
  get accepted(): number {
    return this.traded.filter(({ call }) => call.status === 200).length;
  }

  /** Lets every client finish its trade and returns all of them. */
  async stop(): Promise<readonly Traded[]> {
    this.#stopping = true;
    await Promise.all(this.#clients);
    return this.traded;
  }
}

/** Sends trades one after the other; each must be accepted. Returns their numbers. */
export async function tradeInTurn(client: HttpClient, trades: readonly Trade[]): Promise<number[]> {
  const numbers: number[] = [];
  for (const trade of trades) numbers.push(numberOf(await client.trade(trade)));
  return numbers;
}

/** `count` times the same trade. */
export function times(count: number, trade: Trade): readonly Trade[] {
  return Array.from({ length: count }, () => trade);
}

/** Every order there is, page by page. */
export async function allOrders(client: HttpClient): Promise<readonly OrderRow[]> {
  const rows: OrderRow[] = [];
  let after: number | null = 0;
  while (after !== null) {
    const call = await client.get(`/orders?after=${after}&limit=1000`);
    rows.push(...(dataOf(call) as OrderRow[]));
    after = (jsonOf(call) as { next: number | null }).next;
  }
  return rows;
}

/** A stock's quantity as the front end tells it. */
export async function quantityOf(client: HttpClient, name: string): Promise<number> {
  return (dataOf(await client.get(`/stocks/${name}`)) as { quantity: number }).quantity;
}

/** What `orders` did to each stock's quantity: bought is less, sold is more. */
export function movements(orders: readonly Trade[]): ReadonlyMap<string, number> {
  const moved = new Map<string, number>();
  for (const { name, type, quantity } of orders) {
    moved.set(name, (moved.get(name) ?? 0) + (type === "sell" ? quantity : -quantity));
  }
  return moved;
}

/** The orders that answers of 200 promise, by number. */
export function promised(traded: readonly Traded[]): readonly OrderRow[] {
  return traded
    .filter(({ call }) => call.status === 200)
    .map(({ trade, call }) => ({ number: numberOf(call), ...trade }))
    .sort((a, b) => a.number - b.number);
}

/** Calls that got neither a yes nor a no of the market: what a client must never see. */
export function failed(traded: readonly Traded[]): readonly Call[] {
  return traded
    .map(({ call }) => call)
    .filter(({ status, text }) => status !== 200 && !text.includes("Insufficient volume"));
}

/** The longest time, in ms, in which no client got an answer. */
export function longestGapMs(traded: readonly Traded[]): number {
  const ends = traded.map(({ call }) => call.endMs).sort((a, b) => a - b);
  return ends.slice(1).reduce((gap, end, index) => Math.max(gap, end - (ends[index] ?? end)), 0);
}
