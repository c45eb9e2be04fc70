// Lookups of one event-loop turn, in as few calls to a catalog as their number
// allows: clients' requests that were read together travel together.

import { NAMES_PER_CALL_MAX } from "../contract.ts";

/** Collects items with a name until the turn ends, then hands them to `send`, batch by batch. */
export class LookupBatch<T extends { readonly name: string }> {
  readonly #send: (batch: readonly T[]) => void;
  #items: T[] = [];

  constructor(send: (batch: readonly T[]) => void) {
    this.#send = send;
  }

  add(item: T): void {
    if (this.#items.length === NAMES_PER_CALL_MAX) this.#flush();
    // setImmediate runs once all sockets that have something were read.
    if (this.#items.length === 0) setImmediate(() => this.#flush());
    this.#items.push(item);
  }

  #flush(): void {
    if (this.#items.length === 0) return; // sent when it was full
    const batch = this.#items;
    this.#items = [];
    this.#send(batch);
  }
}
