// The catalogs of a front end: all of them may say what changed, one of them is
// asked, for stocks and for the lease.
//
// Asked is the one that has been answering for longest, so that a catalog that
// comes back doesn't take over while it still catches up. One that lets a call
// time out is left aside until it answers a probe; one that stays without a lease
// of its own, cut off from the leader, goes behind the others.

import type { Grant } from "../coherence/lease-holder.ts";
import type { StocksAnswer, StocksQuestion } from "../market/stock-lists.ts";
import { CATALOG_PROBE_INTERVAL_MS, CATALOG_UNLEASED_LIMIT_MS } from "./limits.ts";
import type { CallFailure } from "./questions.ts";
import type { LookedUp, Unleased } from "./types.ts";

/** A call brought no answer. */
interface Failed {
  readonly kind: "failed";
  readonly failure: CallFailure;
}

/**
 * What a front end says to a catalog; `P` stands for one open connection to one. Each call ends
 * within CATALOG_ANSWER_LIMIT_MS, and `settled` is called once, never before the call returns.
 */
export interface CatalogCalls<P> {
  lookup(
    catalog: P,
    names: readonly string[],
    settled: (answer: LookedUp | Unleased | Failed) => void,
  ): void;
  stocks(
    catalog: P,
    question: StocksQuestion,
    settled: (answer: StocksAnswer | Unleased | Failed) => void,
  ): void;
  /** Asks for a lease, saying what is held of what this catalog sent; null: nothing is known. */
  lease(
    catalog: P,
    asking: { readonly ask: number; readonly held: number | null },
    settled: (answer: { readonly kind: "answered"; readonly grant: Grant | null } | Failed) => void,
  ): void;
  /** Says that everything this catalog sent up to here is held. */
  holding(catalog: P, through: number): void;
  /** Asks anything, only to see whether it answers. */
  probe(catalog: P, settled: (answers: boolean) => void): void;
}

/** Told what becomes of catalogs, for log lines and counters. */
export interface CatalogsObserver<P> {
  connected(catalog: P): void;
  closed(catalog: P): void;
  /** It let a call time out. */
  leftAside(catalog: P): void;
  answersAgain(catalog: P): void;
  /** It has been without a lease for long; from now on `next` is asked. */
  wentBehind(catalog: P, next: P): void;
}

export interface CatalogsOptions<P> {
  readonly calls: CatalogCalls<P>;
  readonly observer: CatalogsObserver<P>;
  /** Called when a catalog closed, was left aside or went behind the others. */
  readonly lost: (catalog: P) => void;
  /** Called when another than before is asked from now on. */
  readonly asks: () => void;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  readonly after: (ms: number, run: () => void) => void;
}

export class Catalogs<P> {
  readonly #options: CatalogsOptions<P>;
  /** Those that answer, the longest serving first. */
  #answering: readonly P[] = [];
  /** Connected, but they don't answer. */
  readonly #aside = new Set<P>();
  /** Since when the one that is asked has shown no lease; null while it does. */
  #unleasedSinceMs: number | null = null;
  #ended = false;

  constructor(options: CatalogsOptions<P>) {
    this.#options = options;
  }

  /** Who is asked; null while nobody can be. */
  get asked(): P | null {
    return this.#answering[0] ?? null;
  }

  /** A connection to a catalog is open. */
  opened(catalog: P): void {
    this.#setAnswering([...this.#answering, catalog]);
    this.#options.observer.connected(catalog);
  }

  /** That connection is gone. */
  closed(catalog: P): void {
    if (this.#ended) return;
    this.#aside.delete(catalog);
    this.#without(catalog);
    this.#options.observer.closed(catalog);
    this.#options.lost(catalog);
  }

  /** Nobody is asked any more. */
  end(): void {
    this.#ended = true;
    this.#aside.clear();
    this.#answering = [];
  }

  /** Names and stocks pair up. Null when no catalog can answer: ask the leader. */
  lookup(names: readonly string[], settled: (answer: LookedUp | null) => void): void {
    const { asked } = this;
    if (asked === null) settled(null);
    else {
      this.#options.calls.lookup(asked, names, (answer) => settled(this.#heard(asked, answer)));
    }
  }

  /** Stocks by name, in pieces. Null when no catalog can answer: ask the leader. */
  stocks(question: StocksQuestion, settled: (answer: StocksAnswer | null) => void): void {
    const { asked } = this;
    if (asked === null) settled(null);
    else {
      this.#options.calls.stocks(asked, question, (answer) => settled(this.#heard(asked, answer)));
    }
  }

  #heard<A extends { readonly kind: string }>(catalog: P, answer: A | Unleased | Failed): A | null {
    if (isFailed(answer)) {
      if (answer.failure === "timeout") this.#leaveAside(catalog);
      return null;
    }
    const isLeased = answer.kind !== "unleased";
    this.showed(catalog, isLeased);
    return isLeased ? (answer as A) : null;
  }

  /**
   * A catalog's answer shows whether it has a lease of its own. Without one for
   * longer than a healthy one can be, it makes room for another.
   */
  showed(catalog: P, isLeased: boolean): void {
    if (catalog !== this.asked) return;
    if (isLeased) {
      this.#unleasedSinceMs = null;
      return;
    }
    const nowMs = this.#options.nowMs();
    this.#unleasedSinceMs ??= nowMs;
    const [, next] = this.#answering;
    if (next === undefined || nowMs - this.#unleasedSinceMs < CATALOG_UNLEASED_LIMIT_MS) return;
    this.#options.observer.wentBehind(catalog, next);
    this.#setAnswering([...this.#answering.slice(1), catalog]);
    this.#options.lost(catalog);
  }

  #leaveAside(catalog: P): void {
    if (!this.#answering.includes(catalog)) return; // closed meanwhile, or another call said so
    this.#without(catalog);
    this.#options.observer.leftAside(catalog);
    this.#options.lost(catalog);
    this.#aside.add(catalog);
    this.#probeLater(catalog);
  }

  #probeLater(catalog: P): void {
    const { after, calls } = this.#options;
    after(CATALOG_PROBE_INTERVAL_MS, () => {
      if (!this.#aside.has(catalog)) return; // closed meanwhile
      calls.probe(catalog, (answers) => this.#probed(catalog, answers));
    });
  }

  #probed(catalog: P, answers: boolean): void {
    if (!this.#aside.has(catalog)) return; // closed meanwhile
    if (!answers) {
      this.#probeLater(catalog);
      return;
    }
    this.#aside.delete(catalog);
    this.#setAnswering([...this.#answering, catalog]);
    this.#options.observer.answersAgain(catalog);
  }

  #without(catalog: P): void {
    this.#setAnswering(this.#answering.filter((each) => each !== catalog));
  }

  #setAnswering(answering: readonly P[]): void {
    const before = this.asked;
    this.#answering = answering;
    if (this.asked === before) return;
    this.#unleasedSinceMs = null;
    if (this.asked !== null) this.#options.asks();
  }
}

function isFailed(answer: { readonly kind: string }): answer is Failed {
  return answer.kind === "failed";
}
