// Whether a history is linearizable: whether all its operations can be put in
// one order, each between its start and its end, in which every answer is the
// one that a single bazaar, doing one thing at a time, would have given.
//
// The whole bazaar is one object here, not each stock by itself: order numbers
// and lists of stocks tie the stocks together, so an order for each stock alone
// wouldn't do.
//
// The search is the just-in-time linearization of Lowe ("Testing for
// linearizability", 2017): go through starts and ends in their order, with the
// set of all states that the operations begun so far can have led to. At an end,
// a state in which that operation isn't done yet is taken on by operations under
// way, until it is done; a state that can't be is given up. When none is left,
// no order explains the history.
//
// In general that takes exponential time. Here the numbers give the order of the
// trades, and reads change nothing and are done as soon as they can be, which
// loses no order. So only changes without a number, new stocks and adjustments,
// branch, and few of them are under way at once. Of those, only the ones to
// stocks that matter for the end at hand are tried: any other can as well come
// after it, together with what was read of its stock, unless a list of all
// stocks is under way, which would see the difference.

/** A stock as a read saw it. */
export interface SeenStock {
  readonly price: number;
  readonly quantity: number;
}

/** What a read, or a refusal, says of the state that it saw. */
export type Seen =
  /** One stock, or that there is none of that name. */
  | { readonly kind: "stock"; readonly name: string; readonly stock: SeenStock | null }
  /** All of them. */
  | { readonly kind: "stocks"; readonly stocks: ReadonlyMap<string, SeenStock> }
  | { readonly kind: "listed"; readonly name: string }
  /** Listed, with less than this. */
  | { readonly kind: "less"; readonly name: string; readonly than: number }
  /** Whether there was an order of this number. */
  | { readonly kind: "order"; readonly number: number; readonly isThere: boolean };

export type Deed =
  | { readonly kind: "trade"; readonly number: number }
  | { readonly kind: "list"; readonly name: string; readonly stock: SeenStock }
  | { readonly kind: "adjust"; readonly name: string; readonly by: number }
  | { readonly kind: "read"; readonly seen: Seen };

/** Something that happened once, in one moment from `start` to `end`. */
export interface Operation {
  readonly deed: Deed;
  readonly start: number;
  /** Infinity for what was never answered; such a change needn't have happened. */
  readonly end: number;
  /** In words. */
  readonly label: string;
}

/** What trade NUMBER did; the first is number 1. */
export interface Movement {
  readonly name: string;
  /** Less when bought, more when sold. */
  readonly by: number;
}

export interface History {
  readonly stocks: ReadonlyMap<string, SeenStock>;
  /** Of all trades, in the order of their numbers. */
  readonly movements: readonly Movement[];
  readonly operations: readonly Operation[];
}

export type Linearization =
  | { readonly ok: true; readonly statesMax: number }
  | { readonly ok: false; readonly problem: string };

/** More states at once than any history of some clients leads to: then the search gives up, and says so. */
const STATES_MAX = 1_000_000;
/** States that a problem tells of. */
const STATES_TOLD_MAX = 4;

/** What has been done in one of the possible orders. */
interface State {
  /** Trades, from number 1 on. */
  readonly trades: number;
  /** Of the changes under way, those done; ascending. */
  readonly changes: readonly number[];
  /** Of the reads under way, those done; ascending. */
  readonly reads: readonly number[];
}

/** Searches for an order. Pure; the time is about that of the states times the operations under way. */
export function linearize(history: History): Linearization {
  return new Search(history).run();
}

class Search {
  readonly #history: History;
  readonly #quantities: TradedQuantities;
  /** Changes that are done in all states: stocks listed, and what was adjusted. */
  readonly #listed: Map<string, SeenStock>;
  readonly #adjusted = new Map<string, number>();
  readonly #openChanges = new Set<number>();
  readonly #openReads = new Set<number>();
  /** Of those, the reads of all stocks. */
  readonly #openLists = new Set<number>();
  /** Trades that have begun, by number. */
  readonly #begun = new Set<number>();
  #states: State[] = [{ trades: 0, changes: [], reads: [] }];

  constructor(history: History) {
    this.#history = history;
    this.#quantities = new TradedQuantities(history.movements);
    this.#listed = new Map(history.stocks);
  }

