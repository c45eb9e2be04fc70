// The lab's client: many at once look stocks up and trade, and before leaving
// each asks for every order it made and compares.
//
// It is the bazaar's own proof to a newcomer, so it counts against the bazaar
// whatever it can't explain: a call without an answer is a failure, an order
// that isn't found as it was made is a mismatch.

import { type LatencySummary, latencySummary } from "../../lab/statistics.ts";
import { BazaarError, type Order, type Stock, type TradeType } from "../client/index.ts";

/** What it needs of a client of the bazaar; calls reject with BazaarError. */
export interface LabBazaar {
  lookup(name: string): Promise<Stock>;
  trade(request: {
    readonly name: string;
    readonly type: TradeType;
    readonly quantity: number;
  }): Promise<{ readonly number: number }>;
  order(number: number): Promise<Order>;
}

export interface LabOptions {
  /** One per front end; the clients are spread over them. */
  readonly bazaars: readonly LabBazaar[];
  /** Names of the stocks to draw from; at least one. */
  readonly names: readonly string[];
  readonly clients: number;
  /** Lookups of each client; may be Infinity. */
  readonly iterations: number;
  /** Asked before each lookup: whether to go on no longer, and check. */
  readonly isOver?: () => boolean;
  /** Between two iterations. */
  readonly think?: () => Promise<unknown>;
  /** Of a trade after a lookup, 0 to 1. */
  readonly probability: number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
  /** Told after each lookup with what may follow it, and each check: of how many so far known. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Told of each call that ended, with an answer or without. */
  readonly onCall?: (call: LabCall) => void;
}

export interface LabCall {
  readonly kind: "lookup" | "trade" | "order";
  /** Of the client, counted from 0. */
  readonly client: number;
  /** From its beginning to its answer, with all attempts that the client library makes behind it. */
  readonly ms: number;
}

export interface LabResult {
  /** All calls: lookups, trades, refused ones too, and checks. */
  readonly requests: number;
  /** Accepted trades. */
  readonly trades: number;
  readonly refusals: number;
  /** Calls that had no answer. */
  readonly failures: number;
  /** Orders found as they were made, of `total` made. */
  readonly matched: number;
  readonly total: number;
  readonly seconds: number;
  readonly latencyMs: Readonly<Record<LabCall["kind"], LatencySummary>>;
  /** What failed and what didn't match, a line each; the first ones only. */
  readonly problems: readonly string[];
}

/** Trades are of 1 to this many: small against the first quantities, so that most are accepted. */
const QUANTITY_MAX = 10;
const PROBLEMS_SHOWN_MAX = 10;

export async function runLab(options: LabOptions): Promise<LabResult> {
  const lab = new Lab(options);
  const started = options.now();
  await Promise.all(Array.from({ length: options.clients }, (_, index) => lab.client(index)));
  return lab.result((options.now() - started) / 1_000);
}

/** True when every call was answered and every order was found as it was made. */
export function allMatched(result: LabResult): boolean {
  return result.failures === 0 && result.matched === result.total;
}

class Lab {
  readonly #options: LabOptions;
  readonly #latencies = { lookup: [] as number[], trade: [] as number[], order: [] as number[] };
  readonly #problems: string[] = [];
  #refusals = 0;
  #failures = 0;
  #trades = 0;
  #matched = 0;
  #done = 0;
  #expected: number;

  constructor(options: LabOptions) {
    this.#options = options;
    this.#expected = options.clients * options.iterations;
  }

  async client(index: number): Promise<void> {
    const { bazaars, iterations, isOver, probability, random, think } = this.#options;
    const bazaar = bazaars[index % bazaars.length];
    if (bazaar === undefined) throw new RangeError("no bazaar to ask");
    const made: Order[] = [];
    for (let iteration = 0; iteration < iterations && !isOver?.(); iteration++) {
      const name = this.#drawName();
      const stock = await this.#timed("lookup", index, () => bazaar.lookup(name));
      if (stock !== null && random() < probability) {
        const trade = {
          name,
          type: random() < 0.5 ? ("buy" as const) : ("sell" as const),
          quantity: 1 + Math.floor(random() * QUANTITY_MAX),
        };
        const answer = await this.#timed("trade", index, () => bazaar.trade(trade));
        if (answer !== null) {
          made.push({ number: answer.number, ...trade });
          this.#trades += 1;
          this.#expected += 1;
        }
      }
      this.#progress();
      await think?.();
    }
    for (const order of made) {
      const found = await this.#timed("order", index, () => bazaar.order(order.number));
      this.#compare(order, found);
      this.#progress();
    }
  }

  result(seconds: number): LabResult {
    const { lookup, trade, order } = this.#latencies;
    return {
      requests: lookup.length + trade.length + order.length,
      trades: this.#trades,
      refusals: this.#refusals,
      failures: this.#failures,
      matched: this.#matched,
      total: this.#trades,
      seconds: Math.round(seconds * 1_000) / 1_000,
      latencyMs: {
        lookup: latencySummary(lookup),
        trade: latencySummary(trade),
        order: latencySummary(order),
      },
      problems: this.#problems,
    };
  }

  /** The answer; null when it was a no to a trade, or there was none, which is counted. */
  async #timed<T>(
    kind: LabCall["kind"],
    client: number,
    call: () => Promise<T>,
  ): Promise<T | null> {
    const started = this.#options.now();
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof BazaarError)) throw error;
      if (error.kind === "refused" && kind === "trade") {
        this.#refusals += 1;
      } else if (!(error.kind === "refused" && kind === "order")) {
        this.#failures += 1;
        this.#problem(`${kind}: ${error.message}`);
      }
      return null;
    } finally {
      const ms = this.#options.now() - started;
      this.#latencies[kind].push(ms);
      this.#options.onCall?.({ kind, client, ms });
    }
  }

  #compare(made: Order, found: Order | null): void {
    const isSame =
      found !== null &&
      found.number === made.number &&
      found.name === made.name &&
      found.type === made.type &&
      found.quantity === made.quantity;
    if (isSame) this.#matched += 1;
    else this.#problem(`order ${made.number}: made ${text(made)}, found ${text(found)}`);
  }

  #problem(line: string): void {
    if (this.#problems.length < PROBLEMS_SHOWN_MAX) this.#problems.push(line);
  }

  #drawName(): string {
    const { names, random } = this.#options;
    return names[Math.floor(random() * names.length)] ?? "";
  }

  #progress(): void {
    this.#done += 1;
    this.#options.onProgress?.(this.#done, this.#expected);
  }
}

function text(order: Order | null): string {
  return order === null
    ? "nothing"
    : `${order.number} ${order.type} ${order.quantity} ${order.name}`;
}
