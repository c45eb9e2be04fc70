// Up to which position clients may see: the exposed position of one reign.
//
// A committed entry is exposed once every view that is waited for (a catalog
// that follows the leader) has answered its position, so that a client which
// was told of its trade finds it in every lookup after. Waiting for all of them
// for ever would let one dead catalog stop the market, so a view that stays
// behind what was committed a while ago is waited for no longer, until it is
// level again. That delays trades once, not each.
//
//   R1. exposed <= commit, and exposed never goes back.
//
// Pure: time comes in with every call, in milliseconds of any clock that never
// goes back. The delay is counted from the commit, not from the sending: a view
// whose window is full is late all the same. Views hold no leases here; when
// they do, a view will be waited for as long as its lease runs, and the two
// steps, hold and expose, will both be counted in this place.

import { invariant } from "../invariant.ts";

/** How long a committed entry waits for a view that is late. */
export const EXPOSURE_WAIT_MS = 500;
/** A view is level, and waited for again, when it has answered all that was committed this long ago. */
export const LEVEL_LAG_MS = 100;
/** Commits closer together than this share one mark in time, so that marks are few. */
const MARK_SPACING_MS = 10;

/** `position` was committed at `atMs`, or a little later. */
interface Mark {
  position: number;
  readonly atMs: number;
}

interface View {
  /** The highest position it has answered. */
  answered: number;
  waitedFor: boolean;
}

/** Follows commits and the answers of views through one reign. Made anew for each. */
export class Exposure {
  #commit = 0;
  #exposed = 0;
  /** Ascending in both; at most one is older than EXPOSURE_WAIT_MS. */
  readonly #marks: Mark[] = [];
  readonly #views = new Map<string, View>();

  /** Up to here clients may see. */
  get exposed(): number {
    return this.#exposed;
  }

  get commit(): number {
    return this.#commit;
  }

  /** Entries up to `position` are committed. */
  committed(position: number, nowMs: number): void {
    invariant(position >= this.#commit, "the commit position never goes back", {
      commit: this.#commit,
      position,
    });
    this.#commit = position;
    const newest = this.#marks.at(-1);
    if (newest && nowMs - newest.atMs < MARK_SPACING_MS) newest.position = position;
    else this.#marks.push({ position, atMs: nowMs });
    this.#expose();
  }

  /**
   * A view follows from now on. With `position` (what it has applied) it is
   * waited for if that is level. Null: it followed the last leader, so it is
   * waited for until it has answered all, or EXPOSURE_WAIT_MS have passed.
   */
  join(view: string, position: number | null, nowMs: number): void {
    const answered = position ?? 0;
    const waitedFor = position === null || this.#isLevel(answered, nowMs);
    this.#views.set(view, { answered, waitedFor });
    this.#expose(); // it may have been waited for before, under the same name
  }

  /** The view's connection is gone; nobody waits for it. */
  leave(view: string): void {
    if (this.#views.delete(view)) this.#expose();
  }

  /** The view has applied everything up to `position`, and its own views have dropped what that changed. */
  answered(view: string, position: number, nowMs: number): void {
    const state = this.#views.get(view);
    if (state === undefined || position < state.answered) return; // left meanwhile, or overtaken
    state.answered = position;
    state.waitedFor ||= this.#isLevel(position, nowMs);
    this.#expose();
  }

  /** Call every few tens of milliseconds. Returns the views that are waited for no longer from now on. */
  expire(nowMs: number): readonly string[] {
    const due = this.#committedBy(nowMs - EXPOSURE_WAIT_MS) ?? 0;
    const late: string[] = [];
    for (const [name, view] of this.#views) {
      if (!view.waitedFor || view.answered >= due) continue;
      view.waitedFor = false;
      late.push(name);
    }
    this.#forget(nowMs - EXPOSURE_WAIT_MS);
    if (late.length > 0) this.#expose();
    return late;
  }

  /** Whether a commit now would wait for this view. */
  waitsFor(view: string): boolean {
    return this.#views.get(view)?.waitedFor ?? false;
  }

  #expose(): void {
    let position = this.#commit;
    for (const view of this.#views.values()) {
      if (view.waitedFor && view.answered < position) position = view.answered;
    }
    if (position > this.#exposed) this.#exposed = position; // a view that became level may be behind
    invariant(this.#exposed <= this.#commit, "R1: exposed <= commit", {
      exposed: this.#exposed,
      commit: this.#commit,
    });
  }

  /** What the reign began with is old, however young the reign: a view without it is not level. */
  #isLevel(position: number, nowMs: number): boolean {
    return position >= (this.#committedBy(nowMs - LEVEL_LAG_MS) ?? this.#marks[0]?.position ?? 0);
  }

  /** What was committed by `atMs`; undefined when no mark is that old. */
  #committedBy(atMs: number): number | undefined {
    return this.#marks.findLast((mark) => mark.atMs <= atMs)?.position;
  }

  /** Drops the marks that a newer one makes needless for every time from `atMs` on. */
  #forget(atMs: number): void {
    const kept = this.#marks.findLastIndex((mark) => mark.atMs <= atMs);
    if (kept > 0) this.#marks.splice(0, kept);
  }
}
