// A store of copies that outlives front ends and answers late or not at all, as
// Redis does. When a copy counts is in src/core/coherence/stored-copies.ts.

import {
  type Copies,
  type Copy,
  type CopyCommands,
  StoredCopies,
} from "../src/core/coherence/stored-copies.ts";
import type { Stock } from "../src/core/market/types.ts";
import type { Host } from "./host.ts";

const ANSWER_LIMIT_MS = 200;
const CONNECT_AGAIN_MS = 100;

/** One store for all front ends of a run. What is in it outlives them. */
export class CopyStore {
  /** It confirms that copies are gone which it keeps. */
  readonly keepsAll: boolean;
  readonly copies = new Map<string, Copy<Stock>>();
  /** Takes commands and answers none. */
  isOut = false;

  constructor(keepsAll = false) {
    this.keepsAll = keepsAll;
  }
}

/** Copies of a front end in `store`. `owner` names this life of it; `after` is a timer of it. */
export function storedCopies(
  options: ConnectionOptions & { readonly owner: string },
): Copies<Stock> {
  const connection = new StoreConnection(options, () => stored.clear());
  const stored = new StoredCopies(options.owner, connection);
  return stored;
}

interface ConnectionOptions {
  readonly host: Host;
  readonly store: CopyStore;
  readonly after: (ms: number, run: () => void) => void;
}

/** Commands in order, each after a while. */
class StoreConnection implements CopyCommands<Stock> {
  readonly #options: ConnectionOptions;
  readonly #onLost: () => void;
  #isOpen = true;
  #lastArrivalMs = 0;

  constructor(options: ConnectionOptions, onLost: () => void) {
    this.#options = options;
    this.#onLost = onLost;
  }

  get(key: string, then: (copy: Copy<Stock> | undefined) => void): void {
    this.#command<Copy<Stock> | undefined>((copies) => copies.get(key), then);
  }

  put(key: string, copy: Copy<Stock>): void {
    this.#command((copies) => void copies.set(key, copy));
  }

  delete(keys: readonly string[], then: (count: number | undefined) => void): void {
    if (!this.#isOpen)
      then(0); // the next connection begins a session
    else if (this.#options.store.keepsAll) this.#command(() => keys.length, then);
    else this.#command((copies) => keys.filter((key) => copies.delete(key)).length, then);
  }

  /** Without an answer in time the connection is given up, and with it every copy. */
  #command<T>(
    command: (copies: Map<string, Copy<Stock>>) => T,
    then: (result: T | undefined) => void = () => {},
  ): void {
    if (!this.#isOpen) {
      then(undefined);
      return;
    }
    const { host, store, after } = this.#options;
    const { random, scheduler, faults } = host;
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
      const result = command(store.copies);
      if (!store.isOut) after(delayMs, () => settle(result));
    });
    after(ANSWER_LIMIT_MS, () => {
      if (settled) return;
      settle(undefined);
      this.#lost();
    });
  }

  #lost(): void {
    this.#options.host.counters.add("copy stores lost");
    this.#onLost();
    this.#isOpen = false;
    this.#options.after(CONNECT_AGAIN_MS, () => {
      this.#isOpen = true;
    });
  }
}
