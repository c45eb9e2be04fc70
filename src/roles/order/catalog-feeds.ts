// The leader's messages to its catalogs, and what they answer.
//
// What is sent to whom, and up to where clients may see, is decided by
// core/coherence/leader-views.ts; here entries are read from the log and sent.
// Nothing waits for an answer: a catalog says what it has received and what its
// front ends hold when it knows, and what got lost is sent again.
//
// One object for each reign. A catalog is known by its name: its lease outlives
// its connection.

import type { Logger } from "pino";
import type { LeaderEffect, LeaderViews } from "../../core/coherence/leader-views.ts";
import type { Grant } from "../../core/coherence/lease-holder.ts";
import type { ReplicatedLog } from "../../io/log/log.ts";
import type { Calls, Peer } from "../../io/rpc/types.ts";
import { catalogContract } from "../contract.ts";
import { FEED_BYTES_MAX } from "./limits.ts";

const servedByCatalogs = { entries: catalogContract.entries } as const;

/** What a catalog says when it follows. */
export interface FollowQuestion {
  readonly received: number;
  readonly held: number;
  readonly epoch: number;
  /** Null: it wants none. */
  readonly ask: number | null;
}

/** What a catalog says of its progress. */
export interface HeldAnswer {
  readonly epoch: number;
  readonly received: number;
  readonly held: number;
}

export interface FeedsOptions {
  readonly replica: number;
  readonly epoch: number;
  readonly views: LeaderViews;
  readonly source: Pick<ReplicatedLog, "read" | "status">;
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back; the log's reign is measured by the same. */
  readonly nowMs: () => number;
  /** Called when the exposed position has risen. */
  readonly onExposed: () => void;
}

interface Catalog {
  readonly peer: Peer;
  readonly calls: Calls<typeof servedByCatalogs>;
}

export class CatalogFeeds {
  readonly #options: FeedsOptions;
  readonly #catalogs = new Map<string, Catalog>();
  #closed = false;

  constructor(options: FeedsOptions) {
    this.#options = options;
  }

  /** A catalog followed this replica before it led, and had received everything up to `received`. */
  inherit(peer: Peer, received: number): void {
    this.#know(peer);
    const { views, nowMs } = this.#options;
    this.#carryOut(views.follows(peer.identity.name, received, nowMs()));
  }

  /** A catalog says what it has received, and asks for a lease; null: not now. */
  follow(peer: Peer, { received, held, epoch, ask }: FollowQuestion): Grant | null {
    const { views, nowMs, source, epoch: ownEpoch } = this.#options;
    const { name } = peer.identity;
    this.inherit(peer, received);
    this.held(peer, { epoch, received, held }); // what said so may be lost
    if (ask === null || epoch !== ownEpoch) return null; // or it doesn't know yet whom it asks
    this.#carryOut(views.wants(name));
    const confirmedMs = source.status().reign?.confirmedAt ?? Number.NEGATIVE_INFINITY;
    return views.grant(name, ask, confirmedMs, nowMs());
  }

  /** What came late over a connection that another has replaced is ignored: the catalog may have lost that. */
  held(peer: Peer, { epoch, received, held }: HeldAnswer): void {
    const { views, nowMs, epoch: ownEpoch } = this.#options;
    const { name } = peer.identity;
    if (epoch !== ownEpoch || this.#closed || this.#catalogs.get(name)?.peer !== peer) return;
    this.#carryOut(views.held(name, received, held, nowMs()));
  }

  /** Entries up to `position` are committed; once a turn. */
  committed(position: number): void {
    const { views, nowMs } = this.#options;
    this.#carryOut(views.committed(position, nowMs()));
  }

  /** Every beat: leases end, and what was lost is sent again. */
  tick(): void {
    const { views, nowMs } = this.#options;
    this.#carryOut(views.tick(nowMs()));
  }

  /** A connection closed. The catalog's lease runs on. */
  left(peer: Peer): void {
    const { name } = peer.identity;
    if (this.#catalogs.get(name)?.peer !== peer) return;
    this.#catalogs.delete(name);
    this.#options.views.left(name);
  }

  /** The reign is over: nothing more is sent, no answer counts. */
  close(): void {
    this.#closed = true;
    this.#catalogs.clear();
  }

  #know(peer: Peer): void {
    const { name } = peer.identity;
    const known = this.#catalogs.get(name);
    if (known?.peer === peer) return;
    // What was on its way over the old connection may be lost.
    if (known) this.#options.views.left(name);
    this.#catalogs.set(name, { peer, calls: peer.calls(servedByCatalogs) });
  }

  #carryOut(effects: readonly LeaderEffect[]): void {
    const { views, onExposed } = this.#options;
    if (this.#closed) return;
    let exposed = false;
    for (const effect of effects) {
      if (effect.kind === "exposed") exposed = true;
      else if (effect.kind === "expose") this.#send(effect.catalog, views.exposed, []);
      else this.#feed(effect.catalog, effect.after);
    }
    if (exposed) onExposed();
  }

  #feed(catalog: string, after: number): void {
    const { views, source, nowMs } = this.#options;
    const entries = source
      .read(after, FEED_BYTES_MAX)
      .filter((entry) => entry.position <= views.commit);
    const through = entries.at(-1)?.position;
    if (through === undefined) return; // committed, and not delivered to us yet
    this.#send(catalog, after, entries);
    this.#carryOut(views.sent(catalog, through, nowMs()));
  }

  #send(catalog: string, after: number, entries: ReturnType<FeedsOptions["source"]["read"]>): void {
    const { replica: leader, epoch, views } = this.#options;
    const known = this.#catalogs.get(catalog);
    if (!known) return;
    known.calls.entries({ leader, epoch, exposed: views.exposed, after, entries: [...entries] });
  }
}
