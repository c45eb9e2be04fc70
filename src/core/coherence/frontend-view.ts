// A front end's copies: when one may be served, kept, shared or must go.
//
//   U1. A copy is served only under a lease, checked after the copy was read, in
//       the session that it was filled in.
//   U2. A fetch is shared only while the lease runs in which it was sent: without
//       one, nobody waits for this front end to hear of a change.
//   U3. What a hold names is dropped whatever its order; but only holds that
//       follow one another without a gap count as held.
//
// The rules for one stock's copies are in copies.ts, those of the lease in
// lease-holder.ts. Pure: time comes in with every call.

import { CopyRules } from "./copies.ts";
import { type Grant, LeaseHolder } from "./lease-holder.ts";

/** `P` stands for one open connection to a catalog, `F` for a fetch. */
export class FrontendView<P, F> {
  readonly #rules: CopyRules<F>;
  readonly #lease: LeaseHolder<P>;
  /** By catalog: everything that it sent up to here is held. */
  readonly #held = new Map<P, number>();

  constructor(floorsMax?: number) {
    this.#rules = new CopyRules(floorsMax);
    this.#lease = new LeaseHolder({ beginsEmpty: true });
  }

  /** Whether copies of the present session may be served now. U1 */
  mayServe(nowMs: number): boolean {
    return this.#lease.isValid(nowMs);
  }

  /** The lease under which they may; null if none runs. */
  lease(nowMs: number): { readonly grantor: P; readonly ms: number } | null {
    return this.#lease.lease(nowMs);
  }

  get floors(): Pick<CopyRules<F>, "floorOf" | "serves" | "newestFloor"> {
    return this.#rules;
  }

  // ---- fetches

  joinable(name: string, nowMs: number): F | undefined {
    return this.#lease.isValid(nowMs) ? this.#rules.joinable(name) : undefined; // U2
  }

  began(name: string, fetch: F, nowMs: number): void {
    if (this.#lease.isValid(nowMs)) this.#rules.began(name, fetch); // U2
  }

  /** The fetch is over. Whether an answer, not below the floor that there was when it began, may be kept as a copy. */
  ended(name: string, fetch: F): boolean {
    return this.#rules.ended(name, fetch);
  }

  /** Somebody doubts this stock's copy. */
  forget(name: string): void {
    this.#rules.forget(name);
  }

  // ---- the catalogs

  /**
   * A catalog says that `names` changed in (after, through]; the caller drops
   * their copies. Returns what to tell it is held; null for nothing.
   */
  hold(
    catalog: P,
    after: number,
    through: number,
    names: readonly string[],
    nowMs: number,
  ): number | null {
    this.#rules.invalidate(names, through);
    const held = this.#held.get(catalog);
    // Without a lease of this catalog there is no copy that rests on its holds.
    if (held === undefined || this.#lease.lease(nowMs)?.grantor !== catalog || after <= held) {
      this.#held.set(catalog, Math.max(held ?? 0, through)); // U3
    }
    return this.#held.get(catalog) ?? null;
  }

  /** What this catalog may be told is held; null if nothing is known. */
  heldOf(catalog: P): number | null {
    return this.#held.get(catalog) ?? null;
  }

  /** About to ask this catalog for a lease. */
  ask(catalog: P, nowMs: number): number {
    return this.#lease.ask(catalog, nowMs);
  }

  /** A grant of this catalog came in. True if a new session began: the caller drops all copies. */
  granted(catalog: P, grant: Grant, nowMs: number): boolean {
    const held = this.#held.get(catalog) ?? 0;
    const began = this.#lease.granted(grant, { applied: grant.exposed, held }, nowMs);
    if (began) {
      this.#rules.newSession();
      this.#held.set(catalog, Math.max(held, grant.sent));
    }
    return began;
  }

  /**
   * The connection to a catalog is gone. True if the newest lease was its: no copy
   * counts any more, and the caller drops all.
   */
  lost(catalog: P): boolean {
    this.#held.delete(catalog);
    if (!this.#lease.lost(catalog)) return false;
    this.#rules.newSession();
    return true;
  }
}
