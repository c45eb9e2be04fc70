// Lookups of stocks for the routes: core/service/lookups.ts with promises, real
// time and log lines. catalog-links.ts connects the catalogs.
//
// A lookup with a copy in memory is answered without a promise, on the turn it was
// read, with the very text that the copy holds.

import type { Logger } from "pino";
import type { StocksQuestion } from "../../../core/market/stock-lists.ts";
import type { Stock } from "../../../core/market/types.ts";
import type { CatalogCalls } from "../../../core/service/catalogs.ts";
import { CATALOG_ANSWER_LIMIT_MS, STOCKS_PER_PIECE_MAX } from "../../../core/service/limits.ts";
import {
  type Lookup as LookupOf,
  Lookups,
  type LookupsObserver,
  type StockPage,
} from "../../../core/service/lookups.ts";
import type { Unanswered } from "../../../core/service/types.ts";
import type { CopyStats, StockCopies, StockCopy } from "../../../io/cache/types.ts";
import { recurring } from "../../../io/recurring.ts";
import type { Peer } from "../../../io/rpc/types.ts";
import type { Orders } from "../orders/order-service.ts";

export type { StockPage };

/** How a lookup ended, when it wasn't answered by a copy at once; `body` is the answer as it is sent. */
export type Lookup = LookupOf<string>;

/** How a question for all stocks ended; `body` is the answer as it is sent, to whoever asked. */
export type StockList = { readonly kind: "list"; readonly body: Buffer } | Unanswered;

/** What the cache did since the start. */
export interface CacheStats extends CopyStats {
  /** Lookups that a copy answered, and all others: without a copy, or with one that mustn't be served. */
  readonly hits: number;
  readonly misses: number;
}

export interface StocksOptions<P> {
  readonly copies: StockCopies;
  readonly catalogs: CatalogCalls<P>;
  readonly orders: Pick<Orders, "ask">;
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

/** What log lines and the page call a catalog by. */
type Named = Pick<Peer, "identity">;

const LIST_BEGIN = Buffer.from('{"data":[');
const COMMA = Buffer.from(",");
const LIST_END = Buffer.from("]}");

/** `P` stands for one open connection to a catalog. */
export class Stocks<P extends Named> {
  /** For whoever connects the catalogs: told what opens, what closes, and what catalogs say. */
  readonly lookups: Lookups<P, string, Buffer, StockList>;
  readonly #log: Logger;
  readonly #copies: StockCopies;
  readonly #stopAsking: () => void;

  constructor({ copies, catalogs, orders, log, nowMs }: StocksOptions<P>) {
    this.#log = log;
    this.#copies = copies;
    this.lookups = new Lookups({
      copies,
      bodyOf: stockBody,
      lists: {
        pieceMax: STOCKS_PER_PIECE_MAX,
        piece: (stocks): Buffer => Buffer.from(stocks.map(stockText).join()),
        whole: (pieces): StockList => ({ kind: "list", body: listBody(pieces) }),
      },
      catalogs,
      askLeader: (question, deadlineMs, settled) => {
        orders.ask(question, { deadlineMs }).then(settled, (error: unknown) => {
          log.error({ err: error }, `The leader couldn't be asked for a ${question.kind}`);
          settled({ kind: "unavailable" });
        });
      },
      observer: new LogLines(log, copies.kind),
      nowMs,
      // Check phase: every socket that had a request in this turn was read by then.
      atTurnsEnd: setImmediate,
      after: (ms, run) => setTimeout(run, ms).unref(),
    });
    this.#stopAsking = recurring(
      () => this.lookups.askMs,
      () => this.lookups.askLease(),
    );
  }

