// What a leader does for its catalogs during one reign: the real LeaderViews,
// with entries sent from the journal.

import { type LeaderEffect, LeaderViews } from "../src/core/coherence/leader-views.ts";
import type { Replica } from "../src/core/replication/replica.ts";
import { toCommitted } from "../src/core/replication/types.ts";
import type { SimulatedMessage } from "./messages.ts";

export interface LeaderHostOptions {
  readonly id: number;
  readonly replica: Replica;
  readonly epoch: number;
  readonly catalogs: readonly string[];
  readonly pieceBytesMax: number;
  readonly clock: () => number;
  readonly send: (to: string, message: SimulatedMessage) => void;
  readonly exposed: (position: number) => void;
  /** Nobody answered any more for what is exposed: a lease has ended. */
  readonly waitedForLease: () => void;
}

export class LeaderHost {
  readonly #options: LeaderHostOptions;
  readonly #views: LeaderViews;

  constructor(options: LeaderHostOptions) {
    this.#options = options;
    const { commitPosition, reign } = options.replica.status();
    this.#views = new LeaderViews({
      epoch: options.epoch,
      reignPosition: commitPosition,
      catalogs: options.catalogs,
      wonMs: reign?.wonAt ?? options.clock(),
    });
    this.committed(commitPosition);
  }

  committed(position: number): void {
    this.#carryOut(this.#views.committed(position, this.#options.clock()));
  }

  tick(): void {
    const effects = this.#views.tick(this.#options.clock());
    if (effects.some(({ kind }) => kind === "exposed")) this.#options.waitedForLease();
    this.#carryOut(effects);
  }

  received(from: string, message: Extract<SimulatedMessage, { kind: "follow" | "held" }>): void {
    const { clock, epoch, replica, send } = this.#options;
    if (message.kind === "held") {
      if (message.epoch !== epoch) return;
      this.#carryOut(this.#views.held(from, message.received, message.held, clock()));
      return;
    }
    const { call, received, held, ask } = message;
    const isOfReign = message.epoch === epoch;
    this.#carryOut(this.#views.follows(from, received, clock()));
    if (isOfReign) this.#carryOut(this.#views.held(from, received, held, clock()));
    if (isOfReign) this.#carryOut(this.#views.wants(from));
    const confirmedMs = replica.status().reign?.confirmedAt ?? Number.NEGATIVE_INFINITY;
    const grant =
      isOfReign && ask !== null ? this.#views.grant(from, ask, confirmedMs, clock()) : null;
    send(from, { kind: "leads", call, leads: true, epoch, grant });
  }

  left(catalog: string): void {
    this.#views.left(catalog);
  }

  #carryOut(effects: readonly LeaderEffect[]): void {
    const { id: leader, replica, epoch, clock, send, exposed, pieceBytesMax } = this.#options;
    for (const effect of effects) {
      if (effect.kind === "exposed") {
        exposed(effect.position);
      } else if (effect.kind === "expose") {
        const { exposed: position } = this.#views;
        send(effect.catalog, {
          kind: "entries",
          leader,
          epoch,
          exposed: position,
          after: 0,
          entries: [],
        });
      } else {
        const { commit } = this.#views;
        const entries = replica
          .entriesAfter(effect.after, pieceBytesMax)
          .filter((entry) => entry.position <= commit);
        const through = entries.at(-1)?.position ?? effect.after;
        send(effect.catalog, {
          kind: "entries",
          leader,
          epoch,
          exposed: this.#views.exposed,
          after: effect.after,
          entries: entries.map(toCommitted),
        });
        this.#carryOut(this.#views.sent(effect.catalog, through, clock()));
      }
    }
  }
}
