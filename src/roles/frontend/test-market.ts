// For tests: the real market in memory, in the place of the order service and
// of a catalog. It is always at its newest state, and can be told to fail.

import type { Logger } from "pino";
import { LEASE_MS } from "../../core/coherence/limits.ts";
import { decide } from "../../core/market/decide.ts";
import { MarketState } from "../../core/market/state.ts";
import type { StocksAnswer, StocksQuestion } from "../../core/market/stock-lists.ts";
import type { Stock } from "../../core/market/types.ts";
import type { StockCopies } from "../../io/cache/types.ts";
import { TEST_CLUSTER } from "../../io/rpc/testing.ts";
import type { Identity } from "../../io/rpc/types.ts";
import type { Answer, Question } from "../contract.ts";
import type { Asked, Orders } from "./orders/order-service.ts";
import { Stocks } from "./stocks/stocks.ts";

export const FIRST_STOCKS: readonly Stock[] = [
  { name: "FishCo", price: 17.99, quantity: 600 },
  { name: "BoarCo", price: 28.59, quantity: 1102 },
  { name: "GameStart", price: 23.5, quantity: 100 },
];

export class TestMarket implements Orders {
  readonly identity: Identity = { role: "catalog", name: "catalog", cluster: TEST_CLUSTER };
  /** What the leader was asked, in order. */
  readonly questions: Question[] = [];
  /** What the catalog was asked: the names of each call, in order. */
  readonly lookups: (readonly string[])[] = [];
  leaderId: number | null = 9094;
  /** Instead of an answer of the leader. */
  failing: Exclude<Asked["kind"], "answer"> | Error | null = null;
  /** The leader decides nothing before. */
  until: Promise<void> = Promise.resolve();
  /** Whether the catalog has a lease, so that it answers. */
  isLeased = true;
  position = 3;
  /** Too many wait. */
  full = false;
  readonly #state = new MarketState({
    stocks: FIRST_STOCKS,
    lastNumber: 0,
    older: { request: () => undefined },
  });

  async ask(question: Question): Promise<Asked> {
    this.questions.push(question);
    await this.until;
    if (this.failing instanceof Error) throw this.failing;
    if (this.failing) return { kind: this.failing };
    return { kind: "answer", answer: this.answer(question) };
  }

  isFull(): boolean {
    return this.full;
  }

  leader(): number | null {
    return this.leaderId;
  }

  health() {
    return { leader: this.leaderId, ready: this.leaderId !== null };
  }

  async start(): Promise<void> {}
  close(): void {}
  onLeader(): void {}

  lookupNow(names: readonly string[]) {
    const stocks = names.map((name) => this.#state.stock(name) ?? null);
    return { kind: "stocks" as const, stocks, position: this.position };
  }

  stocksNow(question: StocksQuestion): StocksAnswer {
    return this.#state.list(question, this.position);
  }

  /** What the leader says to a question, at its newest state. */
  answer(question: Question): Answer {
    const { position } = this;
    switch (question.kind) {
      case "request":
        return { kind: "outcome", outcome: this.#decide(question) };
      case "order":
        return { kind: "order", order: this.#state.order(question.number) ?? null };
      case "orders": {
        const orders = this.#state.orders(question.after, question.limit);
        const last = orders.at(-1)?.number ?? 0;
        return {
          kind: "orders",
          orders,
          next: last > 0 && last < this.#state.lastNumber ? last : null,
        };
      }
      case "keys": {
        const { version } = this.#state.keys;
        const isKnown = question.known === version;
        return { kind: "keys", version, keys: isKnown ? null : this.#state.keys.all() };
      }
      case "lookup":
        return { kind: "stock", stock: this.#state.stock(question.name) ?? null, position };
      case "stocks":
        return this.#state.list(question, position);
    }
  }

  #decide(request: Parameters<typeof decide>[1]) {
    const { outcome, command } = decide(this.#state, request);
    if (command) {
      this.position++;
      this.#state.apply(this.position, [command]);
    }
    return outcome;
  }
}

const UNLEASED = { kind: "unleased" } as const;

interface OverMarket {
  readonly copies: StockCopies;
  readonly log: Logger;
  /** Stands still at 0 unless told: a lease never ends. */
  readonly nowMs?: () => number;
}

/** The stocks of a front end over this market, in the place of a catalog and of the leader. */
export function stocksOver(
  market: TestMarket,
  { copies, log, nowMs = () => 0 }: OverMarket,
): Stocks<TestMarket> {
  const stocks = new Stocks<TestMarket>({
    copies,
    log,
    nowMs,
    orders: market,
    catalogs: {
      lookup(_catalog, names, settled) {
        market.lookups.push(names);
        queueMicrotask(() => settled(market.isLeased ? market.lookupNow(names) : UNLEASED));
      },
      stocks: (_catalog, question, settled) =>
        queueMicrotask(() => settled(market.isLeased ? market.stocksNow(question) : UNLEASED)),
      lease(_catalog, { ask }, settled) {
        const grant = { epoch: 1, ask, ms: LEASE_MS, exposed: 0, sent: 0 };
        queueMicrotask(() => settled({ kind: "answered", grant }));
      },
      holding() {},
      probe: (_catalog, settled) => queueMicrotask(() => settled(true)),
    },
  });
  stocks.lookups.opened(market);
  return stocks;
}
