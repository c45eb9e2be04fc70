// What tests of roles put in the place of the other parts: stocks, trades, and
// connections whose answers the test decides.

import { randomUUID } from "node:crypto";
import pino from "pino";
import type { Stock } from "../../core/market/types.ts";
import { TEST_CLUSTER } from "../../io/rpc/testing.ts";
import type { Peer, RoleKind } from "../../io/rpc/types.ts";
import type { Question } from "../contract.ts";

export const silent = pino({ level: "silent" });

export const FISH: Stock = { name: "FishCo", price: 17.99, quantity: 600 };
export const BOAR: Stock = { name: "BoarCo", price: 28.59, quantity: 1102 };

export function trade(
  requestId: string,
  name: string,
  type: string,
  quantity: number,
  recordRefusal = false,
): Question {
  return {
    kind: "request",
    requestId,
    content: { kind: "trade", name, type, quantity },
    recordRefusal,
  };
}

/** A call that the role made, waiting for the test to answer it. */
export interface ReceivedCall {
  readonly name: string;
  readonly argument: unknown;
  answer(result: unknown): void;
  fail(error: Error): void;
}

/** The other end of a connection, answered by the test. */
export class FakePeer implements Peer {
  readonly identity;
  readonly link: string;
  isOpen = true;
  readonly received: ReceivedCall[] = [];

  /** `link`: of a process of its own, unless another connection of its link came before. */
  constructor(role: RoleKind, name: string, link: string = randomUUID()) {
    this.identity = { role, name, cluster: TEST_CLUSTER };
    this.link = link;
  }

  calls(contract: object): never {
    const made = Object.keys(contract).map((name) => [
      name,
      (argument: unknown) =>
        new Promise((answer, fail) => this.received.push({ name, argument, answer, fail })),
    ]);
    return Object.fromEntries(made) as never;
  }

  /** The next call not taken yet; throws when there is none. */
  take(): ReceivedCall {
    const call = this.received.shift();
    if (call === undefined) throw new Error(`${this.identity.name} was not called`);
    return call;
  }

  flush(): void {}

  close(): void {
    this.isOpen = false;
  }
}

/** Lets everything that is scheduled for this turn and the next few run. */
export async function turns(count = 4): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((next) => setImmediate(next));
}
