// The history of a run: one record for each call that a client made, as JSON
// lines, so that any checker can read it, this one or another.
//
// A call that is attempted again is a record for each attempt, all with one
// `key`. Times are nanoseconds of one monotonic clock, from the start of the
// run. What a record's fields mean is in docs/testing.md.

/** What the history says of a stock. */
export interface StockSeen {
  readonly name: string;
  readonly price: number;
  readonly quantity: number;
}

/** An order as the bazaar lists it. */
export interface OrderSeen {
  readonly number: number;
  readonly name: string;
  readonly type: string;
  readonly quantity: number;
}

/** One attempt at one call. */
export interface Attempt {
  /** Who called; a process waits for the end of a call before it makes the next. */
  readonly process: string;
  /** `list` is a new stock; the list of all stocks is a `lookup` without a name. */
  readonly kind: "trade" | "query" | "lookup" | "list" | "adjust";
  readonly name?: string;
  readonly type?: string;
  /** Asked for by a trade, a list and an adjust (there it may be negative); found by a lookup and a query. */
  readonly quantity?: number;
  /** Of the order: given to an accepted trade, asked for by a query. */
  readonly number?: number;
  readonly price?: number;
  /** Identity of the call across its attempts. */
  readonly key?: string;
  /** What a lookup without a name found. */
  readonly stocks?: readonly StockSeen[];
  readonly start: number;
  readonly end: number;
  readonly outcome: Outcome;
}

/**
 * `unknown` calls may have happened, may happen yet, or never; with the reason.
 * `wrong` is an answer that the call can't have in any state.
 */
export type Outcome =
  | "accepted"
  | "found"
  | "not found"
  | "refused: insufficient volume"
  | "refused: unknown stock"
  | "refused: stock exists"
  | `unknown: ${string}`
  | `wrong: ${string}`;

export function isUnknown({ outcome }: Attempt): boolean {
  return outcome.startsWith("unknown");
}

/** The history as it is written to a file. */
export function toJsonLines(history: readonly Attempt[]): string {
  return history.map((attempt) => `${JSON.stringify(attempt)}\n`).join("");
}

/** An attempt in words, for who reads of a violation. */
export function describe(attempt: Attempt): string {
  const { process, kind, outcome, start, end } = attempt;
  const what = [
    attempt.name,
    attempt.type,
    attempt.number === undefined ? undefined : `#${attempt.number}`,
    attempt.quantity,
    attempt.stocks?.map(({ name, quantity }) => `${name} ${quantity}`).join(" "),
  ].filter((part) => part !== undefined);
  const between = `${(start / 1e6).toFixed(3)} to ${(end / 1e6).toFixed(3)} ms`;
  return `${process} ${kind} ${what.join(" ")}: ${outcome} (${between})`;
}

/** How many calls of each kind had each outcome; reasons of unknown ones are left out. */
export function outcomes(history: readonly Attempt[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const attempt of history) {
    const kind = attempt.kind === "lookup" && attempt.name === undefined ? "stocks" : attempt.kind;
    const outcome = /^(?:unknown|wrong)|.+/.exec(attempt.outcome)?.[0] ?? attempt.outcome;
    const what = `${kind} ${outcome}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The longest time in which no trade of any client was answered, milliseconds. */
export function longestGapMs(history: readonly Attempt[]): number {
  const ends = history
    .filter((attempt) => attempt.kind === "trade" && !isUnknown(attempt))
    .map(({ end }) => end)
    .sort((a, b) => a - b);
  const gaps = ends.slice(1).map((end, index) => end - (ends[index] ?? end));
  return gaps.reduce((longest, gap) => Math.max(longest, gap), 0) / 1e6;
}

/** Two columns: a number, and what of. */
export function counted(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([what, count]) => `${String(count).padStart(9)}  ${what}`).join("\n");
}
