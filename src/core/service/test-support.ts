// What the tests of this folder share: two stocks, trades, and answers to them; a
// log whose commits and confirmations the test decides, and connections that it
// reads.

import type { Feed } from "../coherence/leader-views.ts";
import { MarketState } from "../market/state.ts";
import type { LogListener, LogStatus, ReplicatedLog } from "../replication/log.ts";
import type { CommittedEntry } from "../replication/types.ts";
import type { ReplicaHealth } from "../selection/types.ts";
import type { DeskPeer, DeskTables } from "./leader-desk.ts";
import type { Answer, Question } from "./types.ts";

export function market(): MarketState {
  const stocks = [
    { name: "FishCo", price: 17.99, quantity: 600 },
    { name: "BoarCo", price: 28.59, quantity: 1102 },
  ];
  return new MarketState({ stocks, lastNumber: 0, older: { request: () => undefined } });
}

export const noTables: DeskTables = {
  appliedPosition: 0,
  order: () => undefined,
  orders: () => [],
  requestIds: () => [],
  readTogether: (read) => read(),
};

export function trade(
  requestId: string,
  name = "FishCo",
  type = "sell",
  quantity = 1,
  recordRefusal = false,
): Question {
  return {
    kind: "request",
    requestId,
    content: { kind: "trade", name, type, quantity },
    recordRefusal,
  };
}

export function accepted(number: number): Answer {
  return { kind: "outcome", outcome: { kind: "accepted", number } };
}

export const refused: Answer = {
  kind: "outcome",
  outcome: { kind: "refused", refusal: { kind: "unknown-stock", name: "FishCo" } },
};

/** A log of one process: nothing is committed or confirmed before the test says so. */
export class FakeLog implements ReplicatedLog {
  readonly entries: CommittedEntry[] = [];
  /** Who is told of commits. */
  listener: Partial<LogListener> = {};
  commit = 0;
  leads = false;
  leader: number | null = null;
  epoch = 0;
  reign: LogStatus["reign"] = null;
  confirmations: ((leads: boolean) => void)[] = [];
  /** How often it was to lead. */
  attempts = 0;
  readonly #replica: number;

  constructor(replica: number) {
    this.#replica = replica;
  }

  status(): LogStatus {
    const { leads, leader, epoch, commit, reign } = this;
    const lastPosition = this.entries.length;
    return { leads, leader, epoch, lastPosition, commitPosition: commit, reign };
  }

  lead(): void {
    this.attempts += 1;
  }

  /** Appends and commits a reign, and tells the listener. */
  beginReign(): void {
    this.epoch += 1;
    this.leads = true;
    this.leader = this.#replica;
    this.reign = { wonAt: 0, confirmedAt: 0 };
    this.#push(null);
    this.commitThrough(this.entries.length);
    this.listener.leading?.(this.epoch);
  }

  /** Another replica leads from now on. */
  depose(leader: number | null): void {
    this.epoch += 1;
    this.leads = false;
    this.leader = leader;
    this.reign = null;
    for (const settle of this.confirmations.splice(0)) settle(false);
    this.listener.deposed?.();
  }

  append(commands: readonly Uint8Array[]): number {
    for (const command of commands) this.#push(command);
    return this.entries.length;
  }

  confirm(settled: (leads: boolean) => void): void {
    this.confirmations.push(settled);
  }

  commitThrough(position: number): void {
    const newly = this.entries.slice(this.commit, position);
    this.commit = Math.max(this.commit, position);
    if (newly.length > 0) this.listener.committed?.(newly);
  }

  read(position: number): readonly CommittedEntry[] {
    return this.entries.slice(position, this.commit);
  }

  #push(command: Uint8Array | null): void {
    this.entries.push({ position: this.entries.length + 1, epoch: this.epoch, at: 0, command });
  }
}

let links = 0;

/** One connection, and what was sent over it. */
export class FakePeer implements DeskPeer {
  readonly identity;
  readonly link: string;
  readonly fed: Feed[] = [];
  readonly beats: ReplicaHealth[] = [];

  /** `link`: of a process of its own, unless another connection of its link came before. */
  constructor(role: string, name: string, link?: string) {
    links += 1;
    this.identity = { role, name };
    this.link = link ?? `link-${links}`;
  }

  /** The positions in each message since the last look, but for those that only tell what is exposed. */
  sent(): number[][] {
    return this.fed
      .splice(0)
      .map(({ entries }) => entries.map(({ position }) => position))
      .filter((positions) => positions.length > 0);
  }
}

/** The ends of event-loop turns: `pass` lets all that is scheduled happen. */
export function turns() {
  const scheduled: (() => void)[] = [];
  const pass = (): void => {
    for (let next = scheduled.shift(); next; next = scheduled.shift()) next();
  };
  return { atTurnsEnd: (run: () => void) => void scheduled.push(run), pass, scheduled };
}
