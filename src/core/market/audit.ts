// Checks a journal's commands against the market's invariants, from the first on.
//
//   M2. Stock = listed − bought + sold + adjusted, for every stock, at every
//       position; never negative.
//   M3. Numbers have no gaps; a request id has one outcome. With it M1: an id
//       recorded as refused never becomes an order as well.
//   M4. A key's name is given once; only a key that there is is revoked.
//
// Shares no code with MarketState and keeps totals where that keeps quantities,
// in whole numbers of any size, so that one mistake can't hide in both. It reports
// what is wrong and goes on, since whoever asks wants to know all of it. Memory
// grows with the number of requests: every id is kept until the end.

import type { Command, Stock } from "./types.ts";

/** Problems kept in words; further ones are only counted. */
const PROBLEMS_MAX = 100;

export interface AuditCounts {
  /** Entries fed, with commands or without. */
  readonly entries: number;
  readonly orders: number;
  /** Request ids recorded: orders, refusals, listings and adjustments. */
  readonly requests: number;
  readonly refusals: number;
  readonly stocks: number;
}

interface Totals {
  readonly price: number;
  readonly listed: bigint;
  bought: bigint;
  sold: bigint;
  adjusted: bigint;
}

const LARGEST_QUANTITY = BigInt(Number.MAX_SAFE_INTEGER);

export class Audit {
  readonly #totals = new Map<string, Totals>();
  /** By name: whether it is revoked. */
  readonly #keys = new Map<string, boolean>();
  readonly #requestIds = new Set<string>();
  readonly #problems: string[] = [];
  #problemCount = 0;
  /** Positions asked for and not reached yet, ascending. */
  #wanted: readonly number[];
  readonly #snapshots = new Map<number, Stock[]>();
  #position = 0;
  #entries = 0;
  #orders = 0;
  #refusals = 0;
  #lastNumber = 0;

  /** `stocksAt`: positions at which stocksAt() will be asked, before or after feeding. */
  constructor(options: { readonly stocksAt?: readonly number[] } = {}) {
    this.#wanted = [...new Set(options.stocksAt)].sort((a, b) => a - b);
  }

  /** Position of the last entry fed; 0 before the first. */
  get position(): number {
    return this.#position;
  }

  /** Number of the newest order; 0 before the first. */
  get lastNumber(): number {
    return this.#lastNumber;
  }

  get counts(): AuditCounts {
    return {
      entries: this.#entries,
      orders: this.#orders,
      requests: this.#requestIds.size,
      refusals: this.#refusals,
      stocks: this.#totals.size,
    };
  }

  /** What was found wrong so far, in words; empty when all invariants hold. */
  get problems(): readonly string[] {
    const unnamed = this.#problemCount - this.#problems.length;
    return unnamed > 0 ? [...this.#problems, `and ${unnamed} more problems`] : this.#problems;
  }

  /**
   * The next entry's commands, in the order of the journal. Entries without
   * commands are fed as empty, or left out.
   */
  feed(position: number, commands: readonly Command[]): void {
    if (position <= this.#position) {
      this.#problem(`position ${position} comes after position ${this.#position}`);
    }
    this.#snapshotBefore(position);
    this.#position = Math.max(position, this.#position);
    this.#entries++;
    for (const command of commands) this.#check(position, command);
  }

  /** The stocks at the last position fed, ascending by name. */
  stocks(): Stock[] {
    return [...this.#totals.keys()].sort().flatMap((name) => {
      const totals = this.#totals.get(name);
      return totals ? [{ name, price: totals.price, quantity: Number(quantityOf(totals)) }] : [];
    });
  }

  /**
   * The stocks at a position that the constructor was given, or at the last one
   * fed; undefined for any other, and for one that wasn't reached.
   */
  stocksAt(position: number): Stock[] | undefined {
    return position === this.#position ? this.stocks() : this.#snapshots.get(position);
  }

  /** How tables that claim to stand at the last position fed differ from the journal, in words. */
  differences(stocks: Iterable<Stock>, lastNumber: number): string[] {
    const at = `at position ${this.#position}`;
    const differences: string[] = [];
    if (lastNumber !== this.#lastNumber) {
      differences.push(
        `${at} the journal's last order is ${this.#lastNumber}, the table's ${lastNumber}`,
      );
    }
    const expected = new Map(this.stocks().map((stock) => [stock.name, stock]));
    for (const { name, price, quantity } of stocks) {
      const stock = expected.get(name);
      expected.delete(name);
      if (stock === undefined) {
        differences.push(`${at} the table has ${name}, which the journal never listed`);
      } else if (stock.price !== price || stock.quantity !== quantity) {
        differences.push(
          `${at} the journal makes ${name} ${stock.quantity} at ${stock.price}, ` +
            `the table has ${quantity} at ${price}`,
        );
      }
    }
    for (const name of expected.keys()) differences.push(`${at} the table lacks ${name}`);
    return differences;
  }

