// Copies in a store that others use, too, that outlives this front end and
// answers late or not at all. What was dropped or cleared must not come back:
//
//   D1. Keys carry a session, a prefix of this front end's own that is never used
//       again: clear() begins another one, and what the old one left is found no
//       more. A copy that was being read then doesn't count either.
//   D2. Whenever the store may have missed a command, another session begins: when
//       a drop isn't confirmed, and, by clear(), when the connection is lost.

import { STORED_NAMES_DROPPED_MAX } from "./limits.ts";

/** One stock as it was answered. */
export interface Copy<B> {
  /** What is answered, ready to be sent. */
  readonly body: B;
  /** The journal position that it is true at. */
  readonly position: number;
}

/**
 * Where copies are kept. A store knows nothing of when a copy is fresh; it promises that after
 * drop(names) or clear() no copy is found that was put before, and after clear() none that is
 * being read.
 */
export interface Copies<B> {
  /** A copy that is at hand; of a store elsewhere there is none. */
  get(name: string): Copy<B> | undefined;
  /** Only of a store elsewhere: calls back once, within the store's own short limit. */
  read?(name: string, then: (copy: Copy<B> | undefined) => void): void;
  put(name: string, copy: Copy<B>): void;
  drop(names: readonly string[]): void;
  clear(): void;
}

/** A connection to the store, which carries out commands in the order in which they come. */
export interface CopyCommands<B> {
  /** Calls back once; undefined: there is no such copy, or no answer. */
  get(key: string, then: (copy: Copy<B> | undefined) => void): void;
  put(key: string, copy: Copy<B>): void;
  /** Calls back once with how many there were; undefined: there is no answer. */
  delete(keys: readonly string[], then: (count: number | undefined) => void): void;
}

export class StoredCopies<B> implements Copies<B> {
  readonly #owner: string;
  readonly #commands: CopyCommands<B>;
  #sessions = 0;
  #prefix = "";
  #invalidations = 0;

  /** `owner` is different for each life of each front end at this store. */
  constructor(owner: string, commands: CopyCommands<B>) {
    this.#owner = owner;
    this.#commands = commands;
    this.clear();
  }

  /** How many copies were dropped by name. */
  get invalidations(): number {
    return this.#invalidations;
  }

  get(): undefined {}

  read(name: string, then: (copy: Copy<B> | undefined) => void): void {
    const prefix = this.#prefix;
    this.#commands.get(
      prefix + name,
      (copy) => then(prefix === this.#prefix ? copy : undefined), // D1
    );
  }

  put(name: string, copy: Copy<B>): void {
    this.#commands.put(this.#prefix + name, copy);
  }

  drop(names: readonly string[]): void {
    if (names.length === 0) return;
    if (names.length > STORED_NAMES_DROPPED_MAX) {
      this.clear();
      return;
    }
    const keys = names.map((name) => this.#prefix + name);
    this.#commands.delete(keys, (count) => {
      if (count === undefined)
        this.clear(); // D2
      else this.#invalidations += Math.min(count, names.length);
    });
  }

  clear(): void {
    this.#sessions += 1;
    this.#prefix = `${this.#owner}:${this.#sessions}:`;
  }
}
