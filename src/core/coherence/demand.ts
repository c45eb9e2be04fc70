// Whether anybody reads a view. Only then is it worth a lease: every trade waits
// for whoever holds one, so a view that nobody reads lets its lease run out. Who
// reads first after that waits for the lease, though not for long.

import { DEMAND_MS, LEASE_WAIT_MS } from "./limits.ts";

export class Demand {
  #readMs = Number.NEGATIVE_INFINITY;

  /** The view was read. Returns true if it hadn't been for long: it has no lease, or soon none. */
  read(nowMs: number): boolean {
    const begins = !this.isThere(nowMs);
    this.#readMs = nowMs;
    return begins;
  }

  /** Whether the view was read lately, so that its lease is worth renewing. */
  isThere(nowMs: number): boolean {
    return nowMs - this.#readMs < DEMAND_MS;
  }
}

export interface WakingOptions {
  readonly isLeased: () => boolean;
  /** Asks for a lease, at once. */
  readonly ask: () => void;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly after: (ms: number, run: () => void) => void;
}

/** Readers of a view, of whom the first wait until it has a lease again. */
export class Waking {
  readonly #options: WakingOptions;
  readonly #demand = new Demand();
  /** Who waits for a lease; null while none is waited for. */
  #readers: (() => void)[] | null = null;

  constructor(options: WakingOptions) {
    this.#options = options;
  }

  /** Whether the view was read lately, so that its lease is worth asking for. */
  get isWorthALease(): boolean {
    return this.#demand.isThere(this.#options.nowMs());
  }

  /** How many wait for a lease. */
  get waiting(): number {
    return this.#readers?.length ?? 0;
  }

  /** Runs `read` once: now, or if nobody has read for long, when there is a lease, or after LEASE_WAIT_MS. */
  read(read: () => void): void {
    const { isLeased, ask, nowMs, after } = this.#options;
    const begins = this.#demand.read(nowMs());
    if (isLeased()) {
      read();
    } else if (this.#readers) this.#readers.push(read);
    else if (begins) {
      const readers = [read];
      this.#readers = readers;
      after(LEASE_WAIT_MS, () => {
        if (this.#readers === readers) this.wake();
      });
      ask();
    } else read();
  }

  /** The view was read, under its lease. */
  wasRead(): void {
    this.#demand.read(this.#options.nowMs());
  }

  /** A lease may count now. */
  looked(): void {
    if (this.#readers && this.#options.isLeased()) this.wake();
  }

  /** Nobody waits any more: there is a lease, or none to be had. */
  wake(): void {
    const readers = this.#readers ?? [];
    this.#readers = null;
    for (const read of readers) read();
  }
}
