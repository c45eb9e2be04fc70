// What a catalog serves: lookups from its view, holds to its front ends, the
// leader's committed entries into it.
//
// When it may answer, whom it waits for and when an entry is shown is decided by
// core/coherence/catalog-view.ts. Here are the stocks themselves, the entries
// that are held and not exposed yet, the questions that wait for them, and the
// connections. Time is read after the message that it is used with.

import type { Logger } from "pino";
import type { CatalogEffect, CatalogView } from "../../core/coherence/catalog-view.ts";
import type { Grant } from "../../core/coherence/lease-holder.ts";
import { holderOf, nameOf } from "../../core/connection/names.ts";
import { decodeCommands } from "../../core/market/codec.ts";
import type { StocksAnswer, StocksQuestion } from "../../core/market/stock-lists.ts";
import type { Stock } from "../../core/market/types.ts";
import type { CommittedEntry } from "../../core/replication/types.ts";
import type { Calls, Peer } from "../../io/rpc/types.ts";
import { frontendContract } from "../contract.ts";
import { QUESTIONS_WAITING_MAX } from "./limits.ts";
import type { Replicas } from "./replicas.ts";
import type { DecodedEntry, StockView } from "./stock-view.ts";
import type { StoreWriter } from "./store-writer.ts";

const servedByFrontends = { hold: frontendContract.hold } as const;

export interface CatalogServiceOptions {
  readonly view: CatalogView;
  readonly stocks: StockView;
  readonly store: StoreWriter;
  readonly replicas: Replicas;
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  /** Another leader, or another reign, is followed from now on. */
  readonly onLeader: () => void;
  /** Something broke that must stop the process. */
  readonly onBroken: (reason: unknown) => void;
}

/** Committed entries from the leader, and up to where all are exposed. */
export interface EntriesMessage {
  readonly leader: number;
  readonly epoch: number;
  readonly exposed: number;
  readonly after: number;
  readonly entries: readonly CommittedEntry[];
}

/** Without a lease: ask the leader. */
export type Unleased = { kind: "unleased" };
export type Found = { kind: "stocks"; stocks: (Stock | null)[]; position: number };

interface Frontend {
  readonly peer: Peer;
  readonly calls: Calls<typeof servedByFrontends>;
}

export class CatalogService {
  readonly #options: CatalogServiceOptions;
  /** By holder: two front ends of one name are two. */
  readonly #frontends = new Map<string, Frontend>();
  /** Received and not exposed, ascending. */
  #held: DecodedEntry[] = [];
  /** Questions that wait for a release, by token. */
  readonly #waiting = new Map<number, (leased: boolean) => void>();
  #leader: number | null = null;
  /** An entry was applied in part: nothing of the stocks may be shown any more. */
  #isBroken = false;

  constructor(options: CatalogServiceOptions) {
    this.#options = options;
  }

