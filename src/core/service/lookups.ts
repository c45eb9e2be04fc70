// A front end's lookups of stocks: by copy, else by catalog, else by the leader.
//
//   V1. A copy is served only under a lease that is checked after the copy was
//       read, and only in the session that it was filled in.
//   V2. Once a change was held, no lookup that comes after it is answered with
//       what was true before.
//   V3. Unknown names never become copies, so that nobody fills the cache with them.
//   V4. A lease is asked for only while somebody looks stocks up: trades wait for
//       whoever has one. Who looks first after long waits for it, but not for long.
//
// When a copy may be served, kept or shared is in coherence/frontend-view.ts, which catalog
// is asked in catalogs.ts. Lookups of a stock that come while it is being fetched share the
// fetch, as far as the rules let them; those of one turn travel together. Only fetches from a
// catalog are shared: nobody tells what changed since the leader answered. A lookup with a copy
// at hand is answered by `copied`, at once and without a callback: it is the most frequent one.

import { Waking } from "../coherence/demand.ts";
import { FrontendView } from "../coherence/frontend-view.ts";
import { LEASE_ASK_MS, LEASE_IDLE_ASK_MS } from "../coherence/limits.ts";
import { SharedLists } from "../coherence/shared-lists.ts";
import type { Copies, Copy } from "../coherence/stored-copies.ts";
import type { StocksAnswer, StocksQuestion } from "../market/stock-lists.ts";
import type { Stock } from "../market/types.ts";
import { type CatalogCalls, Catalogs, type CatalogsObserver } from "./catalogs.ts";
import { NAMES_PER_LOOKUP_MAX, QUESTION_DEADLINE_MS } from "./limits.ts";
import type { Answer, Asked, LookedUp, Question, Unanswered } from "./types.ts";

/** How a lookup ended that no copy at hand answered. */
export type Lookup<B> =
  | { readonly kind: "known"; readonly body: B }
  | { readonly kind: "unknown" }
  | Unanswered;

/** How a question for some stocks ended; they are sorted by name, `next` is null at the end. */
export type StockPage = Extract<StocksAnswer, { kind: "stocks" }> | Unanswered;

/** Told what becomes of lookups, for log lines and counters. */
export interface LookupsObserver<P, B> extends CatalogsObserver<P> {
  /** A copy in a store elsewhere answers a lookup. */
  served(copy: Copy<B>): void;
  /** No copy answers a lookup; a catalog or the leader is to be asked. */
  missed(): void;
  /** A lookup waits for the fetch that another one began. */
  joined(): void;
  /** The leader is asked, since no catalog answers. */
  askingLeader(): void;
  /** An answer became a copy. */
  kept(): void;
  /** All copies are void under a new lease. */
  sessionBegan(): void;
  /** All copies are void, since the catalog that granted their lease is gone. */
  sessionLost(catalog: P): void;
  /** `name` changed at this position; null: a client wants its copy gone. */
  invalidated(name: string, position: number | null): void;
  /** A question for the lease brought no answer. */
  noLease(catalog: P, why: string): void;
  /** The leader's answer is none to what it was asked. */
  unexpected(asked: Question["kind"], answered: Answer["kind"]): void;
}

/** `P` stands for one open connection to a catalog, `B` is what a copy holds, `L` a list of all stocks, put together from `Piece`s. */
export interface LookupsOptions<P, B, Piece, L> {
  readonly copies: Copies<B>;
  /** What is answered of a stock. */
  readonly bodyOf: (stock: Stock) => B;
  readonly lists: {
    /** Stocks in one piece. */
    readonly pieceMax: number;
    /** Made of each piece when it comes. */
    readonly piece: (stocks: readonly Stock[]) => Piece;
    readonly whole: (pieces: readonly Piece[], position: number) => L;
  };
  readonly catalogs: CatalogCalls<P>;
  readonly askLeader: (
    question: Question,
    deadlineMs: number,
    settled: (asked: Asked) => void,
  ) => void;
  readonly observer: LookupsObserver<P, B>;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  /** Calls back at the end of the event-loop turn. */
  readonly atTurnsEnd: (run: () => void) => void;
  readonly after: (ms: number, run: () => void) => void;
  /** How many floors are kept at most; see CopyRules. */
  readonly floorsMax?: number;
}

type Settled<B> = (lookup: Lookup<B>) => void;

/** One question to a catalog about one stock, and who waits for it. */
interface Fetch<B> {
  readonly name: string;
  /** What the answer must not be below: who asks now may have been told of the change. */
  readonly floor: number;
  readonly waiting: Settled<B>[];
}

const UNAVAILABLE: Unanswered = { kind: "unavailable" };
const UNKNOWN = { kind: "unknown" } as const;

export class Lookups<P, B, Piece, L> {
  readonly #options: LookupsOptions<P, B, Piece, L>;
  readonly #copies: Copies<B>;
  readonly #nowMs: () => number;
  readonly #waking: Waking;
  readonly #view: FrontendView<P, Fetch<B>>;
  readonly #catalogs: Catalogs<P>;
  readonly #lists: SharedLists<Piece, L>;
  /** Fetches of this turn that aren't sent yet. */
  #batch: Fetch<B>[] = [];
  #hits = 0;
  #misses = 0;

