// The market at the end of one replica's journal: what a leader decides on, and
// what a follower judges a leader's entries by (judge.ts).
//
//   M2. Stock = listed − bought + sold + adjusted, never negative.
//   M3. Numbers have no gaps; a request id has one outcome.
//
// Stocks are all in memory. Orders and request ids grow forever, so only those
// that the durable tables don't hold yet are kept here; older request ids are
// looked up in the tables, which the constructor is given. When the journal is
// cut short, the state is made anew from the tables: there is no undo.

import { invariant } from "../invariant.ts";
import { recordedRequest } from "./content.ts";
import { KeyBook } from "./keys.ts";
import { StockBook } from "./stock-book.ts";
import { StockLists, type StocksAnswer, type StocksQuestion } from "./stock-lists.ts";
import { MarketTail } from "./tail.ts";
import type { Command, MarketReader, Order, RecordedRequest, Stock } from "./types.ts";

/** The durable tables, as far as the state reads them. */
export interface OlderRequests {
  /** What was recorded under this request id up to the position that was released. */
  request(requestId: string): RecordedRequest | undefined;
}

/** The market at the position that the tables stand at. */
export interface MarketStart {
  readonly stocks: Iterable<Stock>;
  /** Number of the newest order in the tables; 0 before the first. */
  readonly lastNumber: number;
  readonly older: OlderRequests;
  /** The commands of keys that the tables hold, in any order; none unless told. */
  readonly keyCommands?: Iterable<Command>;
}

export class MarketState implements MarketReader {
  /** Who may ask. */
  readonly keys: KeyBook;
  readonly #stocks: StockBook;
  readonly #lists: StockLists;
  readonly #tail = new MarketTail();
  readonly #older: OlderRequests;
  #lastNumber: number;

  constructor(start: MarketStart) {
    this.#stocks = new StockBook(start.stocks);
    this.#lists = new StockLists(this.#stocks);
    this.#lastNumber = start.lastNumber;
    this.keys = new KeyBook(start.keyCommands);
    this.#older = start.older;
  }

  get lastNumber(): number {
    return this.#lastNumber;
  }

  /** Commands held in memory, because releaseThrough() hasn't yet said that the tables hold them. */
  get tailSize(): number {
    return this.#tail.size;
  }

  stock(name: string): Stock | undefined {
    return this.#stocks.get(name);
  }

  /** All stocks, ascending by name. */
  stocks(): readonly Stock[] {
    return this.#stocks.sorted();
  }

  /** Some of them, in pieces; `position` is where this state is. */
  list(question: StocksQuestion, position: number): StocksAnswer {
    return this.#lists.answer(question, position);
  }

  request(requestId: string): RecordedRequest | undefined {
    const command = this.#tail.request(requestId);
    return command === undefined ? this.#older.request(requestId) : recordedRequest(command);
  }

  /** An order that the tables may not hold yet; undefined when it isn't in the tail. */
  order(number: number): Order | undefined {
    return this.#tail.order(number);
  }

  /** All that tells this market from another, in a line; long-ago requests are not looked at. */
  summary(): string {
    const digest = this.#stocks.digest().toString(16).padStart(8, "0");
    const keys = this.keys.version === 0 ? "" : `, keys ${this.keys.version}`;
    return `${this.#lastNumber} orders, ${this.#stocks.size} stocks (${digest})${keys}`;
  }

  /** Orders of the tail with a number above `after`, ascending, at most `limit`. */
  orders(after: number, limit: number): Order[] {
    return this.#tail.orders(after, limit);
  }

  /**
   * Does what decided commands say. `position` is that of the journal entry
   * which holds them, or will; several calls may name the same one, none an
   * earlier one. Throws InvariantViolation for commands that were not decided
   * on this state.
   */
  apply(position: number, commands: readonly Command[]): void {
    for (const command of commands) {
      if (command.kind === "order") {
        const { number } = command;
        // M3
        invariant(number === this.#lastNumber + 1, "numbers have no gaps", {
          position,
          number,
          lastNumber: this.#lastNumber,
        });
        invariant(
          Number.isSafeInteger(command.quantity) && command.quantity > 0,
          "a trade moves a positive quantity",
          { position, number, quantity: command.quantity },
        );
        const price = this.#stocks.get(command.name)?.price ?? command.price;
        invariant(command.price === price, "a trade is at its stock's price", {
          position,
          number,
          price: command.price,
          stock: price,
        });
        this.#lastNumber = number;
      }
      this.#stocks.apply(command); // M2
      this.keys.apply(command); // M4
      this.#tail.add(position, command);
    }
  }

  /** Forgets the orders and request ids recorded at `position` or before: the tables hold them now. */
  releaseThrough(position: number): void {
    this.#tail.releaseThrough(position);
  }
}
