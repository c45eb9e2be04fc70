// A front end's lookups: by copy under a lease, else by a catalog, else by the
// leader, over the real FrontendView.

import { FrontendView } from "../src/core/coherence/frontend-view.ts";
import { SharedLists } from "../src/core/coherence/shared-lists.ts";
import type { StocksAnswer } from "../src/core/market/stock-lists.ts";
import type { Stock } from "../src/core/market/types.ts";
import { QUESTION_DEADLINE_MS } from "../src/core/service/limits.ts";
import type { Copies } from "./copies.ts";
import type { Host } from "./host.ts";
import type {
  Answer,
  CatalogAnswer,
  CatalogQuestion,
  SimulatedMessage,
  StockQuestion,
} from "./messages.ts";

/** A catalog that hasn't answered by then is left aside for a while; as long as a real front end waits. */
export const LOOK_MS = 700;
const ASIDE_MS = 250;
const FLOORS_MAX = 8;
/** Stocks in a piece of a list: few, so that it has several. */
const PIECE_STOCKS = 6;

type Done = (answer: Answer | null) => void;
type Looked = (answer: CatalogAnswer | null) => void;
type Listed = Extract<Answer, { kind: "stocks" }>;
type Lookup = Extract<StockQuestion, { kind: "lookup" }>;

interface Fetch {
  /** What the answer must not be below. */
  readonly floor: number;
  readonly waiting: Done[];
}

export interface StockViewsOptions {
  readonly host: Host;
  readonly copies: Copies;
  readonly clock: () => number;
  readonly after: (ms: number, run: () => void) => void;
  readonly send: (to: string, message: SimulatedMessage) => void;
  /** A number that no call of this front end had, in an earlier life neither: answers can outlive one. */
  readonly newCall: () => number;
  /** Number of the first question for a lease, for the same reason. */
  readonly firstAsk: number;
  readonly askLeader: (question: CatalogQuestion, deadlineMs: number, done: Looked) => void;
}

export class StockViews {
  readonly #options: StockViewsOptions;
  readonly #view: FrontendView<Fetch>;
  readonly #connected: string[] = [];
  /** Connected, but they don't answer. */
  readonly #aside = new Set<string>();
  readonly #calls = new Map<number, Looked>();
  readonly #lists: SharedLists<readonly Stock[], Listed>;

