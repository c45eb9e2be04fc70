// What a catalog does: it follows the leader, shows what that exposes, has its
// front ends drop what changes, and answers questions about stocks.
//
// When it may answer, whom it waits for and when an entry is shown is decided by
// core/coherence/catalog-view.ts. Here that is put together with the stocks
// themselves, the questions that wait, the connections, and whom else to ask.
//
//   D1. A connection is who it is: what comes over one that another has replaced,
//       or that is closed, counts for nobody.
//   D2. Every replica hears again and again what this catalog has and what it and
//       its front ends hold. So whoever leads next knows at once where it stands,
//       and an answer that was lost is heard with the next question.
//   D3. A lease is asked for only while somebody reads: every trade waits for who
//       has one. The first reader waits for it, though not for long.
//   D4. What this catalog can't say it asks the leader. It never writes by itself:
//       an update is a request to the leader, under one request id.
//   D5. An entry that can't be applied is never left out: nothing is shown or
//       taken any more.
//
// The host gives time, connections and a file, and calls tick() every tickMs,
// follow() every followMs, and takeUnsaved() every STORE_DELAY_MS.
//
// Longer than 400 lines because it is all that a catalog is asked and told.

import { type CatalogEffect, CatalogView } from "../coherence/catalog-view.ts";
import { Waking } from "../coherence/demand.ts";
import type { Feed, Follow, Following, Held } from "../coherence/leader-views.ts";
import type { Grant } from "../coherence/lease-holder.ts";
import { LEASE_ASK_MS } from "../coherence/limits.ts";
import { holderOf, nameOf } from "../connection/names.ts";
import { isStockName, refusedInAnyMarket } from "../market/content.ts";
import type { StocksAnswer, StocksQuestion } from "../market/stock-lists.ts";
import type { Content, Stock } from "../market/types.ts";
import { type Attempt, type LeaderAnswer, LeaderClient } from "./leader-client.ts";
import {
  CATALOG_IDLE_FOLLOW_MS,
  CATALOG_IDLE_TICK_MS,
  CATALOG_QUESTIONS_WAITING_MAX,
  CATALOG_TICK_MS,
  LEADER_TOLD_MS,
} from "./limits.ts";
import { type DecodedEntry, StockView, type Unsaved } from "./stock-view.ts";
import type { Hold, LookedUp, Question, Unleased } from "./types.ts";

/** What a catalog says over its connections, `P` being one of them. Questions are settled once, in bounded time. */
export interface CatalogCalls<P> {
  /** Null: no answer. */
  follow(replica: P, question: Follow, settled: (answer: Following | null) => void): void;
  held(replica: P, answer: Held): void;
  ask(replica: P, question: Question, settled: (attempt: Attempt) => void): void;
  hold(frontend: P, hold: Hold): void;
}

/** Told what happens, for the log. */
export interface CatalogObserver {
  /** Another leader, or another reign, is followed from now on. */
  following?(leader: number, epoch: number): void;
  /** Entries arrived that had not before. */
  received?(entries: readonly DecodedEntry[]): void;
}

export interface CatalogDeskOptions<P> {
  /** What the catalog's file says. */
  readonly start: { readonly position: number; readonly stocks: Iterable<Stock> };
  /** As in LeaseHolder. */
  readonly firstAsk?: number;
  /** For how many times what was waited for it a late front end gets no lease; default: REST_PER_WAIT. */
  readonly restPerWait?: number;
  readonly calls: CatalogCalls<P>;
  readonly observer: CatalogObserver;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly after: (ms: number, run: () => void) => void;
  /** A text that is no other request's id. */
  readonly newRequestId: () => string;
  /** An entry can't be applied: the process must stop. D5 */
  readonly onBroken: (reason: unknown) => void;
}

/** More or less of a stock. */
export interface Update {
  readonly name: string;
  /** Whole, and safe. */
  readonly by: number;
  /** The caller's, which it may use again; one is made unless given. */
  readonly requestId?: string | undefined;
}

