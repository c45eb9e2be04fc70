// Clients that look up and trade until they are told to stop, while somebody
// kills replicas under them; then each asks for every order it made.
//
//   T1. Each call counts from its beginning to its answer, with all attempts
//       that the client library makes behind it: that is what its caller waits.
//   T2. A call without an answer is a failure, an order that isn't found as it
//       was made doesn't match: nothing is asked twice here.

import { BazaarError, type Order } from "../../client/index.ts";
import type { LabBazaar } from "../lab-client.ts";
import { type LatencySummary, summarize } from "../percentiles.ts";
import type { Moment } from "./results.ts";

export interface TradingOptions {
  readonly bazaar: LabBazaar;
  readonly names: readonly string[];
  readonly clients: number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
  /** Between two calls of a client: so many orders that all can be asked for at the end. */
  readonly think: () => Promise<unknown>;
}

/** Of the timeline, milliseconds. */
export const MOMENT_MS = 100;
const QUANTITY_MAX = 10;

export class TradingClients {
  readonly #options: TradingOptions;
  readonly #startMs: number;
  readonly #made: Order[] = [];
  readonly #latencies: number[] = [];
  readonly #moments = new Map<number, { answers: number; worstMs: number }>();
  /** Trades that each client has had answered, a refusal too. */
  readonly #traded: number[];
  readonly #running: Promise<unknown>;
  #isStopping = false;
  #worstMs = 0;
  #failures = 0;
  #refusals = 0;
  #checks = 0;
  #matched = 0;

  /** They begin at once. */
  constructor(options: TradingOptions) {
    this.#options = options;
    this.#startMs = options.now();
    this.#traded = Array.from({ length: options.clients }, () => 0);
    this.#running = Promise.all(this.#traded.map((_, index) => this.#client(index)));
    this.#running.catch(() => {}); // stop() tells.
  }

  /** Milliseconds since they began. */
  get atMs(): number {
    return this.#options.now() - this.#startMs;
  }

  /** Trades of the client that has had the fewest answered. */
  get tradedByEach(): number {
    return Math.min(...this.#traded);
  }

  /** The longest call that ended since this was last asked, milliseconds. */
  takeWorstMs(): number {
    const worstMs = this.#worstMs;
    this.#worstMs = 0;
    return worstMs;
  }

  /** Lets them finish their calls, then asks for each order made. Told of each, 0 to 1. */
  async stop(onProgress: (part: number) => void): Promise<void> {
    this.#isStopping = true;
    await this.#running;
    const left = this.#made.values();
    const check = async () => {
      for (const made of left) {
        await this.#check(made);
        onProgress(this.#checks / this.#made.length);
      }
    };
    await Promise.all(this.#traded.map(check));
  }

  get counts() {
    return {
      clients: this.#options.clients,
      calls: this.#latencies.length + this.#checks,
      refusals: this.#refusals,
      failures: this.#failures,
      matched: this.#matched,
      total: this.#made.length,
    };
  }

  /** Of lookups and trades. */
  get latency(): LatencySummary {
    return summarize(this.#latencies);
  }

  /** Tenths of a second in which nothing was answered are left out. */
  get timeline(): readonly Moment[] {
    return [...this.#moments]
      .sort(([a], [b]) => a - b)
      .map(([moment, { answers, worstMs }]) => ({ atMs: moment * MOMENT_MS, answers, worstMs }));
  }

  async #client(index: number): Promise<void> {
    const { bazaar, names, random, think } = this.#options;
    while (!this.#isStopping) {
      const name = names[Math.floor(random() * names.length)] ?? "";
      await this.#timed(() => bazaar.lookup(name));
      const type = random() < 0.5 ? ("buy" as const) : ("sell" as const);
      const trade = { name, type, quantity: 1 + Math.floor(random() * QUANTITY_MAX) };
      const answer = await this.#timed(() => bazaar.trade(trade));
      if (answer !== null) this.#made.push({ number: answer.number, ...trade });
      this.#traded[index] = (this.#traded[index] ?? 0) + 1;
      await think();
    }
  }

  /** The answer; null when it was a no, or there was none, which is counted. T1, T2 */
  async #timed<T>(call: () => Promise<T>): Promise<T | null> {
    const started = this.#options.now();
    const answer = await this.#attempt(call, () => {
      this.#refusals += 1;
    });
    const ms = Math.round((this.#options.now() - started) * 1_000) / 1_000;
    this.#latencies.push(ms);
    this.#worstMs = Math.max(this.#worstMs, ms);
    const moment = Math.floor(this.atMs / MOMENT_MS);
    const { answers, worstMs } = this.#moments.get(moment) ?? { answers: 0, worstMs: 0 };
    this.#moments.set(moment, { answers: answers + 1, worstMs: Math.max(worstMs, ms) });
    return answer;
  }

  async #check(made: Order): Promise<void> {
    // An order that isn't there is refused, too; but that is found out, not refused to a trader.
    const found = await this.#attempt(
      () => this.#options.bazaar.order(made.number),
      () => {},
    );
    this.#checks += 1;
    const isSame =
      found !== null &&
      found.number === made.number &&
      found.name === made.name &&
      found.type === made.type &&
      found.quantity === made.quantity;
    if (isSame) this.#matched += 1;
  }

  async #attempt<T>(call: () => Promise<T>, onRefused: () => void): Promise<T | null> {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof BazaarError)) throw error;
      if (error.kind === "refused") onRefused();
      else this.#failures += 1;
      return null;
    }
  }
}