  run(): Linearization {
    let statesMax = 1;
    for (const { id, isEnd } of moments(this.#history.operations)) {
      if (!isEnd) {
        this.#start(id);
        continue;
      }
      const before = this.#states;
      const explored = this.#end(id);
      if (explored === null) {
        return { ok: false, problem: `undecided: more than ${STATES_MAX} states at once` };
      }
      statesMax = Math.max(statesMax, explored);
      if (this.#states.length === 0) return { ok: false, problem: this.#problem(id, before) };
    }
    return { ok: true, statesMax };
  }

  #operation(id: number): Operation {
    return this.#history.operations[id] as Operation;
  }

  #start(id: number): void {
    const { deed } = this.#operation(id);
    if (deed.kind === "trade") this.#begun.add(deed.number);
    else if (deed.kind !== "read") this.#openChanges.add(id);
    else {
      this.#openReads.add(id);
      if (deed.seen.kind === "stocks") this.#openLists.add(id);
      this.#states = this.#states.map((state) => this.#withReads(state));
    }
  }

  /** Keeps, and makes, the states in which the operation is done. Returns how many were looked at, or null when too many. */
  #end(id: number): number | null {
    const kept = new Map<string, State>();
    const seen = new Set<string>();
    const waiting = [...this.#states];
    const names = this.#namesThatMatter(id);
    for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
      const key = keyOf(state);
      if (seen.has(key)) continue;
      seen.add(key);
      if (seen.size > STATES_MAX) return null;
      if (this.#isDone(id, state)) kept.set(key, state);
      else waiting.push(...this.#next(state, names));
    }
    this.#openReads.delete(id);
    this.#openLists.delete(id);
    const { deed } = this.#operation(id);
    if (this.#openChanges.delete(id) && kept.size > 0) this.#settle(deed);
    const rest = [...kept.values()].map((state) => without(state, id));
    this.#states = [...new Map(rest.map((state) => [keyOf(state), state])).values()];
    return seen.size;
  }

  /** A change that all states have is theirs together from now on. */
  #settle(deed: Deed): void {
    if (deed.kind === "list") this.#listed.set(deed.name, deed.stock);
    if (deed.kind === "adjust") {
      this.#adjusted.set(deed.name, (this.#adjusted.get(deed.name) ?? 0) + deed.by);
    }
  }

  #isDone(id: number, state: State): boolean {
    const { deed } = this.#operation(id);
    if (deed.kind === "trade") return state.trades >= deed.number;
    return (deed.kind === "read" ? state.reads : state.changes).includes(id);
  }

  /** Those of the operation itself, and of the trades that may have to come before it. */
  #namesThatMatter(id: number): ReadonlySet<string> {
    const { deed } = this.#operation(id);
    const name = nameOf(deed);
    const names = new Set(name === null ? [] : [name]);
    const from = Math.min(...this.#states.map(({ trades }) => trades));
    const to = deed.kind === "trade" ? deed.number : Number.POSITIVE_INFINITY;
    for (let trades = from; trades < to && this.#begun.has(trades + 1); trades++) {
      const movement = this.#history.movements[trades];
      if (movement) names.add(movement.name);
    }
    return names;
  }

  /** The states one change further: the next trade, or a change under way to a stock that matters. */
  #next(state: State, names: ReadonlySet<string>): State[] {
    const next: State[] = [];
    const trade = this.#history.movements[state.trades];
    if (trade && this.#begun.has(state.trades + 1)) {
      const stock = this.#stock(state, trade.name);
      if (stock && stock.quantity + trade.by >= 0) {
        next.push({ ...state, trades: state.trades + 1 });
      }
    }
    const allMatter = [...this.#openLists].some((id) => !state.reads.includes(id));
    for (const id of this.#openChanges) {
      const { deed } = this.#operation(id);
      if (!allMatter && !names.has(nameOf(deed) ?? "")) continue;
      if (state.changes.includes(id) || !this.#allows(state, deed)) continue;
      next.push({ ...state, changes: [...state.changes, id].sort((a, b) => a - b) });
    }
    return next.map((each) => this.#withReads(each));
  }

  #allows(state: State, deed: Deed): boolean {
    if (deed.kind === "list") return this.#stock(state, deed.name) === null;
    if (deed.kind !== "adjust") return false;
    const stock = this.#stock(state, deed.name);
    return stock !== null && stock.quantity + deed.by >= 0;
  }

  /** The state with all reads done that are true in it. */
  #withReads(state: State): State {
    const found = [...this.#openReads].filter(
      (id) => !state.reads.includes(id) && this.#isTrue(state, this.#operation(id).deed),
    );
    if (found.length === 0) return state;
    return { ...state, reads: [...state.reads, ...found].sort((a, b) => a - b) };
  }