  /**
   * Looks a stock up. Answers at once, without a promise, when there is a copy
   * in memory. The promise never rejects.
   */
  lookup(name: string): StockCopy | Promise<Lookup> {
    const isTold = this.#log.isLevelEnabled("debug");
    if (isTold) this.#log.debug("Checking Cache");
    const copy = this.lookups.copied(name);
    if (copy === undefined) return new Promise((settled) => this.lookups.lookup(name, settled));
    if (isTold) tellServed(this.#log, copy);
    return copy;
  }

  /** All stocks, as one catalog or the leader has them at one position. Never rejects. */
  list(): Promise<StockList> {
    return new Promise((settled) => this.lookups.list(settled));
  }

  /** A page of stocks, as a catalog or the leader has them. Never rejects. */
  page(question: StocksQuestion): Promise<StockPage> {
    return new Promise((settled) => this.lookups.page(question, settled));
  }

  /** A client wants this copy gone. */
  drop(name: string): void {
    this.lookups.drop(name);
  }

  stats(): CacheStats {
    return { ...this.#copies.stats(), ...this.lookups.counts };
  }

  /** Name of the catalog that is asked; null while none can be. */
  get asked(): string | null {
    return this.lookups.asked?.identity.name ?? null;
  }

  /** The catalog whose lease runs, and for how long it was given, milliseconds; null while none does. */
  get lease(): { readonly catalog: string; readonly ms: number } | null {
    const lease = this.lookups.lease;
    return lease && { catalog: lease.grantor.identity.name, ms: lease.ms };
  }

  close(): void {
    this.#stopAsking();
    this.lookups.close();
  }
}

/** The fields in the reference program's order. */
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

/** In the words of the reference program's logs, where it has any. */
class LogLines<P extends Named> implements LookupsObserver<P, string> {
  readonly #log: Logger;
  readonly #where: string;

  constructor(log: Logger, kind: StockCopies["kind"]) {
    this.#log = log;
    this.#where = kind === "redis" ? "redis" : "memory";
  }

  served(copy: StockCopy): void {
    if (this.#log.isLevelEnabled("debug")) tellServed(this.#log, copy);
  }

  missed(): void {
    this.#log.debug("Cache response - None");
    this.#log.debug("Calling lookup service");
  }

  joined(): void {}

  askingLeader(): void {
    this.#log.debug("Calling lookup service");
  }

  kept(): void {
    this.#log.debug("Adding lookup response to cache");
  }

  sessionBegan(): void {
    this.#log.debug("Cache begun anew under a new lease");
  }

  sessionLost(catalog: P): void {
    this.#log.info(named(catalog), "Cache dropped, since its catalog is gone");
  }

  invalidated(stock: string, position: number | null): void {
    if (!this.#log.isLevelEnabled("debug")) return;
    const at = position === null ? { stock } : { stock, position };
    this.#log.debug(at, "Making Cache invalid");
    this.#log.debug({ stock }, `Cache Invalidated in ${this.#where}`);
  }

  noLease(catalog: P, why: string): void {
    this.#log.debug({ ...named(catalog), why }, "No lease");
  }

  unexpected(asked: string, answered: string): void {
    this.#log.error({ asked, answered }, "The leader's answer is none to what it was asked");
  }

  connected(catalog: P): void {
    this.#log.info(named(catalog), "Catalog connected");
  }

  closed(catalog: P): void {
    this.#log.warn(named(catalog), "Catalog connection closed");
  }

  leftAside(catalog: P): void {
    const limitMs = CATALOG_ANSWER_LIMIT_MS;
    this.#log.warn({ ...named(catalog), limitMs }, "Catalog doesn't answer; left aside");
  }

  answersAgain(catalog: P): void {
    this.#log.info(named(catalog), "Catalog answers again");
  }

  wentBehind(catalog: P, next: P): void {
    const line = "Catalog has no lease; another is asked";
    this.#log.info({ ...named(catalog), next: next.identity.name }, line);
  }
}

function tellServed(log: Logger, { body }: StockCopy): void {
  log.debug(`Cache response - ${body}`);
  log.debug("Getting cache response");
  log.debug(`Got lookup response from cache - ${body}`);
}

function named({ identity }: Named): { readonly catalog: string } {
  return { catalog: identity.name };
}
