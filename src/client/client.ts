// A client of the bazaar, for Node.js and browsers: fetch, and a parser of events.
//
// Every call is repeated, with back-off, until it is answered or its time-out
// has passed. That is safe: questions change nothing, and every attempt of a
// trade carries the same idempotency key, under which the bazaar trades once.
// So a caller never has to ask itself whether a trade happened; it sees either
// the answer, or an error that carries the key to ask again with.

import { type ApiKeySource, keyHeaders, keyOf, positive, traceHeaders } from "./arguments.ts";
import { type AttemptResult, attempt, type Question } from "./attempt.ts";
import { backoffMs, pause } from "./backoff.ts";
import { BazaarError, type BazaarErrorDetails } from "./errors.ts";
import { type BazaarEvent, type EventOptions, readEvents } from "./events.ts";
import {
  isArrayOf,
  isObject,
  isOrder,
  isStock,
  type Order,
  type OrderPage,
  type Stock,
  type StockPage,
  type TradeType,
} from "./types.ts";

export interface BazaarClientOptions {
  /** Where a front end is, `http://127.0.0.1:8000` say. */
  readonly url: string;
  /** The API key, where the bazaar asks for one; or a function that gives it, or null, before each attempt. */
  readonly key?: ApiKeySource | undefined;
  /** Milliseconds that a call may take, all attempts together. Default 30,000. */
  readonly timeoutMs?: number;
  /** Milliseconds that one attempt may take. Default 15,000: a front end gives up by itself after 10,000. */
  readonly attemptTimeoutMs?: number;
  /** Default: the global fetch. */
  readonly fetch?: typeof fetch;
  /** A number in [0, 1), for the jitter of the back-off. Default Math.random. */
  readonly random?: () => number;
}

export interface CallOptions {
  /** Ends the call: it fails with `aborted`. */
  readonly signal?: AbortSignal;
  /** Overrides the client's time-out for this call, milliseconds. */
  readonly timeoutMs?: number;
  /** The trace that the call is part of (W3C Trace Context): every attempt carries it. */
  readonly traceparent?: string;
}

export interface TradeRequest {
  readonly name: string;
  readonly type: TradeType;
  /** Whole and positive. */
  readonly quantity: number;
  /**
   * The idempotency key, 1 to 128 printable ASCII characters, no blanks at its ends: the same
   * key with the same name, type and quantity has the same answer, forever. Made if left out.
   */
  readonly key?: string;
}

export interface TradeAnswer {
  /** The order's number. */
  readonly number: number;
  readonly key: string;
  /** How often the trade was sent. */
  readonly attempts: number;
}

const TIMEOUT_DEFAULT_MS = 30_000;
const ATTEMPT_TIMEOUT_DEFAULT_MS = 15_000;
const ROWS_PER_PAGE_MAX = 1_000;
const KEY_BYTES = 16;
/** What a timer can count, milliseconds. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/**
 * All calls reject with {@link BazaarError}. A wrong argument is the exception: before anything
 * is sent, it is a TypeError (a key or trace that no header can carry) or a RangeError (a time-out).
 */
export class BazaarClient {
  readonly #base: string;
  readonly #key: ApiKeySource | undefined;
  readonly #timeoutMs: number;
  readonly #attemptTimeoutMs: number;
  readonly #fetch: typeof fetch;
  readonly #random: () => number;

  /** Throws TypeError when `url` is no http or https URL, RangeError when a time-out isn't positive. */
  constructor(options: BazaarClientOptions) {
    const url = new URL(options.url);
    if (url.protocol !== "http:" && url.protocol !== "https:") {
      throw new TypeError(`${options.url} is no http or https URL`);
    }
    this.#base = `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
    this.#key = options.key;
    this.#timeoutMs = positive(options.timeoutMs ?? TIMEOUT_DEFAULT_MS);
    this.#attemptTimeoutMs = positive(options.attemptTimeoutMs ?? ATTEMPT_TIMEOUT_DEFAULT_MS);
    // Called as a plain function: a browser's fetch refuses any other `this`.
    const fetchGiven = options.fetch ?? globalThis.fetch;
    this.#fetch = (input, init) => fetchGiven(input, init);
    this.#random = options.random ?? Math.random;
  }

  /** A stock by name; `refused` when there is none. */
  async lookup(name: string, options?: CallOptions): Promise<Stock> {
    return this.#get(`/stocks/${encodeURIComponent(name.toWellFormed())}`, isStock, options);
  }

  /** All stocks, by name. */
  async stocks(options?: CallOptions): Promise<readonly Stock[]> {
    return this.#get("/stocks", (data) => isArrayOf(data, isStock), options);
  }

  /**
   * Stocks after the name `after` (default: from the first), at most `limit` (default 100, at most
   * 1,000). With `containing`, only those whose names have these letters in them, capital or small;
   * such a page may hold fewer, or none, and `next` still name a following one.
   */
  async stocksPage(
    page: { readonly after?: string; readonly limit?: number; readonly containing?: string } = {},
    options?: CallOptions,
  ): Promise<StockPage> {
    const query = new URLSearchParams({ limit: String(page.limit ?? 100) });
    if (page.after !== undefined) query.set("after", page.after);
    if (page.containing !== undefined) query.set("containing", page.containing);
    const question: Question = { method: "GET", url: `${this.#base}/stocks?${query}` };
    const { body, attempts } = await this.#call(question, null, options);
    const { data, next } = body;
    if (!isArrayOf(data, isStock) || (next !== null && typeof next !== "string")) {
      throw misunderstood("the answer to /stocks is no page of stocks", { attempts });
    }
    return { stocks: data, next };
  }

