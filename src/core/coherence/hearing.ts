// Which process of a catalog's name a leader hears.
//
// A leader counts catalogs by name, since a new one knows no more of them: it takes
// each name for leased by an earlier leader (W3 in leader-views.ts) until a catalog
// of that name says what it holds. But two processes may have one name, by an
// operator's second command, or one configuration used on two hosts, and then the
// other may be the one that shows stocks under a lease. So one of them is heard, and
// has leases, at a time, and a change of the leader doesn't change which:
//
//   E1. Who is heard keeps the name until it hasn't asked for HEARD_MS and a lease
//       and a margin. Restarted it is another process.
//   E2. While leases of earlier leaders may run, a leader hears only who was heard by
//       the leader before it: not longer than HEARD_MS before it learned of this one.
//
// Then nobody else of the name has a lease when one is first heard. After E2's time no
// earlier lease runs at all. Before, let A say truly that the leader before, P, heard
// it. If P heard another one, B, later, then by E1 more than a lease after A learned
// of this leader; by then P was confirmed no more, and could grant nothing (W2). And
// whoever was heard before A had no lease any more when P first heard A.
//
// The leader before is the one of the entry before this reign: one whose reign isn't
// in this journal was never committed, and heard nobody.

import { HEARD_MS, LEASE_MARGIN_MS, LEASE_MS } from "./limits.ts";

interface Heard {
  /** Of the process: another one after it has restarted. */
  readonly link: string;
  readonly askedMs: number;
}

/** One object for each reign. Times are of the leader's clock. */
export class Hearing {
  readonly #epochBefore: number;
  readonly #openMs: number;
  readonly #heard = new Map<string, Heard>();

  /** `epochBefore`: of the entry before the reign, which was won at `wonMs` or a little before. */
  constructor({ epochBefore, wonMs }: { readonly epochBefore: number; readonly wonMs: number }) {
    this.#epochBefore = epochBefore;
    this.#openMs = wonMs + LEASE_MS + LEASE_MARGIN_MS;
  }

  /** A catalog that knows of this reign asks. `heardBefore` is what it says, as in Follow. */
  hears(name: string, link: string, heardBefore: number, nowMs: number): boolean {
    const heard = this.#heard.get(name);
    if (heard === undefined) {
      if (nowMs < this.#openMs && heardBefore !== this.#epochBefore) return false; // E2
    } else if (heard.link !== link) {
      if (nowMs < heard.askedMs + HEARD_MS + LEASE_MS + LEASE_MARGIN_MS) return false; // E1
    }
    this.#heard.set(name, { link, askedMs: nowMs });
    return true;
  }

  /** Whether this process is the one that is heard. */
  isHeard(name: string, link: string): boolean {
    return this.#heard.get(name)?.link === link;
  }
}