export class CatalogDesk<P> {
  readonly #options: CatalogDeskOptions<P>;
  readonly #view: CatalogView;
  readonly #stocks: StockView;
  readonly #waking: Waking;
  readonly #leader: LeaderClient;
  /** The open connections to replicas. */
  readonly #replicas = new Map<number, P>();
  /** Those of front ends, with who holds a lease at the other end. */
  readonly #holders = new Map<P, string>();
  /** The newest connection of each holder. D1 */
  readonly #frontends = new Map<string, P>();
  /** Questions that wait for a release, by token. */
  readonly #waiting = new Map<number, (leased: boolean) => void>();
  #feeder: number | null = null;
  /** When a replica last said that it leads. */
  #ledAtMs = Number.NEGATIVE_INFINITY;
  #isBroken = false;

  constructor(options: CatalogDeskOptions<P>) {
    const { start, nowMs, after } = options;
    this.#options = options;
    this.#stocks = new StockView(start);
    this.#view = new CatalogView({ ...options, applied: start.position });
    this.#waking = new Waking({
      isLeased: () => this.isLeased,
      ask: () => this.follow(),
      nowMs,
      after,
    });
    this.#leader = new LeaderClient({
      reachable: () => [...this.#replicas.keys()],
      ask: (id, question, settled) => this.#askReplica(id, question, settled),
      nowMs,
      after,
    });
  }

  /** The leader that feeds this catalog, null before the first, and the epoch of its reign. */
  get feeder(): { readonly leader: number | null; readonly epoch: number } {
    return { leader: this.#feeder, epoch: this.#view.epoch };
  }

  /** Everything up to here has arrived. */
  get received(): number {
    return this.#view.received;
  }

  /** Whether answers may be given without the leader. */
  get isLeased(): boolean {
    return this.#view.isLeased(this.#options.nowMs());
  }

  /** Whether there is a leader, whether or not it grants a lease: a catalog that nobody reads has none. */
  get isLed(): boolean {
    return this.#options.nowMs() - this.#ledAtMs < LEADER_TOLD_MS;
  }

  /** Names of the front ends that may be answering from copies. */
  get leasedTo(): string[] {
    return this.#view.leasedFrontends(this.#options.nowMs()).map(nameOf);
  }

  /** What is shown, whether or not it may be: the newest that it has. */
  get shown(): Pick<StockView, "position" | "size" | "stock" | "stocks"> {
    return this.#stocks;
  }

  /** What the file lacks, once; null if nothing. */
  takeUnsaved(): Unsaved | null {
    return this.#stocks.takeUnsaved();
  }

  /** How often tick() is to be called now, milliseconds. */
  get tickMs(): number {
    return this.#view.isWaiting ? CATALOG_TICK_MS : CATALOG_IDLE_TICK_MS;
  }

  /** How often follow() is, milliseconds. */
  get followMs(): number {
    return this.#waking.isWorthALease || !this.isLed ? LEASE_ASK_MS : CATALOG_IDLE_FOLLOW_MS;
  }

  // ---- the replicas

  /** A connection to this replica is open, the first or another. */
  replicaOpened(id: number, connection: P): void {
    this.#replicas.set(id, connection);
    this.#follow(id, connection, this.#ask());
  }

  replicaClosed(id: number, connection: P): void {
    if (this.#replicas.get(id) === connection) this.#replicas.delete(id); // D1
  }

  hasReplica(id: number): boolean {
    return this.#replicas.has(id);
  }

  /** Every followMs, and at once when the leader changes. D2 */
  follow(): void {
    const ask = this.#ask();
    for (const [id, connection] of this.#replicas) this.#follow(id, connection, ask);
  }

  #ask(): number | null {
    return this.#waking.isWorthALease ? this.#view.askLease(this.#options.nowMs()) : null; // D3
  }

  #follow(id: number, connection: P, ask: number | null): void {
    const { calls, nowMs } = this.#options;
    const askedMs = nowMs();
    const { received, epoch, heardBefore } = this.#view;
    const held = this.#view.heldThrough(askedMs);
    calls.follow(connection, { received, held, epoch, ask, heardBefore }, (answer) => {
      if (!answer?.leads || !this.#follows(id, answer.epoch)) return;
      if (answer.epoch === epoch) this.#view.heard(epoch, askedMs);
      this.#ledAtMs = nowMs();
      if (answer.grant === null) return;
      this.#view.granted(answer.grant, nowMs());
      this.#waking.looked();
    });
  }

  /** Follows this leader from now on; false if it is over. */
  #follows(leader: number, epoch: number): boolean {
    const { nowMs, observer } = this.#options;
    const before = this.#view.epoch;
    if (!this.#view.follow(`order-${leader}`, epoch, nowMs())) return false;
    this.#leader.heardOf(leader);
    if (epoch === before && leader === this.#feeder) return true;
    this.#feeder = leader;
    observer.following?.(leader, epoch);
    this.follow();
    return true;
  }

  /** From a replica that leads. If its reign is over it is ignored. */
  entries({ leader, epoch, exposed, entries }: Feed): void {
    const { nowMs, observer, onBroken } = this.#options;
    if (this.#isBroken || !this.#follows(leader, epoch)) return;
    try {
      const through = entries.at(-1)?.position;
      if (through !== undefined) {
        const fresh = this.#stocks.fresh(entries);
        const from = fresh[0] ? fresh[0].position - 1 : through;
        const names = [...new Set(fresh.flatMap(namesIn))];
        const effects = this.#view.hold(epoch, { after: from, through, names }, nowMs());
        if (fresh.length > 0 && this.#view.received === through) {
          this.#stocks.receive(fresh);
          observer.received?.(fresh);
        }
        this.#carryOut(effects);
      }
      this.#carryOut(this.#view.exposed(epoch, exposed, nowMs()));
    } catch (error) {
      this.#isBroken = true; // D5
      onBroken(error);
    }
    this.#waking.looked();
  }

  // ---- the front ends

  /** A front end's connection is open. `name` and `link` are its process's: see connection/names.ts. */
  joined(connection: P, name: string, link: string): void {
    const holder = holderOf(name, link);
    this.#holders.set(connection, holder);
    this.#frontends.set(holder, connection);
    this.#carryOut(this.#view.connected(holder, this.#options.nowMs()));
  }

  left(connection: P): void {
    const holder = this.#holderAt(connection);
    this.#holders.delete(connection);
    if (holder === null) return;
    this.#frontends.delete(holder);
    this.#view.disconnected(holder);
  }

  /** A front end asks for a lease, saying what it holds; null: nothing known. Calls back with null for no lease now. */
  lease(
    connection: P,
    ask: number,
    held: number | null,
    settled: (grant: Grant | null) => void,
  ): void {
    const { nowMs } = this.#options;
    this.#read(() => {
      const holder = this.#holderAt(connection);
      if (holder === null) return settled(null);
      if (held !== null) this.#carryOut(this.#view.frontendHeld(holder, held, nowMs()));
      settled(this.#view.grant(holder, ask, nowMs()));
    });
  }

  /** A front end has dropped what it was told to, up to `through`. */
  holding(connection: P, through: number): void {
    const holder = this.#holderAt(connection);
    if (holder === null) return;
    this.#carryOut(this.#view.frontendHeld(holder, through, this.#options.nowMs()));
  }

  /** Who is at the other end; null if another connection of it, or none, is what it has now. D1 */
  #holderAt(connection: P): string | null {
    const holder = this.#holders.get(connection);
    return holder !== undefined && this.#frontends.get(holder) === connection ? holder : null;
  }

  // ---- questions

  /** Stocks by name. */
  lookup(names: readonly string[], settled: (answer: LookedUp | Unleased) => void): void {
    const read = (): LookedUp => ({
      kind: "stocks",
      stocks: names.map((name) => this.#stocks.stock(name) ?? null),
      position: this.#stocks.position,
    });
    this.#read(() => this.#answer(names, read, settled));
  }

  /** All stocks by name, in pieces. */
  list(question: StocksQuestion, settled: (answer: StocksAnswer | Unleased) => void): void {
    const read = (): StocksAnswer => this.#stocks.list(question);
    // What was true when the list was begun, under a lease, is true there for ever.
    if (typeof question.list === "number") settled(read());
    else this.#read(() => this.#answer(null, read, settled));
  }

  /** One stock, from the leader where this catalog can't say. D4 */
  find(name: string, settled: (answer: LeaderAnswer) => void): void {
    if (!isStockName(name)) {
      settled({ kind: "stock", stock: null, position: this.#stocks.position });
      return;
    }
    this.lookup([name], (found) => {
      if (found.kind === "unleased") this.#leader.ask({ kind: "lookup", name }, settled);
      else settled({ kind: "stock", stock: found.stocks[0] ?? null, position: found.position });
    });
  }

  /** Adds `by`, which may be negative, to a stock's quantity. D4. Says under which request id it was asked. */
  update(
    { name, by, requestId }: Update,
    settled: (answer: LeaderAnswer, requestId: string) => void,
  ): void {
    const id = requestId ?? this.#options.newRequestId();
    const content: Content = { kind: "adjust", name, by };
    const refusal = refusedInAnyMarket(content);
    if (refusal) settled({ kind: "outcome", outcome: { kind: "refused", refusal } }, id);
    else {
      const recordRefusal = requestId !== undefined;
      const question: Question = { kind: "request", requestId: id, content, recordRefusal };
      this.#leader.ask(question, (answer) => settled(answer, id));
    }
  }

  /** Runs `read` now, or once the first reader for long has a lease. D3 */
  #read(read: () => void): void {
    if (this.#isFull) read();
    else this.#waking.read(read);
  }

  #answer<T>(
    names: readonly string[] | null,
    read: () => T,
    settled: (answer: T | Unleased) => void,
  ): void {
    const answer = (leased: boolean): void => settled(leased ? read() : { kind: "unleased" });
    const cantSay = this.#isBroken || this.#isFull;
    const readable = cantSay ? null : this.#view.ask(names, this.#options.nowMs());
    if (readable === null) answer(false);
    else if (readable.kind === "later") this.#waiting.set(readable.token, answer);
    else answer(readable.kind === "now");
  }

  get #isFull(): boolean {
    return this.#waiting.size + this.#waking.waiting >= CATALOG_QUESTIONS_WAITING_MAX;
  }

  #askReplica(id: number, question: Question, settled: (attempt: Attempt) => void): void {
    const connection = this.#replicas.get(id);
    if (connection !== undefined) this.#options.calls.ask(connection, question, settled);
    else settled({ kind: "failed", why: `${id} can't be reached`, isFinal: false });
  }

  // ---- effects

  /** Every tickMs: leases end, and what was lost is sent again. */
  tick(): void {
    this.#carryOut(this.#view.tick(this.#options.nowMs()));
  }

  #carryOut(effects: readonly CatalogEffect[]): void {
    const { calls } = this.#options;
    for (const effect of effects) {
      switch (effect.kind) {
        case "hold": {
          const { frontend, after, through, names } = effect;
          const connection = this.#frontends.get(frontend);
          if (connection !== undefined) calls.hold(connection, { after, through, names });
          break;
        }
        case "held": {
          const leader = this.#feeder === null ? undefined : this.#replicas.get(this.#feeder);
          const { received } = this.#view;
          if (leader) calls.held(leader, { epoch: effect.epoch, received, held: effect.through });
          break;
        }
        case "apply":
          this.#stocks.show(effect.through);
          break;
        case "release":
          for (const token of effect.tokens) {
            const answer = this.#waiting.get(token);
            this.#waiting.delete(token);
            answer?.(effect.leased);
          }
          break;
      }
    }
  }
}

/** The stocks that an entry changes. */
function namesIn({ commands }: DecodedEntry): readonly string[] {
  return commands.flatMap((command) => (command.kind === "refuse" ? [] : command.name));
}