  #check(position: number, command: Command): void {
    if (this.#requestIds.has(command.requestId)) {
      this.#problem(
        `M3: position ${position} records request id ${command.requestId} a second time`,
      );
    }
    this.#requestIds.add(command.requestId);
    if (command.kind === "refuse") this.#refusals++;
    else if (command.kind === "list") this.#checkList(position, command);
    else if (command.kind === "order") this.#checkOrder(position, command);
    else if (command.kind === "key" || command.kind === "revoke") this.#checkKey(position, command);
    else this.#checkAdjust(position, command);
  }

  #checkList(position: number, command: Extract<Command, { kind: "list" }>): void {
    const { name, price, quantity } = command;
    if (this.#totals.has(name)) {
      this.#problem(`M2: position ${position} lists ${name} a second time`);
      return;
    }
    if (!(price > 0 && price < Number.POSITIVE_INFINITY)) {
      this.#problem(`M2: position ${position} lists ${name} at a price of ${price}`);
    }
    if (!Number.isInteger(quantity)) {
      this.#problem(`M2: position ${position} lists ${quantity} of ${name}`);
      return;
    }
    const totals = { price, listed: BigInt(quantity), bought: 0n, sold: 0n, adjusted: 0n };
    this.#totals.set(name, totals);
    this.#checkQuantity(position, name, totals);
  }

  #checkOrder(position: number, command: Extract<Command, { kind: "order" }>): void {
    const { number, name, type, quantity, price } = command;
    this.#orders++;
    if (number !== this.#lastNumber + 1) {
      this.#problem(`M3: position ${position} has order ${number} after order ${this.#lastNumber}`);
    }
    this.#lastNumber = number;
    if (quantity <= 0) {
      this.#problem(`M2: order ${number} at position ${position} trades ${quantity} of ${name}`);
    }
    const totals = this.#totalsToMove(position, name, quantity);
    if (totals === undefined) return;
    if (price !== totals.price) {
      this.#problem(
        `order ${number} at position ${position} is at a price of ${price}, ` +
          `but ${name} costs ${totals.price}`,
      );
    }
    if (type === "buy") totals.bought += BigInt(quantity);
    else totals.sold += BigInt(quantity);
    this.#checkQuantity(position, name, totals);
  }

  #checkAdjust(position: number, command: Extract<Command, { kind: "adjust" }>): void {
    const { name, by } = command;
    const totals = this.#totalsToMove(position, name, by);
    if (totals === undefined) return;
    totals.adjusted += BigInt(by);
    this.#checkQuantity(position, name, totals);
  }

  #checkKey(position: number, { kind, name }: Extract<Command, { kind: "key" | "revoke" }>): void {
    const before = this.#keys.get(name);
    if (kind === "key" && before !== undefined) {
      this.#problem(`M4: position ${position} makes key ${name} a second time`);
    }
    if (kind === "revoke" && before !== false) {
      this.#problem(`M4: position ${position} revokes key ${name}, which there isn't`);
    }
    this.#keys.set(name, kind === "revoke");
  }

  /** The totals of the stock that a command moves; undefined, and a problem, if it can't be moved so. */
  #totalsToMove(position: number, name: string, by: number): Totals | undefined {
    const totals = this.#totals.get(name);
    if (totals === undefined) {
      this.#problem(`M2: position ${position} moves ${name}, which was never listed`);
      return undefined;
    }
    if (!Number.isInteger(by)) {
      this.#problem(`M2: position ${position} moves ${name} by ${by}`);
      return undefined;
    }
    return totals;
  }

  #checkQuantity(position: number, name: string, totals: Totals): void {
    const quantity = quantityOf(totals);
    if (quantity < 0n || quantity > LARGEST_QUANTITY) {
      this.#problem(`M2: position ${position} makes the quantity of ${name} ${quantity}`);
    }
  }

  /** Keeps the stocks for every wanted position that the next entry goes beyond. */
  #snapshotBefore(next: number): void {
    const isDue = (wanted: number | undefined) => wanted !== undefined && wanted < next;
    if (!isDue(this.#wanted[0])) return;
    const stocks = this.stocks();
    for (const wanted of this.#wanted.filter(isDue)) this.#snapshots.set(wanted, stocks);
    this.#wanted = this.#wanted.filter((wanted) => !isDue(wanted));
  }

  #problem(problem: string): void {
    this.#problemCount++;
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push(problem);
  }
}

function quantityOf({ listed, bought, sold, adjusted }: Totals): bigint {
  return listed - bought + sold + adjusted;
}
