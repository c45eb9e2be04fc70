// Lookups of stocks: by copy, else by catalog, else by the order leader.
//
//   V1. A copy is served only under a lease that is checked after the copy was
//       read, and only in the session that it was filled in.
//   V2. Once a change was held, no lookup that comes after it is answered with
//       what was true before.
//   V3. Unknown names never become copies, so that nobody fills the cache with them.
//
// The rules are in core/coherence/frontend-view.ts. Lookups of a stock that come
// while it is being fetched share the fetch, as far as the rules let them. Only
// fetches from a catalog are shared: nobody tells what changed since the leader
// answered.

import type { Logger } from "pino";
import type { Demand } from "../../core/coherence/demand.ts";
import { FrontendView } from "../../core/coherence/frontend-view.ts";
import type { Grant } from "../../core/coherence/lease-holder.ts";
import { SharedLists } from "../../core/coherence/shared-lists.ts";
import type { StocksAnswer, StocksQuestion } from "../../core/market/stock-lists.ts";
import type { Stock } from "../../core/market/types.ts";
import { STOCKS_PER_PIECE_MAX } from "../../core/service/limits.ts";
import type { CopyStats, StockCopies, StockCopy } from "../../io/cache/types.ts";
import type { Catalogs } from "./catalog-links.ts";
import { LookupBatch } from "./lookup-batch.ts";
import { askFor, type Orders, type Unanswered } from "./orders.ts";

/** How a lookup ended, when it wasn't answered by a copy at once. */
export type Lookup =
  /** `body` is the answer as it is sent. */
  { readonly kind: "known"; readonly body: string } | { readonly kind: "unknown" } | Unanswered;

/** How a question for all stocks ended; `body` is the answer as it is sent, to whoever asked. */
export type StockList = WholeList | Unanswered;
interface WholeList {
  readonly kind: "list";
  readonly body: Buffer;
}

/** Which page of the stocks is wanted. */
export type StocksWanted = Pick<StocksQuestion, "after" | "limit" | "containing">;

/** How a question for some stocks ended; they are sorted by name, `next` is null at the end. */
export type StockPage =
  | {
      readonly kind: "stocks";
      readonly stocks: readonly Stock[];
      readonly next: string | null;
      /** Of all stocks. */
      readonly total: number;
    }
  | Unanswered;

/** What the cache did since the start. */
export interface CacheStats extends CopyStats {
  /** Lookups that a copy answered, and all others: without a copy, or with one that mustn't be served. */
  readonly hits: number;
  readonly misses: number;
}

export interface StockCacheOptions {
  readonly copies: StockCopies;
  readonly catalogs: Catalogs;
  readonly orders: Pick<Orders, "ask">;
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  /** Told of each lookup that a copy answers; nobody unless told. */
  readonly demand?: Pick<Demand, "read">;
  /** Told of each other question; a promise of a lease to wait for, if there is none yet. */
  readonly wanted?: () => Promise<void> | null;
  /** How many floors are kept at most; see CopyRules. */
  readonly floorsMax?: number;
}

/** One question to a catalog about one stock, and who waits for it. */
interface Fetch {
  readonly name: string;
  /** What the answer must not be below: who asks now may have been told of the change. */
  readonly floor: number;
  readonly answer: Promise<Lookup>;
  readonly settle: (answer: Lookup | Promise<Lookup>) => void;
}

const LIST_BEGIN = Buffer.from('{"data":[');
const COMMA = Buffer.from(",");
const LIST_END = Buffer.from("]}");

export class StockCache {
  readonly #copies: StockCopies;
  readonly #catalogs: Catalogs;
  readonly #orders: Pick<Orders, "ask">;
  readonly #log: Logger;
  readonly #nowMs: () => number;
  readonly #demand: Pick<Demand, "read"> | null;
  readonly #wanted: () => Promise<void> | null;
  readonly #view: FrontendView<Fetch>;
  #hits = 0;
  #misses = 0;
  readonly #lists: SharedLists<Buffer, WholeList>;
  readonly #batch = new LookupBatch<Fetch>((fetches) => void this.#send(fetches));

