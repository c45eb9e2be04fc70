// When a copy of a stock may be served, kept or shared, as pure rules.
//
// A view keeps copies of what it fetched. Whoever changes a stock pushes an
// invalidation before anybody is told of the change; these rules make sure
// that no copy from before it is seen by a lookup that comes after it:
//
//   F1. Each stock has a floor, the newest position it was invalidated at.
//       Nothing below its floor is served, whatever a store gives back, and no
//       answer below the floor of its question is kept. Floors never go back.
//   F2. A fetch sent before an invalidation of its stock is joined by no
//       lookup that comes after, and its answer is not kept.
//   F3. A session ends when invalidations may have been missed. A fetch of an
//       earlier session is neither joined nor kept.
//
// Dropping the copies alone would not do: an answer that was read before the
// change can arrive after its invalidation and bring the old copy back.
//
// Floors are bounded: the stock invalidated longest ago gives its floor up to
// all the stocks that have none. That can refuse a good copy, never serve a
// bad one.

import { invariant } from "../invariant.ts";

/** What the floors of one view may need: one entry a recently changed stock. */
export const FLOORS_MAX = 65_536;

/** Floors and fetches under way of one view. `F` is whatever stands for a fetch. */
export class CopyRules<F> {
  readonly #floorsMax: number;
  /** Stock → floor; in the order of their last invalidation, so the first is the oldest. */
  readonly #floors = new Map<string, number>();
  /** Floor of every stock that has none of its own. */
  #commonFloor = 0;
  #newestFloor = 0;
  /** The fetches that may be joined and kept: one a stock. */
  readonly #fetches = new Map<string, F>();

  constructor(floorsMax: number = FLOORS_MAX) {
    invariant(floorsMax >= 1, "at least one floor can be kept", { floorsMax });
    this.#floorsMax = floorsMax;
  }

  /** The lowest position at which an answer about this stock is new enough. */
  floorOf(name: string): number {
    return this.#floors.get(name) ?? this.#commonFloor;
  }

  /** The highest floor there is: what an answer about all stocks must not be below. */
  get newestFloor(): number {
    return this.#newestFloor;
  }

  /** How many stocks have a floor of their own; for reports. */
  get floors(): number {
    return this.#floors.size;
  }

  /** F1: whether a copy that is true at `position` may be served. */
  serves(name: string, position: number): boolean {
    return position >= this.floorOf(name);
  }

  /** The fetch that a lookup coming now may share. */
  joinable(name: string): F | undefined {
    return this.#fetches.get(name);
  }

  /** A fetch of this stock is about to be sent: lookups may share it from now on. */
  began(name: string, fetch: F): void {
    this.#fetches.set(name, fetch);
  }

  /** The fetch is over. Returns whether it could still be joined until now: then its answer may be kept. */
  ended(name: string, fetch: F): boolean {
    if (this.#fetches.get(name) !== fetch) return false; // F2, F3
    this.#fetches.delete(name);
    return true;
  }

  /** These stocks changed at `position` or before it. */
  invalidate(names: readonly string[], position: number): void {
    for (const name of names) {
      this.#fetches.delete(name); // F2
      const floor = Math.max(position, this.floorOf(name)); // F1
      this.#floors.delete(name); // so that it becomes the youngest
      this.#floors.set(name, floor);
    }
    this.#newestFloor = Math.max(this.#newestFloor, position);
    while (this.#floors.size > this.#floorsMax) this.#giveUpOldest();
  }

  /** Somebody doubts this stock's copy: what is under way is too old for who comes next. */
  forget(name: string): void {
    this.#fetches.delete(name);
  }

  /** F3: invalidations may have been missed. The caller drops all copies. */
  newSession(): void {
    this.#fetches.clear();
  }

  #giveUpOldest(): void {
    const oldest = this.#floors.entries().next();
    if (oldest.done) return;
    const [name, floor] = oldest.value;
    this.#floors.delete(name);
    this.#commonFloor = Math.max(this.#commonFloor, floor);
  }
}
