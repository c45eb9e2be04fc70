// Judges what may follow in a journal: the market at its end, kept by every
// replica all the time. A follower asks it before it writes a leader's entry and
// acknowledges it; a replica that comes to lead decides on the very same state.
//
//   M2, M3. No entry gets past it that breaks them: numbers without gaps, listed
//       stocks only, each listed once, quantities never negative, one outcome
//       for a request id. What can't be read can't be judged, and doesn't either.
//
// The rules are those that applying a command asserts (state.ts), so there is no
// second version of them. Not decide(): what the market refuses may change from
// version to version, and a journal's history must stay acceptable.

import { InvariantViolation } from "../invariant.ts";
import { BadCommandBytes, decodeCommands } from "./codec.ts";
import { MarketState, type OlderRequests } from "./state.ts";
import type { Command, Stock } from "./types.ts";

/** The durable tables, by which the state begins. */
export interface JudgeTables extends OlderRequests {
  /** The tables hold the effects of the entries up to here. */
  readonly appliedPosition: number;
  /** Number of the newest order in the tables; 0 before the first. */
  readonly lastNumber: number;
  stocks(): Iterable<Stock>;
  /** The commands of keys, in any order. */
  keyCommands(): Iterable<Command>;
  /** Runs `read` with one read transaction for all that it asks of the tables. */
  readTogether<T>(read: () => T): T;
}

/** An entry, as far as the market is concerned. */
interface JudgedEntry {
  readonly position: number;
  readonly body:
    | { readonly kind: "command"; readonly bytes: Uint8Array }
    | { readonly kind: "reign"; readonly state: string }
    | { readonly kind: "admit" | "members" };
}

/** An entry that can't follow, and why. */
interface Misfit {
  readonly position: number;
  readonly reason: string;
}

export class MarketJudge {
  readonly #tables: JudgeTables;
  readonly #damage: (misfit: Misfit) => Error;
  #market: MarketState;

  /** `damage` makes the error to stop with when a replica's own entries don't follow from its tables. */
  constructor(tables: JudgeTables, damage: (misfit: Misfit) => Error) {
    this.#tables = tables;
    this.#damage = damage;
    this.#market = marketOf(tables);
  }

  /** The market at the journal's end; another one after rewind(). */
  get market(): MarketState {
    return this.#market;
  }

  rewind(): number {
    this.#market = marketOf(this.#tables);
    return this.#tables.appliedPosition;
  }

  take(entries: readonly JudgedEntry[]): Misfit | null {
    this.#market.releaseThrough(this.#tables.appliedPosition);
    if (entries.length === 1) return this.#takeAll(entries);
    return this.#tables.readTogether(() => this.#takeAll(entries));
  }

  summary(): string {
    return this.#market.summary();
  }

  damage(misfit: Misfit): Error {
    return this.#damage(misfit);
  }

  #takeAll(entries: readonly JudgedEntry[]): Misfit | null {
    for (const { position, body } of entries) {
      const reason =
        body.kind === "command"
          ? this.#takeCommands(position, body.bytes)
          : body.kind === "reign"
            ? this.#compare(body.state)
            : null;
      if (reason !== null) return { position, reason };
    }
    return null;
  }

  /** Why these can't be next; null when they are. */
  #takeCommands(position: number, bytes: Uint8Array): string | null {
    try {
      for (const command of decodeCommands(bytes)) {
        const { requestId } = command;
        if (this.#market.request(requestId) !== undefined) {
          return `request id ${requestId} has an outcome already`; // M3
        }
        this.#market.apply(position, [command]);
      }
      return null;
    } catch (error) {
      if (error instanceof InvariantViolation) return error.message;
      if (error instanceof BadCommandBytes) return `its commands can't be read: ${error.message}`;
      throw error;
    }
  }

  /** Why a leader can't begin with this; null when it can. */
  #compare(state: string): string | null {
    if (state === "") return null;
    const own = this.#market.summary();
    return own === state ? null : `the leader begins with ${state}, this journal has ${own}`;
  }
}

function marketOf(tables: JudgeTables): MarketState {
  return new MarketState({
    stocks: tables.stocks(),
    lastNumber: tables.lastNumber,
    older: tables,
    keyCommands: tables.keyCommands(),
  });
}
