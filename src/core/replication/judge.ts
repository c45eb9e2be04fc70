// What may follow in a journal, as the layer above sees it.
//
// Commands are opaque here, but whoever acknowledges one vouches for it: once
// committed, a command that can't follow stops every replica that holds it. So
// the layer above keeps a state at the journal's end, and each replica asks it
// before it makes another's entries durable. Whose state is wrong, the sender's
// or its own, a replica can't tell alone: see Replica.
//
// What this replica appends itself was decided on that very state, so it isn't
// asked about.

import type { Entry } from "./types.ts";

/** An entry that can't follow what is before it, and why: a part of a sentence. */
export interface Misfit {
  readonly position: number;
  readonly reason: string;
}

/** The layer above, with a state at the journal's end. */
export interface Judge {
  /** Goes back to the state that is on disk; returns the position it stands at, never beyond what is committed. */
  rewind(): number;
  /**
   * Takes in the entries that come next. Null, or the first that can't: then
   * the state is of no use before rewind().
   */
  take(entries: readonly Entry[]): Misfit | null;
  /** What the state amounts to, in a line: a reign begins with it, and whoever follows compares. */
  summary(): string;
  /** What to stop with when this replica's own entries don't follow from its own state on disk. */
  damage(misfit: Misfit): Error;
}
