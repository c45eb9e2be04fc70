// The network between processes: delay, loss, duplication, reordering, cuts.
//
// Messages of one direction keep their order, as on a connection, unless the run
// reorders; a message can outlive its sender, and reach a process that has
// restarted meanwhile. Both sides learn of a closed connection, but not at once,
// and of a silent cut not at all.

import type { Counters } from "./counters.ts";
import type { FaultMix } from "./faults.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

/** Whoever takes messages. */
export interface Endpoint {
  readonly name: string;
  readonly isUp: boolean;
  /** A message came in. */
  deliver(from: string, message: unknown): void;
  /** A connection for sending to `peer` is open, or was closed. */
  connection(peer: string, isOpen: boolean): void;
}

const SPIKE_MS = 400;

export class Network {
  faults: FaultMix;
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #counters: Counters;
  readonly #endpoints = new Map<string, Endpoint>();
  /** Directions that carry nothing, `from>to`, and how many cuts say so. */
  readonly #cuts = new Map<string, number>();
  /** Extra delay of a direction, milliseconds. */
  readonly #slow = new Map<string, number>();
  readonly #lastArrival = new Map<string, number>();

  constructor(scheduler: Scheduler, random: Random, faults: FaultMix, counters: Counters) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.faults = faults;
    this.#counters = counters;
  }

  add(endpoint: Endpoint): void {
    this.#endpoints.set(endpoint.name, endpoint);
  }

  cut(from: string, to: string): void {
    const key = `${from}>${to}`;
    this.#cuts.set(key, (this.#cuts.get(key) ?? 0) + 1);
  }

  /** Takes one cut of this direction back. */
  mend(from: string, to: string): void {
    const key = `${from}>${to}`;
    const left = (this.#cuts.get(key) ?? 0) - 1;
    if (left > 0) this.#cuts.set(key, left);
    else this.#cuts.delete(key);
  }

  /** What this direction carries comes later by `ms`; 0 ends it. */
  slow(from: string, to: string, ms: number): void {
    if (ms > 0) this.#slow.set(`${from}>${to}`, ms);
    else this.#slow.delete(`${from}>${to}`);
  }

  /** Takes back all cuts and slowness. */
  heal(): void {
    this.#cuts.clear();
    this.#slow.clear();
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.has(`${from}>${to}`);
  }

  send(from: string, to: string, message: unknown): void {
    const { lossPerMessage, duplicatePerMessage } = this.faults;
    this.#counters.add("messages");
    const fate = this.isCut(from, to)
      ? "cut off"
      : this.#random.chance(lossPerMessage)
        ? "lost"
        : null;
    if (fate !== null) {
      this.#counters.add(fate);
      return;
    }
    this.#arrive(from, to, message);
    if (this.#random.chance(duplicatePerMessage)) {
      this.#counters.add("duplicated");
      this.#arrive(from, to, message);
    }
  }

  #arrive(from: string, to: string, message: unknown): void {
    const { delayMs, spikePerMessage, reorder } = this.faults;
    const key = `${from}>${to}`;
    let delay = this.#random.heavy(delayMs) + (this.#slow.get(key) ?? 0);
    if (this.#random.chance(spikePerMessage)) delay += this.#random.between(0, SPIKE_MS);
    let arrival = this.#scheduler.now + delay;
    if (!reorder) {
      arrival = Math.max(arrival, this.#lastArrival.get(key) ?? 0);
      this.#lastArrival.set(key, arrival);
    }
    this.#scheduler.after(arrival - this.#scheduler.now, () => {
      const endpoint = this.#endpoints.get(to);
      if (endpoint?.isUp && !this.isCut(from, to)) endpoint.deliver(from, message);
    });
  }

  /** `name` came up: connections to and from it open, each after a while. */
  opened(name: string): void {
    for (const other of this.#endpoints.values()) {
      if (other.name === name) continue;
      this.#connect(name, other.name);
      this.#connect(other.name, name);
    }
  }

  #connect(from: string, to: string): void {
    this.#scheduler.after(this.#random.heavy(5), () => {
      const sender = this.#endpoints.get(from);
      const receiver = this.#endpoints.get(to);
      if (sender?.isUp && receiver?.isUp) sender.connection(to, true);
    });
  }

  /** `name` went down: who was connected learns it, unless it is cut off. */
  closed(name: string): void {
    for (const other of this.#endpoints.values()) {
      if (other.name === name) continue;
      this.#scheduler.after(this.#random.heavy(this.faults.delayMs), () => {
        const gone = this.#endpoints.get(name);
        if (other.isUp && !gone?.isUp && !this.isCut(name, other.name))
          other.connection(name, false);
      });
    }
  }
}
