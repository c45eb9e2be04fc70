// The calls that clients make, each made once, whatever becomes of it, and
// recorded. Trades, queries and lookups go over HTTP to a front end; a new stock
// and an adjustment as `bazaar list` and `bazaar adjust` make them, to the
// leader, or an adjustment to a catalog.
//
// Not the project's own HTTP client: that asks again by itself, and here each
// attempt counts.

import type { HttpClient, Sent } from "../lab/http.ts";
import { Leader } from "../src/cli/leader.ts";
import type { ClusterConfig } from "../src/roles/config.ts";
import { type Answer, catalogContract } from "../src/roles/contract.ts";
import type { Peers } from "../src/roles/peers.ts";
import { BALLAST, isBallast } from "./cluster.ts";
import type { Attempt, OrderSeen, Outcome, StockSeen } from "./history.ts";

/** A process that can't be connected to within this isn't there, milliseconds. */
const REACH_MS = 1_000;
/** Orders asked for at once. */
const PAGE = 1_000;

export interface CallsOptions {
  /** Of the front ends, each of any number of connections; closed with these calls. */
  readonly clients: readonly HttpClient[];
  readonly config: ClusterConfig;
  readonly peers: Peers;
  readonly record: (attempt: Attempt) => void;
  /** Nanoseconds since the run began. */
  readonly now: () => number;
}

export interface Trade {
  readonly name: string;
  readonly type: "buy" | "sell";
  readonly quantity: number;
}

/** How long an answer is waited for. */
export interface Patience {
  readonly ms: number;
}

/** What the caller is and what it asks: an attempt without its times and its outcome. */
type Asked = Omit<Attempt, "start" | "end" | "outcome">;
/** What came of it. */
type Told = Pick<Attempt, "outcome"> & Partial<Asked>;

interface Answered {
  /** 0 without an answer; then `text` says why. */
  readonly status: number;
  readonly text: string;
  readonly key?: string;
}

export class Calls {
  readonly #options: CallsOptions;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  close(): void {
    for (const client of this.#options.clients) client.close();
  }