  #isTrue(state: State, deed: Deed): boolean {
    if (deed.kind !== "read") return false;
    const { seen } = deed;
    switch (seen.kind) {
      case "stock":
        return isSame(this.#stock(state, seen.name), seen.stock);
      case "stocks": {
        const names = this.#names(state);
        if (names.size !== seen.stocks.size) return false;
        for (const name of names) {
          if (!isSame(this.#stock(state, name), seen.stocks.get(name) ?? null)) return false;
        }
        return true;
      }
      case "listed":
        return this.#stock(state, seen.name) !== null;
      case "less": {
        const stock = this.#stock(state, seen.name);
        return stock !== null && stock.quantity < seen.than;
      }
      case "order":
        return state.trades >= seen.number === seen.isThere;
    }
  }

  #names(state: State): ReadonlySet<string> {
    const names = new Set(this.#listed.keys());
    for (const id of state.changes) {
      const { deed } = this.#operation(id);
      if (deed.kind === "list") names.add(deed.name);
    }
    return names;
  }

  #stock(state: State, name: string): SeenStock | null {
    let listed = this.#listed.get(name);
    let by = this.#adjusted.get(name) ?? 0;
    for (const id of state.changes) {
      const { deed } = this.#operation(id);
      if (deed.kind === "list" && deed.name === name) listed = deed.stock;
      if (deed.kind === "adjust" && deed.name === name) by += deed.by;
    }
    if (!listed) return null;
    const traded = this.#quantities.after(name, state.trades);
    return { price: listed.price, quantity: listed.quantity + by + traded };
  }

  #problem(id: number, before: readonly State[]): string {
    const { deed, label } = this.#operation(id);
    const states = [...before]
      .sort((a, b) => b.trades - a.trades)
      .slice(0, STATES_TOLD_MAX)
      .map((state) => {
        const missing = this.#begun.has(state.trades + 1) ? "" : ", the next not begun";
        const name = nameOf(deed);
        const stock = name === null ? null : this.#stock(state, name);
        const told = name === null ? "" : `, ${name} ${stock?.quantity ?? "not listed"}`;
        return `${state.trades} trades${missing}${told}`;
      });
    return `no order of events explains ${label}; before it, at most: ${states.join("; ")}`;
  }
}

/** What the trades up to a number did to a stock's quantity. */
class TradedQuantities {
  readonly #byName = new Map<string, { readonly numbers: number[]; readonly sums: number[] }>();

  constructor(movements: readonly Movement[]) {
    for (const [index, { name, by }] of movements.entries()) {
      const moved = this.#byName.get(name) ?? { numbers: [], sums: [] };
      this.#byName.set(name, moved);
      moved.numbers.push(index + 1);
      moved.sums.push((moved.sums.at(-1) ?? 0) + by);
    }
  }

  after(name: string, trades: number): number {
    const moved = this.#byName.get(name);
    if (!moved) return 0;
    let low = 0;
    let high = moved.numbers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((moved.numbers[middle] as number) <= trades) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : (moved.sums[low - 1] as number);
  }
}

/** All starts and ends in their order; at the same time starts come first, so such operations overlap. */
function moments(operations: readonly Operation[]): { id: number; at: number; isEnd: boolean }[] {
  return operations
    .flatMap(({ start, end }, id) => [
      { id, at: start, isEnd: false },
      ...(end === Number.POSITIVE_INFINITY ? [] : [{ id, at: end, isEnd: true }]),
    ])
    .sort((a, b) => a.at - b.at || Number(a.isEnd) - Number(b.isEnd));
}

function keyOf({ trades, changes, reads }: State): string {
  return `${trades}|${changes.join()}|${reads.join()}`;
}

function without(state: State, id: number): State {
  const keep = (each: number) => each !== id;
  return { ...state, changes: state.changes.filter(keep), reads: state.reads.filter(keep) };
}

function isSame(a: SeenStock | null, b: SeenStock | null): boolean {
  return a === null || b === null ? a === b : a.quantity === b.quantity && a.price === b.price;
}

function nameOf(deed: Deed): string | null {
  if (deed.kind === "trade") return null;
  if (deed.kind !== "read") return deed.name;
  return "name" in deed.seen ? deed.seen.name : null;
}