  constructor(options: StockCacheOptions) {
    this.#copies = options.copies;
    this.#catalogs = options.catalogs;
    this.#orders = options.orders;
    this.#log = options.log;
    this.#nowMs = options.nowMs;
    this.#demand = options.demand ?? null;
    this.#wanted = options.wanted ?? (() => null);
    this.#view = new FrontendView(options.floorsMax);
    this.#lists = new SharedLists<Buffer, WholeList>({
      askCatalog: (question, done) =>
        void this.#askForStocks(question).then(done, this.#listFailed(done)),
      askLeader: (question, deadlineMs, done) =>
        void this.#askLeaderForStocks(question, deadlineMs).then(done, this.#listFailed(done)),
      newestFloor: () => this.#view.floors.newestFloor,
      pieceMax: STOCKS_PER_PIECE_MAX,
      piece: (stocks) => Buffer.from(stocks.map(stockText).join()),
      whole: (pieces) => ({ kind: "list", body: listBody(pieces) }),
      nowMs: this.#nowMs,
      after: (ms, run) => setTimeout(run, ms).unref(),
    });
  }

  /**
   * Looks a stock up. Answers at once, without a promise, when there is a copy
   * in memory. The promise never rejects.
   */
  lookup(name: string): StockCopy | Promise<Lookup> {
    this.#debug("Checking Cache");
    const copy = this.#copies.get(name);
    if (copy instanceof Promise) return this.#lookupLater(name, copy);
    if (copy && this.#mayServe(name, copy)) return copy;
    return this.#fetch(name);
  }

  /** All stocks, as one catalog or the leader has them at one position. Never rejects. */
  list(): Promise<StockList> {
    return new Promise((resolve) => this.#lists.list(resolve));
  }

  /** A page of stocks, as a catalog or the leader has them. */
  async page(question: StocksWanted): Promise<StockPage> {
    const floor = this.#view.floors.newestFloor;
    const answer = await this.#askForStocks(question);
    if (answer?.kind === "stocks" && answer.position >= floor) return answer;
    const asked = await this.#askLeaderForStocks(question);
    if (asked.kind === "unchanged" || asked.kind === "gone") {
      throw new Error(`the leader answered a question for a page with ${asked.kind}`);
    }
    return asked;
  }

  async #askForStocks(question: StocksQuestion): Promise<StocksAnswer | null> {
    const leased = this.#wanted();
    if (leased) await leased;
    return this.#catalogs.stocks(question);
  }

  async #askLeaderForStocks(
    question: StocksQuestion,
    deadlineMs?: number,
  ): Promise<StocksAnswer | Unanswered> {
    const asked = { kind: "stocks", ...question } as const;
    return askFor(this.#orders, ["stocks", "unchanged", "gone"], asked, deadlineMs);
  }

  #listFailed(done: (answer: Unanswered) => void): (error: unknown) => void {
    return (error) => {
      this.#log.error({ err: error }, "The list of stocks couldn't be read");
      done({ kind: "unavailable" });
    };
  }

  // ---- the catalogs

  /** Whether copies may be served now. */
  get isLeased(): boolean {
    return this.#view.mayServe(this.#nowMs());
  }

  /** About to ask this catalog for a lease: the number of the question, and what to say is held. */
  askLease(catalog: string): { ask: number; held: number | null } {
    return { ask: this.#view.ask(catalog, this.#nowMs()), held: this.#view.heldOf(catalog) };
  }

  /** A catalog granted a lease. */
  granted(catalog: string, grant: Grant): void {
    if (!this.#view.granted(catalog, grant, this.#nowMs())) return;
    this.#copies.clear(); // V1
    this.#debug("Cache begun anew under a new lease");
  }

  /** A catalog says that these stocks changed in (after, through]. Returns what to tell it is held; null for nothing. V2 */
  hold(catalog: string, after: number, through: number, names: readonly string[]): number | null {
    const held = this.#view.hold(catalog, after, through, names, this.#nowMs());
    this.#copies.drop(names);
    if (this.#log.isLevelEnabled("debug")) {
      for (const name of names) this.#logInvalidated(name, through);
    }
    return held;
  }

  /** A client wants this copy gone. */
  drop(name: string): void {
    this.#view.forget(name);
    this.#copies.drop([name]);
    if (this.#log.isLevelEnabled("debug")) this.#logInvalidated(name);
  }

  /** The connection to a catalog is gone, or it hangs. */
  catalogLost(catalog: string): void {
    if (!this.#view.lost(catalog)) return;
    this.#copies.clear();
    this.#log.info({ catalog }, "Cache dropped, since its catalog is gone");
  }

  stats(): CacheStats {
    return { ...this.#copies.stats(), hits: this.#hits, misses: this.#misses };
  }

  /** The copy's way when the store is elsewhere: rules are checked after it was read. */
  async #lookupLater(name: string, reading: Promise<StockCopy | undefined>): Promise<Lookup> {
    const copy = await reading;
    if (copy && this.#mayServe(name, copy)) return { kind: "known", body: copy.body };
    return this.#fetch(name);
  }

  #mayServe(name: string, copy: StockCopy): boolean {
    if (!this.#view.floors.serves(name, copy.position)) return false; // V2
    const nowMs = this.#nowMs();
    if (!this.#view.mayServe(nowMs)) return false; // V1
    this.#demand?.read(nowMs);
    this.#hits++;
    if (this.#log.isLevelEnabled("debug")) {
      this.#log.debug(`Cache response - ${copy.body}`);
      this.#log.debug("Getting cache response");
      this.#log.debug(`Got lookup response from cache - ${copy.body}`);
    }
    return true;
  }

  #fetch(name: string): Promise<Lookup> {
    this.#misses++;
    this.#debug("Cache response - None");
    this.#debug("Calling lookup service");
    const leased = this.#wanted();
    return leased ? leased.then(() => this.#fetchNow(name)) : this.#fetchNow(name);
  }

  #fetchNow(name: string): Promise<Lookup> {
    const nowMs = this.#nowMs();
    const shared = this.#view.joinable(name, nowMs);
    if (shared) return shared.answer;
    if (!this.#catalogs.usable) return this.#askLeader(name);
    const { promise, resolve } = Promise.withResolvers<Lookup>();
    const fetch = {
      name,
      floor: this.#view.floors.floorOf(name),
      answer: promise,
      settle: resolve,
    };
    this.#view.began(name, fetch, nowMs);
    this.#batch.add(fetch);
    return promise;
  }

  async #send(fetches: readonly Fetch[]): Promise<void> {
    const names = fetches.map(({ name }) => name);
    const answer = await this.#catalogs.lookup(names);
    for (const [index, fetch] of fetches.entries()) {
      const stock = answer?.stocks[index];
      if (answer && stock !== undefined) this.#answered(fetch, stock, answer.position);
      else this.#failed(fetch);
    }
  }

  #answered(fetch: Fetch, stock: Stock | null, position: number): void {
    if (position < fetch.floor) {
      this.#failed(fetch); // this catalog lags behind another
      return;
    }
    const keep = this.#view.answered(fetch.name, fetch, position);
    const body = stock && stockBody(stock);
    if (keep && body) {
      this.#debug("Adding lookup response to cache"); // V3
      this.#copies.put(fetch.name, { body, position });
    }
    fetch.settle(body ? { kind: "known", body } : { kind: "unknown" });
  }

  #failed(fetch: Fetch): void {
    this.#view.failed(fetch.name, fetch);
    fetch.settle(this.#askLeader(fetch.name));
  }

  async #askLeader(name: string): Promise<Lookup> {
    this.#debug("Calling lookup service");
    const asked = await askFor(this.#orders, "stock", { kind: "lookup", name });
    if (asked.kind !== "stock") return asked;
    return asked.stock ? { kind: "known", body: stockBody(asked.stock) } : { kind: "unknown" };
  }

  #logInvalidated(stock: string, position?: number): void {
    this.#log.debug({ stock, position }, "Making Cache invalid");
    const where = this.#copies.kind === "redis" ? "redis" : "memory";
    this.#log.debug({ stock }, `Cache Invalidated in ${where}`);
  }

  #debug(line: string): void {
    if (this.#log.isLevelEnabled("debug")) this.#log.debug(line);
  }
}

/** The fields in the seed's order. */
export function stockText({ name, price, quantity }: Stock): string {
  return JSON.stringify({ name, price, quantity });
}

function stockBody(stock: Stock): string {
  return `{"data":${stockText(stock)}}`;
}

function listBody(pieces: readonly Buffer[]): Buffer {
  const parts = pieces.flatMap((piece, index) => (index === 0 ? [piece] : [COMMA, piece]));
  return Buffer.concat([LIST_BEGIN, ...parts, LIST_END]);
}