  constructor(options: LookupsOptions<P, B, Piece, L>) {
    const { copies, catalogs, lists, observer, nowMs, after } = options;
    this.#options = options;
    this.#copies = copies;
    this.#nowMs = nowMs;
    this.#view = new FrontendView(options.floorsMax);
    this.#waking = new Waking({
      isLeased: () => this.#view.mayServe(nowMs()),
      ask: () => this.#askLease(),
      nowMs,
      after,
    });
    this.#catalogs = new Catalogs({
      calls: catalogs,
      observer,
      lost: (catalog) => this.#lost(catalog),
      asks: () => this.askLease(),
      nowMs,
      after,
    });
    this.#lists = new SharedLists({
      ...lists,
      askCatalog: (question, done) => this.#askCatalog(question, done),
      askLeader: (question, deadlineMs, done) => this.#stocksOfLeader(question, deadlineMs, done),
      newestFloor: () => this.#view.floors.newestFloor,
      nowMs,
      after,
    });
  }

  // ---- questions

  /** The copy that answers a lookup at once; undefined where there is none at hand that may be served: look it up. */
  copied(name: string): Copy<B> | undefined {
    const copy = this.#copies.get(name);
    return copy !== undefined && this.#mayServe(name, copy) ? copy : undefined;
  }

  /** Looks up what `copied` didn't answer. Calls `settled` once, within QUESTION_DEADLINE_MS and some waiting for views. */
  lookup(name: string, settled: Settled<B>): void {
    const copies = this.#copies;
    if (!copies.read) {
      this.#miss(name, settled);
      return;
    }
    copies.read(name, (copy) => {
      if (copy === undefined || !this.#mayServe(name, copy)) {
        this.#miss(name, settled);
        return;
      }
      this.#options.observer.served(copy);
      settled({ kind: "known", body: copy.body });
    });
  }

  /** All stocks, as one catalog or the leader has them at one position. */
  list(settled: (list: L | Unanswered) => void): void {
    this.#lists.list(settled);
  }

  /** A page of stocks, as a catalog or the leader has them. */
  page(question: StocksQuestion, settled: (page: StockPage) => void): void {
    const floor = this.#view.floors.newestFloor;
    this.#askCatalog(question, (answer) => {
      if (answer?.kind === "stocks" && answer.position >= floor) {
        settled(answer);
        return;
      }
      this.#stocksOfLeader(question, QUESTION_DEADLINE_MS, (asked) => {
        const isPage = asked.kind !== "unchanged" && asked.kind !== "gone";
        settled(isPage ? asked : this.#unexpected("stocks", asked.kind));
      });
    });
  }

  /** A client wants this copy gone. */
  drop(name: string): void {
    this.#view.forget(name);
    this.#copies.drop([name]);
    this.#options.observer.invalidated(name, null);
  }

  /** Lookups that a copy answered, and all others: without a copy, or with one that mustn't be served. */
  get counts(): { readonly hits: number; readonly misses: number } {
    return { hits: this.#hits, misses: this.#misses };
  }

  // ---- the catalogs

  /** A connection to a catalog is open. */
  opened(catalog: P): void {
    this.#catalogs.opened(catalog);
  }

  /** That connection is gone. */
  closed(catalog: P): void {
    this.#catalogs.closed(catalog);
  }

  /** A catalog says that these stocks changed in (after, through]. V2 */
  hold(catalog: P, after: number, through: number, names: readonly string[]): void {
    const held = this.#view.hold(catalog, after, through, names, this.#nowMs());
    this.#copies.drop(names);
    for (const name of names) this.#options.observer.invalidated(name, through);
    if (held !== null) this.#options.catalogs.holding(catalog, held);
  }

  /** The catalog that is asked, for stocks and for the lease; null while none can be. */
  get asked(): P | null {
    return this.#catalogs.asked;
  }

  /** The lease under which copies may be served now: whose, and for how long it was given. */
  get lease(): { readonly grantor: P; readonly ms: number } | null {
    return this.#view.lease(this.#nowMs());
  }

  /** Whether somebody looked stocks up lately, so that a lease is worth asking for. */
  get isRead(): boolean {
    return this.#waking.isWorthALease;
  }

  /** How often askLease() is to be called. */
  get askMs(): number {
    return this.isRead ? LEASE_ASK_MS : LEASE_IDLE_ASK_MS;
  }

  /** Asks for the lease, if anybody reads; without an answer the lease ends by itself. */
  askLease(): void {
    if (this.isRead) this.#askLease(); // V4
  }

  /** No catalog is asked any more. */
  close(): void {
    this.#catalogs.end();
  }

  #askLease(): void {
    const { asked } = this.#catalogs;
    if (asked === null) {
      this.#waking.wake();
      return;
    }
    const asking = {
      ask: this.#view.ask(asked, this.#nowMs()),
      held: this.#view.heldOf(asked),
    };
    this.#options.catalogs.lease(asked, asking, (answer) => {
      if (answer.kind === "failed") this.#options.observer.noLease(asked, answer.failure);
      else {
        const { grant } = answer;
        if (grant !== null && this.#view.granted(asked, grant, this.#nowMs())) {
          this.#copies.clear(); // V1
          this.#options.observer.sessionBegan();
        }
        this.#catalogs.showed(asked, grant !== null);
      }
      this.#waking.wake();
    });
  }

  #lost(catalog: P): void {
    if (!this.#view.lost(catalog)) return;
    this.#copies.clear();
    this.#options.observer.sessionLost(catalog);
  }

  // ---- one stock

  /** Whether a copy that was read may be served now. */
  #mayServe(name: string, { position }: Copy<B>): boolean {
    if (!this.#view.floors.serves(name, position)) return false; // V2
    if (!this.#view.mayServe(this.#nowMs())) return false; // V1
    this.#waking.wasRead();
    this.#hits += 1;
    return true;
  }

  #miss(name: string, settled: Settled<B>): void {
    this.#misses += 1;
    this.#options.observer.missed();
    this.#waking.read(() => this.#fetchOrJoin(name, settled));
  }

  #fetchOrJoin(name: string, settled: Settled<B>): void {
    const nowMs = this.#nowMs();
    const shared = this.#view.joinable(name, nowMs);
    if (shared) {
      this.#options.observer.joined();
      shared.waiting.push(settled);
      return;
    }
    if (this.#catalogs.asked === null) {
      this.#askLeader(name, settled);
      return;
    }
    const fetch = { name, floor: this.#view.floors.floorOf(name), waiting: [settled] };
    this.#view.began(name, fetch, nowMs);
    this.#sendWithOthers(fetch);
  }

  #sendWithOthers(fetch: Fetch<B>): void {
    if (this.#batch.length === NAMES_PER_LOOKUP_MAX) this.#send();
    if (this.#batch.length === 0) this.#options.atTurnsEnd(() => this.#send());
    this.#batch.push(fetch);
  }

  #send(): void {
    const batch = this.#batch;
    if (batch.length === 0) return; // sent when it was full
    this.#batch = [];
    const names = batch.map(({ name }) => name);
    this.#catalogs.lookup(names, (answer) => {
      for (const [index, fetch] of batch.entries()) this.#answered(fetch, index, answer);
    });
  }

  #answered(fetch: Fetch<B>, index: number, answer: LookedUp | null): void {
    const { name, floor, waiting } = fetch;
    const stock = answer?.stocks[index];
    const mayKeep = this.#view.ended(name, fetch);
    // A catalog may lag behind another: then it is below the floor.
    if (!answer || stock === undefined || answer.position < floor) {
      this.#askLeader(name, (lookup) => {
        for (const settled of waiting) settled(lookup);
      });
      return;
    }
    const { position } = answer;
    const lookup = this.#lookupOf(stock);
    if (mayKeep && lookup.kind === "known") {
      this.#copies.put(name, { body: lookup.body, position }); // V3
      this.#options.observer.kept();
    }
    for (const settled of waiting) settled(lookup);
  }

  #askLeader(name: string, settled: Settled<B>): void {
    const { askLeader, observer } = this.#options;
    observer.askingLeader();
    askLeader({ kind: "lookup", name }, QUESTION_DEADLINE_MS, (asked) => {
      if (asked.kind !== "answer") settled(asked);
      else if (asked.answer.kind === "stock") settled(this.#lookupOf(asked.answer.stock));
      else settled(this.#unexpected("lookup", asked.answer.kind));
    });
  }

  #lookupOf(stock: Stock | null): Extract<Lookup<B>, { kind: "known" | "unknown" }> {
    return stock ? { kind: "known", body: this.#options.bodyOf(stock) } : UNKNOWN;
  }

  // ---- many stocks

  #askCatalog(question: StocksQuestion, settled: (answer: StocksAnswer | null) => void): void {
    this.#waking.read(() => this.#catalogs.stocks(question, settled));
  }

  #stocksOfLeader(
    question: StocksQuestion,
    deadlineMs: number,
    settled: (answer: StocksAnswer | Unanswered) => void,
  ): void {
    this.#options.askLeader({ ...question, kind: "stocks" }, deadlineMs, (asked) => {
      if (asked.kind !== "answer") {
        settled(asked);
        return;
      }
      const { answer } = asked;
      switch (answer.kind) {
        case "stocks":
        case "unchanged":
        case "gone":
          settled(answer);
          break;
        default:
          settled(this.#unexpected("stocks", answer.kind));
      }
    });
  }

  #unexpected(asked: Question["kind"], answered: Answer["kind"]): Unanswered {
    this.#options.observer.unexpected(asked, answered);
    return UNAVAILABLE;
  }
}