  trade(
    process: string,
    frontend: number,
    trade: Trade,
    key: string | undefined,
    patience: Patience,
  ): Promise<Attempt> {
    const { name, type, quantity } = trade;
    const asked = { process, kind: "trade", name, type, quantity, ...keyed(key) } as const;
    return this.#attempt(asked, async () => {
      const answer = await this.#http(frontend, "POST", "/orders", patience, {
        body: JSON.stringify(trade),
        headers: key === undefined ? {} : { "Idempotency-Key": key },
      });
      if (key !== undefined && answer.key !== undefined && answer.key !== key) {
        return { outcome: `wrong: answered under the key ${answer.key}` };
      }
      const { transaction_number: number } = dataOf<{ transaction_number?: number }>(answer) ?? {};
      // Without a key of its own, the trade was done under the front end's.
      const told = keyed(answer.key);
      if (answer.status === 200 && number !== undefined) {
        return { ...told, number, outcome: "accepted" };
      }
      if (answer.status === 500 && answer.text.includes("Insufficient volume")) {
        return { ...told, outcome: "refused: insufficient volume" };
      }
      if (isNoStock(answer)) return { ...told, outcome: "refused: unknown stock" };
      return { ...told, outcome: otherwise(answer) };
    });
  }

  query(process: string, frontend: number, number: number, patience: Patience): Promise<Attempt> {
    return this.#attempt({ process, kind: "query", number }, async () => {
      const answer = await this.#http(frontend, "GET", `/orders/${number}`, patience);
      const order = dataOf<OrderSeen>(answer);
      if (answer.status === 200 && order?.number === number) {
        const { name, type, quantity } = order;
        return { name, type, quantity, outcome: "found" };
      }
      const isMissing = answer.status === 400 && answer.text.includes("order not found");
      return { outcome: isMissing ? "not found" : otherwise(answer) };
    });
  }

  lookup(process: string, frontend: number, name: string, patience: Patience): Promise<Attempt> {
    return this.#attempt({ process, kind: "lookup", name }, async () => {
      const answer = await this.#http(frontend, "GET", `/stocks/${name}`, patience);
      const stock = dataOf<StockSeen>(answer);
      if (answer.status === 200 && stock?.name === name) {
        return { price: stock.price, quantity: stock.quantity, outcome: "found" };
      }
      return { outcome: isNoStock(answer) ? "not found" : otherwise(answer) };
    });
  }

  /** The list of all stocks. */
  stocks(process: string, frontend: number, patience: Patience): Promise<Attempt> {
    return this.#attempt({ process, kind: "lookup" }, async () => {
      const answer = await this.#http(frontend, "GET", "/stocks", patience);
      const stocks = dataOf<StockSeen[]>(answer);
      if (answer.status !== 200 || !stocks) return { outcome: otherwise(answer) };
      const ballast = stocks.filter(isBallast);
      if (ballast.length !== BALLAST.length || ballast.some(({ quantity }) => quantity !== 1)) {
        return {
          outcome: `wrong: ${ballast.length} of ${BALLAST.length} stocks that nobody trades`,
        };
      }
      const seen = stocks
        .filter((stock) => !isBallast(stock))
        .map(({ name, price, quantity }) => ({ name, price, quantity }));
      return { stocks: seen, outcome: "found" };
    });
  }

  /** A new stock, as `bazaar list` makes it. */
  list(process: string, stock: StockSeen, key: string, patience: Patience): Promise<Attempt> {
    const { name, price, quantity } = stock;
    const asked = { process, kind: "list", name, price, quantity, key } as const;
    return this.#attempt(asked, () =>
      this.#askLeader(key, { kind: "list", name, price, quantity }, patience),
    );
  }

  /** More or less of a stock, as `bazaar adjust` makes it. */
  adjust(
    process: string,
    name: string,
    by: number,
    key: string,
    patience: Patience,
  ): Promise<Attempt> {
    const asked = { process, kind: "adjust", name, quantity: by, key } as const;
    return this.#attempt(asked, () => this.#askLeader(key, { kind: "adjust", name, by }, patience));
  }

  /** The same through a catalog. */
  update(
    process: string,
    catalog: number,
    name: string,
    by: number,
    key: string,
    patience: Patience,
  ): Promise<Attempt> {
    const asked = { process, kind: "adjust", name, quantity: by, key } as const;
    return this.#attempt(asked, async () => {
      const place = this.#options.config.catalogs[catalog];
      if (!place) throw new Error(`there is no catalog ${catalog}`);
      const reached = await this.#options.peers.reach(place, REACH_MS);
      if (reached.kind === "unreachable") return { outcome: `unknown: ${reached.why}` };
      const calls = reached.peer.calls(catalogContract, { timeoutMs: patience.ms });
      const { status, message } = await calls.update({ name, by, requestId: key });
      if (status === 200) return { outcome: "accepted" };
      if (status === 400) return { outcome: "refused: unknown stock" };
      if (message.startsWith("Insufficient volume")) {
        return { outcome: "refused: insufficient volume" };
      }
      return { outcome: status === 503 ? `unknown: ${message}` : `wrong: ${status} ${message}` };
    });
  }

  /** All orders, as a front end lists them; null when it doesn't answer. Not recorded. */
  async orders(frontend: number, patience: Patience): Promise<OrderSeen[] | null> {
    const orders: OrderSeen[] = [];
    for (;;) {
      const path = `/orders?after=${orders.at(-1)?.number ?? 0}&limit=${PAGE}`;
      const page = dataOf<OrderSeen[]>(await this.#http(frontend, "GET", path, patience));
      if (!page) return null;
      orders.push(...page);
      if (page.length < PAGE) return orders;
    }
  }

  async #attempt(asked: Asked, attempt: () => Promise<Told>): Promise<Attempt> {
    const { now, record } = this.#options;
    const start = now();
    const told = await attempt().catch((error: unknown): Told => {
      return { outcome: `unknown: ${error instanceof Error ? error.message : error}` };
    });
    const done: Attempt = { ...asked, ...told, start, end: now() };
    record(done);
    return done;
  }

  async #askLeader(
    requestId: string,
    content:
      | { readonly kind: "list"; readonly name: string; price: number; quantity: number }
      | { readonly kind: "adjust"; readonly name: string; readonly by: number },
    patience: Patience,
  ): Promise<Told> {
    const { config, peers } = this.#options;
    const { replicas } = config;
    const leader = new Leader({ replicas, peers, limitMs: patience.ms });
    const recordRefusal = true;
    return toldBy(await leader.ask({ kind: "request", requestId, content, recordRefusal }));
  }

  async #http(
    frontend: number,
    method: string,
    path: string,
    { ms: limitMs }: Patience,
    sent: Pick<Sent, "body" | "headers"> = {},
  ): Promise<Answered> {
    const client = this.#options.clients[frontend];
    if (!client) throw new Error(`there is no front end ${frontend}`);
    const { status, text, error, answered } = await client.send({ ...sent, method, path, limitMs });
    const key = answered["idempotency-key"];
    return { status, text: error ?? text, ...(typeof key === "string" ? { key } : {}) };
  }
}

function toldBy(answer: Answer): Told {
  if (answer.kind !== "outcome") return { outcome: `wrong: answered with ${answer.kind}` };
  const { outcome } = answer;
  if (outcome.kind === "listed" || outcome.kind === "adjusted") return { outcome: "accepted" };
  if (outcome.kind !== "refused") return { outcome: `wrong: answered with ${outcome.kind}` };
  switch (outcome.refusal.kind) {
    case "insufficient-volume":
      return { outcome: "refused: insufficient volume" };
    case "unknown-stock":
      return { outcome: "refused: unknown stock" };
    case "stock-exists":
      return { outcome: "refused: stock exists" };
    default:
      return { outcome: `wrong: refused as ${outcome.refusal.kind}` };
  }
}

/** Of an answer that is neither a yes nor a no. */
function otherwise({ status, text }: Answered): Outcome {
  if (status === 0) return `unknown: ${text}`;
  return status === 503 ? "unknown: 503" : `wrong: ${status} ${text}`;
}

function isNoStock({ status, text }: Answered): boolean {
  return status === 400 && text.includes("stock not found in db");
}

function dataOf<T>({ status, text }: Answered): T | null {
  if (status !== 200) return null;
  try {
    return (JSON.parse(text) as { data: T }).data;
  } catch {
    return null;
  }
}

function keyed(key: string | undefined): { readonly key?: string } {
  return key === undefined ? {} : { key };
}
