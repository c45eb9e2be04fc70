// Clients that trade and read at once, and what their answers must add up to.

import { type Call, dataOf, type HttpClient, jsonOf, numberOf } from "../../../lab/http.ts";

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

/** A lookup, or a query of an order that was answered before, and its answer. */
export interface Read {
  readonly call: Call;
  /** What the query must find. */
  readonly order: OrderRow | null;
}

/** All that the clients of a load were told. */
export interface Seen {
  readonly traded: readonly Traded[];
  readonly reads: readonly Read[];
}

/** Who sends a load's calls: one client, or several that stand in for each other. */
export type Asking = Pick<HttpClient, "get" | "trade">;

/** Calls under way until stop() is called. Each client waits for its answer before it sends the next. */
export class Load implements Seen {
  readonly traded: Traded[] = [];
  readonly reads: Read[] = [];
  readonly #clients: readonly Promise<void>[];
  #stopping = false;

  /**
   * `next` says what the nth trade of a client is. Each of `readers` looks up
   * what was traded last and asks for that order, in turn.
   */
  constructor(
    traders: readonly Asking[],
    next: (client: number, nth: number) => Trade,
    readers: readonly Asking[] = [],
  ) {
    this.#clients = [
      ...traders.map((client, index) => this.#trades(client, (nth) => next(index, nth))),
      ...readers.map((client) => this.#reads(client, next(0, 0))),
    ];
  }

  /** Trades answered 200 so far. */
  get accepted(): number {
    return this.traded.filter(({ call }) => call.status === 200).length;
  }

  /** Lets every client finish its call and returns all of them. */
  async stop(): Promise<Seen> {
    this.#stopping = true;
    await Promise.all(this.#clients);
    return this;
  }

  async #trades(client: Asking, next: (nth: number) => Trade): Promise<void> {
    for (let nth = 0; !this.#stopping; nth++) {
      const trade = next(nth);
      this.traded.push({ trade, call: await client.trade(trade) });
    }
  }

  async #reads(client: Asking, first: Trade): Promise<void> {
    for (let nth = 0; !this.#stopping; nth++) {
      const [last] = promised(this.traded.slice(-1));
      const order = nth % 2 === 1 && last ? last : null;
      const path = order ? `/orders/${order.number}` : `/stocks/${(last ?? first).name}`;
      this.reads.push({ order, call: await client.get(path) });
    }
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

/** Calls that got neither a yes nor a no of the market, or found another order: what a client must never see. */
export function failed({ traded, reads }: Seen): readonly Call[] {
  return [
    ...traded
      .map(({ call }) => call)
      .filter(({ status, text }) => status !== 200 && !text.includes("Insufficient volume")),
    ...reads.filter((read) => !isAnswered(read)).map(({ call }) => call),
  ];
}

function isAnswered({ call: { status, text }, order }: Read): boolean {
  return status === 200 && (order === null || text === JSON.stringify({ data: order }));
}

/** The longest time, in ms, in which no client got an answer to a trade. */
export function longestGapMs({ traded }: Seen): number {
  const ends = traded.map(({ call }) => call.endMs).sort((a, b) => a - b);
  return ends.slice(1).reduce((gap, end, index) => Math.max(gap, end - (ends[index] ?? end)), 0);
}

/** The longest time, in ms, that one client waited for one answer. */
export function longestCallMs({ traded, reads }: Seen): number {
  return [...traded, ...reads].reduce(
    (longest, { call }) => Math.max(longest, call.endMs - call.startMs),
    0,
  );
}

/** Two front ends for one client: what the first doesn't answer is asked of the second, trades under one key. */
export class Either implements Asking {
  readonly #first: Asking;
  readonly #second: Asking;
  readonly #name: string;
  #trades = 0;

  /** `name` is in the keys; no two may have the same. */
  constructor(first: Asking, second: Asking, name: string) {
    this.#first = first;
    this.#second = second;
    this.#name = name;
  }

  get(path: string): Promise<Call> {
    return this.#ask((client) => client.get(path));
  }

  trade(body: object): Promise<Call> {
    const key = { "Idempotency-Key": `${this.#name} trade ${this.#trades++}` };
    return this.#ask((client) => client.trade(body, key));
  }

  async #ask(send: (client: Asking) => Promise<Call>): Promise<Call> {
    const call = await send(this.#first);
    if (call.status !== 0) return call;
    return { ...(await send(this.#second)), startMs: call.startMs };
  }
}