  /** The leader that feeds this catalog, and its epoch; null before the first. */
  get feeder(): { readonly leader: number | null; readonly epoch: number } {
    return { leader: this.#leader, epoch: this.#options.view.epoch };
  }

  // ---- questions

  /** Stocks by name, null for an unknown one, all true at `position`. */
  lookup(names: readonly string[]): Promise<Found | Unleased> | Found | Unleased {
    const { stocks } = this.#options;
    return this.#answer(names, () => ({
      kind: "stocks",
      stocks: names.map((name) => stocks.stock(name) ?? null),
      position: stocks.position,
    }));
  }

  /** Stocks by name, in pieces. */
  list(question: StocksQuestion): Promise<StocksAnswer | Unleased> | StocksAnswer | Unleased {
    const { stocks } = this.#options;
    // What was true when the list was begun, under a lease, is true there for ever.
    if (typeof question.list === "number") return stocks.list(question);
    return this.#answer(null, () => stocks.list(question));
  }

  #answer<T>(names: readonly string[] | null, read: () => T): Promise<T | Unleased> | T | Unleased {
    const { view, nowMs } = this.#options;
    if (this.#isBroken || this.#waiting.size >= QUESTIONS_WAITING_MAX) return { kind: "unleased" };
    const readable = view.ask(names, nowMs());
    if (readable.kind === "now") return read();
    if (readable.kind === "elsewhere") return { kind: "unleased" };
    return new Promise((resolve) => {
      this.#waiting.set(readable.token, (leased) =>
        resolve(leased ? read() : { kind: "unleased" }),
      );
    });
  }

  // ---- the leader

  /** A message from a replica that leads. One whose reign is over is ignored. */
  entries({ leader, epoch, exposed, after, entries }: EntriesMessage): void {
    const { view, nowMs, onBroken } = this.#options;
    if (this.#isBroken || !this.follows(leader, epoch)) return;
    try {
      const before = view.received;
      const decoded = entries.map(decode);
      this.#logReceived(decoded);
      const through = entries.at(-1)?.position;
      if (through !== undefined) {
        const names = [...new Set(decoded.flatMap((entry) => namesIn(entry)))];
        const effects = view.hold(epoch, [{ after, through, names }], nowMs());
        if (view.received >= through) {
          this.#held.push(...decoded.filter(({ position }) => position > before));
        }
        this.#carryOut(effects);
      }
      this.#carryOut(view.exposed(epoch, exposed, nowMs()));
    } catch (error) {
      this.#isBroken = true;
      onBroken(error); // an entry that can't be applied would be missing for ever
    }
  }

  /** Follows this leader from now on; false if it is over, or it is too early to follow anybody. */
  follows(leader: number, epoch: number): boolean {
    const { view, nowMs, replicas, log, onLeader } = this.#options;
    if (!view.mayFollow(nowMs())) return false;
    const before = view.epoch;
    if (!view.follow(`order-${leader}`, epoch)) return false;
    if (epoch !== before || leader !== this.#leader) {
      this.#leader = leader;
      replicas.heardOfLeader(leader);
      log.info({ leader, epoch }, "Following the order leader");
      onLeader();
    }
    return true;
  }

  /** The leader granted a lease. */
  granted(grant: Grant): void {
    this.#options.view.granted(grant, this.#options.nowMs());
  }

  // ---- the front ends

  joined(peer: Peer): void {
    const holder = holderIn(peer);
    this.#frontends.set(holder, { peer, calls: peer.calls(servedByFrontends) });
    this.#options.view.connected(holder);
  }

  left(peer: Peer): void {
    const holder = holderIn(peer);
    if (this.#frontends.get(holder)?.peer !== peer) return;
    this.#frontends.delete(holder);
    this.#options.view.disconnected(holder);
  }

  /** Names of the front ends that may be answering from copies now. */
  get leasedTo(): string[] {
    const { view, nowMs } = this.#options;
    return view.leasedFrontends(nowMs()).map(nameOf);
  }

  /** A front end asks for a lease, saying what it holds. */
  lease(peer: Peer, ask: number, held: number | null): { grant: Grant | null } {
    const { view, nowMs } = this.#options;
    const holder = holderIn(peer);
    if (held !== null) this.#carryOut(view.frontendHeld(holder, held, nowMs()));
    return { grant: view.grant(holder, ask, nowMs()) };
  }

  /** A front end has dropped what it was told to, up to `through`. */
  holding(peer: Peer, through: number): void {
    const { view, nowMs } = this.#options;
    this.#carryOut(view.frontendHeld(holderIn(peer), through, nowMs()));
  }

  /** Every TICK_MS: leases end, and what was lost is sent again. */
  tick(): void {
    this.#carryOut(this.#options.view.tick(this.#options.nowMs()));
  }

  #carryOut(effects: readonly CatalogEffect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case "hold": {
          const { frontend, after, through, names } = effect;
          this.#frontends.get(frontend)?.calls.hold({ after, through, names: [...names] });
          break;
        }
        case "held": {
          const { replicas, view } = this.#options;
          const { epoch, through: held } = effect;
          const leader = this.#leader === null ? null : replicas.of(this.#leader);
          leader?.calls.held({ epoch, received: view.received, held });
          break;
        }
        case "apply":
          this.#apply(effect.through);
          break;
        case "release":
          for (const token of effect.tokens) {
            const settle = this.#waiting.get(token);
            this.#waiting.delete(token);
            settle?.(effect.leased);
          }
          break;
      }
    }
  }

  #logReceived(entries: readonly DecodedEntry[]): void {
    const { log } = this.#options;
    if (!log.isLevelEnabled("debug")) return;
    for (const { position, commands } of entries) {
      const requestIds = commands.map(({ requestId }) => requestId);
      log.debug({ position, requestIds }, "Received entry");
    }
  }

  #apply(through: number): void {
    const { stocks, store } = this.#options;
    const kept = this.#held.findIndex(({ position }) => position > through);
    const due = this.#held.splice(0, kept === -1 ? this.#held.length : kept);
    store.add(through, stocks.apply(due));
  }
}

const holderIn = ({ identity, link }: Peer): string => holderOf(identity.name, link);

function decode({ position, command }: CommittedEntry): DecodedEntry {
  return { position, commands: command === null ? [] : decodeCommands(command) };
}

/** The stocks that an entry changes. */
function namesIn({ commands }: DecodedEntry): readonly string[] {
  return commands.flatMap((command) => (command.kind === "refuse" ? [] : command.name));
}
