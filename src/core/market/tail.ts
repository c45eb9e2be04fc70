// The newest commands, kept in memory until the durable tables hold them.
//
// Commands come in ascending positions and leave in the same order, so a queue
// with two indexes is enough. Adding, finding and leaving each cost the same
// whatever is held.

import { invariant } from "../invariant.ts";
import type { Command, Order } from "./types.ts";

/** Room of released commands at the front of the queue after which it is compacted, if they are also the larger half. */
const RELEASED_COMMANDS_MAX = 1_024;

type OrderCommand = Extract<Command, { kind: "order" }>;

export class MarketTail {
  /** Parallel queues: the command at index i was recorded at #positions[i]. */
  #commands: Command[] = [];
  #positions: number[] = [];
  /** Index of the oldest command still held. */
  #first = 0;
  readonly #byRequestId = new Map<string, Command>();
  readonly #orders = new Map<number, OrderCommand>();
  /** Number of the newest order ever held. */
  #lastNumber = 0;
  /** Position of the newest command ever held. */
  #newest = 0;

  /** Commands held. */
  get size(): number {
    return this.#commands.length - this.#first;
  }

  add(position: number, command: Command): void {
    invariant(position >= this.#newest, "positions never go back", {
      position,
      newest: this.#newest,
    });
    // M3
    invariant(!this.#byRequestId.has(command.requestId), "a request id has one outcome", {
      position,
      requestId: command.requestId,
    });
    this.#newest = position;
    this.#commands.push(command);
    this.#positions.push(position);
    this.#byRequestId.set(command.requestId, command);
    if (command.kind === "order") {
      this.#orders.set(command.number, command);
      this.#lastNumber = command.number;
    }
  }

  /** The command recorded under a request id. */
  request(requestId: string): Command | undefined {
    return this.#byRequestId.get(requestId);
  }

  order(number: number): Order | undefined {
    return this.#orders.get(number);
  }

  /** Held orders with a number above `after`, ascending, at most `limit`. */
  orders(after: number, limit: number): Order[] {
    const found: Order[] = [];
    const oldest = this.#lastNumber - this.#orders.size + 1;
    for (
      let number = Math.max(after + 1, oldest);
      number <= this.#lastNumber && found.length < limit;
      number++
    ) {
      const order = this.#orders.get(number);
      invariant(order !== undefined, "numbers have no gaps", { number }); // M3
      found.push(order);
    }
    return found;
  }

  /** Forgets what was recorded at `position` or before. */
  releaseThrough(position: number): void {
    for (; this.#first < this.#commands.length; this.#first++) {
      const command = this.#commands[this.#first];
      const recordedAt = this.#positions[this.#first];
      if (command === undefined || recordedAt === undefined || recordedAt > position) break;
      this.#byRequestId.delete(command.requestId);
      if (command.kind === "order") this.#orders.delete(command.number);
    }
    if (this.#first > RELEASED_COMMANDS_MAX && this.#first * 2 > this.#commands.length) {
      this.#commands = this.#commands.slice(this.#first);
      this.#positions = this.#positions.slice(this.#first);
      this.#first = 0;
    }
  }
}
