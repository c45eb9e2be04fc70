// Lookups of one event-loop turn, in as few calls to a catalog as their number
// and length allow: clients' requests that were read together travel together.

import { NAMES_PER_CALL_MAX } from "../contract.ts";
import { LOOKUP_LETTERS_PER_CALL_MAX } from "./limits.ts";

/** Collects items with a name until the turn ends, then hands them to `send`, batch by batch. */
export class LookupBatch<T extends { readonly name: string }> {
  readonly #send: (batch: readonly T[]) => void;
  #items: T[] = [];
  #letters = 0;

  constructor(send: (batch: readonly T[]) => void) {
    this.#send = send;
  }

  add(item: T): void {
    const full =
      this.#items.length === NAMES_PER_CALL_MAX ||
      this.#letters + item.name.length > LOOKUP_LETTERS_PER_CALL_MAX;
    if (full) this.#flush();
    // setImmediate runs once all sockets that have something were read.
    if (this.#items.length === 0) setImmediate(() => this.#flush());
    this.#items.push(item);
    this.#letters += item.name.length;
  }

  #flush(): void {
    if (this.#items.length === 0) return; // sent when it was full
    const batch = this.#items;
    this.#items = [];
    this.#letters = 0;
    this.#send(batch);
  }
}
