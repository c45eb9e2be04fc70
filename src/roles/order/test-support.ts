// What the order role's tests put in the place of the other parts: a log whose
// commits and confirmations the test decides, a catalog whose answers it
// decides, and tables that hold nothing.

import { randomUUID } from "node:crypto";
import pino from "pino";
import { MarketState } from "../../core/market/state.ts";
import type { Stock } from "../../core/market/types.ts";
import type { CommittedEntry } from "../../core/replication/types.ts";
import type { LeadOutcome, LogListener, LogStatus, ReplicatedLog } from "../../io/log/log.ts";
import { TEST_CLUSTER } from "../../io/rpc/testing.ts";
import type { Peer, RoleKind } from "../../io/rpc/types.ts";
import type { Question } from "../contract.ts";
import type { ReignTables } from "./reign.ts";

export const silent = pino({ level: "silent" });

export const FISH: Stock = { name: "FishCo", price: 17.99, quantity: 600 };
export const BOAR: Stock = { name: "BoarCo", price: 28.59, quantity: 1102 };

export function market(stocks: readonly Stock[] = [FISH, BOAR]): MarketState {
  return new MarketState({ stocks, lastNumber: 0, older: { request: () => undefined } });
}

export const noTables: ReignTables = {
  appliedPosition: 0,
  order: () => undefined,
  orders: () => [],
  readTogether: (read) => read(),
};

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

/** A log of one process: nothing is committed or confirmed before the test says so. */
export class FakeLog implements ReplicatedLog {
  readonly entries: CommittedEntry[] = [];
  /** Who is told of commits; set it when the listener exists. */
  listener: LogListener | null = null;
  commit = 0;
  phase: LogStatus["phase"] = "following";
  leader: number | null = null;
  epoch = 0;
  reign: LogStatus["reign"] = null;
  confirmations: ((leads: boolean) => void)[] = [];
  /** Commits and confirms by itself, a turn later. */
  automatic = false;
  /** What lead() answers; leading at once by default. */
  outcome: LeadOutcome | null = null;
  closed = false;

  readonly #replica: number;

  constructor(replica: number) {
    this.#replica = replica;
  }

  status(): LogStatus {
    const { phase, leader, epoch, commit, reign } = this;
    const lastPosition = this.entries.length;
    return { phase, leader, epoch, lastPosition, commitPosition: commit, reign };
  }

  lead(): Promise<LeadOutcome> {
    if (this.outcome) return Promise.resolve(this.outcome);
    this.beginReign();
    return Promise.resolve({ kind: "leading", epoch: this.epoch });
  }

  /** Appends and commits a reign, and tells the listener. */
  beginReign(): void {
    this.epoch++;
    this.phase = "leading";
    this.leader = this.#replica;
    this.reign = { wonAt: 0, confirmedAt: 0 };
    this.#push(null);
    this.commitThrough(this.entries.length);
    this.listener?.leading(this.epoch);
  }

  /** Another replica leads from now on. */
  depose(leader: number | null): void {
    this.epoch++;
    this.phase = "following";
    this.leader = leader;
    this.reign = null;
    for (const settle of this.confirmations.splice(0)) settle(false);
    this.listener?.deposed();
  }

  append(commands: readonly Uint8Array[]): number {
    for (const command of commands) this.#push(command);
    if (this.automatic) setImmediate(() => this.commitThrough(this.entries.length));
    return this.entries.length;
  }

  confirm(): Promise<boolean> {
    if (this.automatic) return new Promise((settle) => setImmediate(() => settle(true)));
    return new Promise((settle) => this.confirmations.push(settle));
  }

  commitThrough(position: number): void {
    const newly = this.entries.slice(this.commit, position);
    this.commit = Math.max(this.commit, position);
    if (newly.length > 0) this.listener?.committed(newly);
  }

  read(position: number): readonly CommittedEntry[] {
    return this.entries.slice(position, this.commit);
  }

  close(): void {
    this.closed = true;
  }

  #push(command: Uint8Array | null): void {
    this.entries.push({ position: this.entries.length + 1, epoch: this.epoch, at: 0, command });
  }
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