  /** Buys or sells; `refused` when the bazaar won't. */
  async trade(request: TradeRequest, options?: CallOptions): Promise<TradeAnswer> {
    const key = request.key === undefined ? randomKey() : keyOf(request.key);
    const { name, quantity, type } = request;
    const question: Question = {
      method: "POST",
      url: `${this.#base}/orders`,
      headers: { "content-type": "application/json", "idempotency-key": key },
      body: JSON.stringify({ name, quantity, type }),
    };
    const { body, attempts } = await this.#call(question, key, options);
    const { data } = body;
    if (!isObject(data) || typeof data.transaction_number !== "number") {
      throw misunderstood("the answer to a trade holds no transaction number", { key, attempts });
    }
    return { number: data.transaction_number, key, attempts };
  }

  /** An order by number; `refused` when there is none. */
  async order(number: number, options?: CallOptions): Promise<Order> {
    return this.#get(`/orders/${encodeURIComponent(number)}`, isOrder, options);
  }

  /** Orders after number `after` (default 0), at most `limit` (default 100, at most 1,000). */
  async orders(
    page: { readonly after?: number; readonly limit?: number } = {},
    options?: CallOptions,
  ): Promise<OrderPage> {
    const query = `after=${page.after ?? 0}&limit=${page.limit ?? 100}`;
    const question: Question = { method: "GET", url: `${this.#base}/orders?${query}` };
    const { body, attempts } = await this.#call(question, null, options);
    const { data, next } = body;
    if (!isArrayOf(data, isOrder) || (next !== null && typeof next !== "number")) {
      throw misunderstood("the answer to /orders is no page of orders", { attempts });
    }
    return { orders: data, next };
  }

  /** All orders after number `after`, page by page. */
  async *allOrders(after = 0, options?: CallOptions): AsyncGenerator<Order, void, undefined> {
    let from: number | null = after;
    while (from !== null) {
      const page: OrderPage = await this.orders({ after: from, limit: ROWS_PER_PAGE_MAX }, options);
      yield* page.orders;
      from = page.next;
    }
  }

  /**
   * What happens, as it happens: a whole picture first, then what changes. Doesn't end by
   * itself: a lost connection is made again, and nothing is missed that the front end still has.
   * With a time-out, it ends as `unavailable` once no event has come for that long.
   */
  events(options: EventOptions = {}): AsyncGenerator<BazaarEvent, never, undefined> {
    const url = `${this.#base}/events`;
    positive(options.timeoutMs ?? Number.POSITIVE_INFINITY);
    const common = { url, key: this.#key, fetch: this.#fetch, random: this.#random };
    return readEvents({ ...options, ...common });
  }

  async #get<T>(
    path: string,
    isAnswer: (data: unknown) => data is T,
    options?: CallOptions,
  ): Promise<T> {
    const question: Question = { method: "GET", url: `${this.#base}${path}` };
    const { body, attempts } = await this.#call(question, null, options);
    const { data } = body;
    if (!isAnswer(data)) {
      throw misunderstood(`the answer to ${path} is of another shape`, { attempts });
    }
    return data;
  }

  /** Repeats `question` until it is answered, refused, or the time is over. */
  async #call(
    asked: Question,
    key: string | null,
    options: CallOptions = {},
  ): Promise<{ readonly body: Readonly<Record<string, unknown>>; readonly attempts: number }> {
    const headers = { ...asked.headers, ...traceHeaders(options.traceparent) };
    const question = { ...asked, headers };
    const end = performance.now() + positive(options.timeoutMs ?? this.#timeoutMs);
    for (let attempts = 1; ; attempts++) {
      if (options.signal?.aborted) throw abortedError(options.signal, key, attempts - 1);
      const result = await this.#attempt(question, end - performance.now(), options.signal);
      if (result.kind === "answered") return { body: result.body, attempts };
      if (result.kind !== "again") {
        const message = "message" in result ? result.message : result.reason;
        throw new BazaarError(result.kind, message, { status: result.status, key, attempts });
      }
      if (options.signal?.aborted) throw abortedError(options.signal, key, attempts);
      const waitMs = backoffMs(attempts, result.waitMs, this.#random());
      // Waiting past the end would only tell the caller later what is known now.
      if (performance.now() + waitMs >= end) {
        const { status, reason, cause } = result;
        throw new BazaarError("unavailable", reason, { status, key, attempts, cause });
      }
      await pause(waitMs, options.signal);
    }
  }

  /** One attempt, ended by the caller's signal, the call's end, or its own time-out. */
  async #attempt(
    question: Question,
    leftMs: number,
    signal: AbortSignal | undefined,
  ): Promise<AttemptResult> {
    // Not AbortSignal.any: a signal that outlives many calls would collect them.
    const controller = new AbortController();
    const end = () => controller.abort();
    const timer = setTimeout(
      end,
      Math.max(0, Math.min(leftMs, this.#attemptTimeoutMs, TIMER_MAX_MS)),
    );
    signal?.addEventListener("abort", end);
    try {
      const headers = { ...question.headers, ...(await keyHeaders(this.#key)) };
      return await attempt(this.#fetch, { ...question, headers }, controller.signal);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
    }
  }
}

/** Random, and unlike crypto.randomUUID there for a page that was not loaded over https. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function abortedError(signal: AbortSignal, key: string | null, attempts: number): BazaarError {
  return new BazaarError("aborted", "ended by the caller", { key, attempts, cause: signal.reason });
}

function misunderstood(message: string, details: BazaarErrorDetails): BazaarError {
  return new BazaarError("misunderstood", message, { status: 200, ...details });
}