  constructor(options: StockViewsOptions) {
    this.#options = options;
    this.#view = new FrontendView<Fetch>(FLOORS_MAX, options.firstAsk);
    this.#lists = new SharedLists<readonly Stock[], Listed>({
      askCatalog: (question, done) =>
        this.#look({ kind: "stocks", ...question }, (answer) => done(asStocks(answer))),
      askLeader: (question, deadlineMs, done) =>
        options.askLeader({ kind: "stocks", ...question }, deadlineMs, (answer) =>
          done(asStocks(answer) ?? { kind: "unavailable" }),
        ),
      newestFloor: () => this.#view.floors.newestFloor,
      pieceMax: PIECE_STOCKS,
      piece: (stocks) => stocks,
      whole: (pieces, position) => ({ kind: "stocks", stocks: pieces.flat(), position }),
      nowMs: options.clock,
      after: options.after,
    });
  }

  connection(catalog: string, isOpen: boolean): void {
    this.#without(catalog);
    this.#aside.delete(catalog);
    if (isOpen) this.#connected.push(catalog);
    else this.#lost(catalog);
  }

  #without(catalog: string): void {
    const index = this.#connected.indexOf(catalog);
    if (index !== -1) this.#connected.splice(index, 1);
  }

  #lost(catalog: string): void {
    if (!this.#view.lost(catalog)) return;
    this.#options.copies.clear();
    this.#options.host.counters.add("caches dropped");
  }

  get catalog(): string | null {
    return this.#connected[0] ?? null;
  }

  get holdsLease(): boolean {
    return this.#view.mayServe(this.#options.clock());
  }

  /** Every LEASE_ASK_MS. */
  askLease(): void {
    const catalog = this.#connected[0];
    if (catalog === undefined) return;
    const { clock, send } = this.#options;
    send(catalog, {
      kind: "lease",
      ask: this.#view.ask(catalog, clock()),
      held: this.#view.heldOf(catalog),
    });
  }

  /** Now and then another catalog is preferred: `to`, if that is connected, or the next. */
  switchCatalog(to?: string): void {
    const before = this.#connected[0];
    if (to !== undefined && before === to) return;
    if (to !== undefined && this.#connected.includes(to)) {
      this.#without(to);
      this.#connected.unshift(to);
    } else {
      const first = this.#connected.shift();
      if (first !== undefined) this.#connected.push(first);
    }
    // As with real front ends: who isn't asked any more is no grantor either.
    if (before !== undefined && before !== this.#connected[0]) this.#lost(before);
    this.#options.host.counters.add("grantors switched");
  }

  received(
    from: string,
    message: Extract<SimulatedMessage, { kind: "leased" | "hold" | "looked" }>,
  ): void {
    const { clock, send, host, copies } = this.#options;
    if (message.kind === "leased") {
      if (!this.#view.granted(from, message.grant, clock())) return;
      copies.clear();
      host.counters.add("sessions");
    } else if (message.kind === "hold") {
      const held = this.#view.hold(from, message.after, message.through, message.names, clock());
      copies.drop(message.names);
      if (held !== null) send(from, { kind: "holding", through: held });
    } else {
      const done = this.#calls.get(message.call);
      this.#calls.delete(message.call);
      done?.(message.answer);
    }
  }

  ask(question: StockQuestion, done: Done): void {
    if (question.kind === "list") {
      this.#lists.list((list) => done(list.kind === "stocks" ? list : null));
    } else if (question.kind === "page") this.#page(question, done);
    else this.#options.copies.get(question.name, (copy) => this.#copied(question, copy, done));
  }

  #page({ after, limit }: Extract<StockQuestion, { kind: "page" }>, done: Done): void {
    const floor = this.#view.floors.newestFloor;
    const question = { kind: "stocks", after, limit } as const;
    const told: Looked = (answer) =>
      done(answer?.kind === "stocks" ? { ...answer, kind: "page" } : null);
    this.#look(question, (answer) => {
      if (answer?.kind === "stocks" && answer.position >= floor) told(answer);
      else this.#options.askLeader(question, QUESTION_DEADLINE_MS, told);
    });
  }

  /** The rules are checked after the copy was read: one in a store takes a while to come. */
  #copied(
    question: Lookup,
    copy: { readonly stock: Stock; readonly position: number } | undefined,
    done: Done,
  ): void {
    const { host, clock } = this.#options;
    const serves =
      copy !== undefined &&
      this.#view.floors.serves(question.name, copy.position) &&
      this.#view.mayServe(clock());
    if (!serves) {
      this.#fetch(question, done);
      return;
    }
    host.counters.add("looked up in a cache");
    done({ kind: "stock", stock: copy.stock, position: null });
  }

  #fetch(question: Lookup, done: Done): void {
    const { name } = question;
    const { clock, host } = this.#options;
    const shared = this.#view.joinable(name, clock());
    if (shared) {
      host.counters.add("fetches joined");
      shared.waiting.push(done);
      return;
    }
    if (this.#connected.length === 0) {
      this.#askLeader(question, done);
      return;
    }
    const fetch: Fetch = { floor: this.#view.floors.floorOf(name), waiting: [done] };
    this.#view.began(name, fetch, clock());
    this.#look(question, (answer) => this.#fetched(question, fetch, answer));
  }

  #fetched(question: Lookup, fetch: Fetch, answer: CatalogAnswer | null): void {
    const { name } = question;
    const { copies } = this.#options;
    const position = answer?.kind === "stock" ? answer.position : null;
    if (answer?.kind !== "stock" || position === null || position < fetch.floor) {
      this.#view.failed(name, fetch);
      for (const waiting of fetch.waiting) this.#askLeader(question, waiting);
      return;
    }
    const keep = this.#view.answered(name, fetch, position);
    if (keep && answer.stock) copies.put(name, { stock: answer.stock, position });
    for (const waiting of fetch.waiting) waiting(answer);
  }

  #askLeader(question: Lookup, done: Done): void {
    this.#options.askLeader(question, QUESTION_DEADLINE_MS, (answer) =>
      done(answer?.kind === "stock" ? answer : null),
    );
  }

  /** Asks a catalog; null when it can't say, or doesn't in time. */
  #look(question: CatalogQuestion, done: Looked): void {
    const catalog = this.#connected[0];
    if (catalog === undefined) {
      done(null);
      return;
    }
    const { after, send, newCall } = this.#options;
    const call = newCall();
    this.#calls.set(call, done);
    after(LOOK_MS, () => {
      if (!this.#calls.delete(call)) return;
      this.#leaveAside(catalog);
      done(null);
    });
    send(catalog, { kind: "look", call, question });
  }

  #leaveAside(catalog: string): void {
    if (!this.#connected.includes(catalog)) return;
    this.#options.host.counters.add("catalogs left aside");
    this.#without(catalog);
    this.#lost(catalog);
    this.#aside.add(catalog);
    this.#options.after(ASIDE_MS, () => {
      if (this.#aside.delete(catalog)) this.#connected.push(catalog);
    });
  }
}

function asStocks(answer: CatalogAnswer | null): StocksAnswer | null {
  return answer?.kind === "stock" ? null : answer;
}
