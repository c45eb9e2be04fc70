// Where a front end keeps its copies of stocks: in its own memory, or in a store
// that outlives it and answers late or not at all, as Redis does. Like the real
// ones, a store knows nothing of when a copy is fresh; it promises that what was
// dropped or cleared doesn't come back.

import type { Stock } from "../src/core/market/types.ts";
import type { Host } from "./host.ts";

const ANSWER_LIMIT_MS = 200;
const CONNECT_AGAIN_MS = 100;

export interface Copy {
  readonly stock: Stock;
  readonly position: number;
}

export interface Copies {
  /** Calls back with the copy, at once or later. */
  get(name: string, then: (copy: Copy | undefined) => void): void;
  put(name: string, copy: Copy): void;
  drop(names: readonly string[]): void;
  /** No copy from before is found any more. */
  clear(): void;
}

export class MemoryCopies implements Copies {
  readonly #copies = new Map<string, Copy>();

  get(name: string, then: (copy: Copy | undefined) => void): void {
    then(this.#copies.get(name));
  }

  put(name: string, copy: Copy): void {
    this.#copies.set(name, copy);
  }

  drop(names: readonly string[]): void {
    for (const name of names) this.#copies.delete(name);
  }

  clear(): void {
    this.#copies.clear();
  }
}

/** One store for all front ends of a run. What is in it outlives them. */
export class CopyStore {
  readonly copies = new Map<string, Copy>();
  /** Takes commands and answers none. */
  isOut = false;
}

/** A front end's connection to the store: commands in order, each after a while; copies by session. */
export class StoredCopies implements Copies {
  readonly #host: Host;
  readonly #store: CopyStore;
  readonly #after: (ms: number, run: () => void) => void;
  readonly #owner: string;
  #sessions = 0;
  #prefix = "";
  #isOpen = true;
  #lastArrivalMs = 0;

  /** `owner` names this life of the front end; `after` is a timer of it. */
  constructor(options: {
    readonly host: Host;
    readonly store: CopyStore;
    readonly owner: string;
    readonly after: (ms: number, run: () => void) => void;
  }) {
    this.#host = options.host;
    this.#store = options.store;
    this.#after = options.after;
    this.#owner = options.owner;
    this.clear();
  }

  get(name: string, then: (copy: Copy | undefined) => void): void {
    const prefix = this.#prefix;
    this.#command(
      (copies) => copies.get(prefix + name),
      (copy) => then(prefix === this.#prefix ? copy : undefined),
    );
  }

  put(name: string, copy: Copy): void {
    const key = this.#prefix + name;
    this.#command((copies) => copies.set(key, copy));
  }

  drop(names: readonly string[]): void {
    const prefix = this.#prefix;
    this.#command((copies) => {
      for (const name of names) copies.delete(prefix + name);
    });
  }

  clear(): void {
    this.#sessions += 1;
    this.#prefix = `${this.#owner}:${this.#sessions}:`;
  }

  /** Without an answer in time the connection is given up, and with it every copy. */
  #command<T>(
    command: (copies: Map<string, Copy>) => T,
    then: (result: T | undefined) => void = () => {},
  ): void {
    if (!this.#isOpen) {
      then(undefined);
      return;
    }
    const { random, scheduler, faults } = this.#host;
    const delayMs = random.heavy(faults.storeMs);
    const arrivalMs = Math.max(this.#lastArrivalMs, scheduler.now + delayMs);
    this.#lastArrivalMs = arrivalMs;
    let settled = false;
    const settle = (result: T | undefined): void => {
      if (settled) return;
      settled = true;
      then(result);
    };
    scheduler.after(arrivalMs - scheduler.now, () => {
      const result = command(this.#store.copies);
      if (!this.#store.isOut) this.#after(delayMs, () => settle(result));
    });
    this.#after(ANSWER_LIMIT_MS, () => {
      if (settled) return;
      settle(undefined);
      this.#lost();
    });
  }

  #lost(): void {
    this.#host.counters.add("copy stores lost");
    this.clear();
    this.#isOpen = false;
    this.#after(CONNECT_AGAIN_MS, () => {
      this.#isOpen = true;
    });
  }
}
