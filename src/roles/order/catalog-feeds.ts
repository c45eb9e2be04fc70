// Committed entries on their way from the leader to the catalogs that follow.
//
// Each catalog gets all entries in order, several calls at once on their way,
// and answers a position once it shows it. What they answered decides, in
// core/coherence, up to where clients may see. A catalog that is behind is
// caught up in bounded pieces, one a turn, without holding up anybody. One that answers a lower position than it was sent (it refuses
// gaps) is sent on from there at the next tick: at once could be for ever.
//
// One object for each reign. Catalogs that followed this replica before it led
// are first asked where they stand, since the last leader may have fed them.

import type { Logger } from "pino";
import type { Exposure } from "../../core/coherence/exposure.ts";
import { invariant } from "../../core/invariant.ts";
import type { CommittedEntry, ReplicatedLog } from "../../io/log/log.ts";
import type { Calls, Peer } from "../../io/rpc/types.ts";
import { catalogContract } from "../contract.ts";
import { FEED_BYTES_MAX, FEED_CALLS_MAX } from "./limits.ts";

export interface FeedsOptions {
  readonly replica: number;
  readonly epoch: number;
  readonly exposure: Exposure;
  readonly source: Pick<ReplicatedLog, "read">;
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
  /** Called when the exposed position may have risen. */
  readonly onExposed: () => void;
  /** Something broke that must stop the process. */
  readonly onBroken: (reason: unknown) => void;
}

interface Feed {
  /** Names this connection of this catalog in the exposure. */
  readonly view: string;
  readonly peer: Peer;
  readonly catalog: Calls<typeof catalogContract>;
  /** Newest position sent; null until the catalog has said where it stands. */
  sent: number | null;
  /** Calls on their way in the present run. */
  calls: number;
  /** Counts the times that sending began anew; answers to calls of an earlier run don't count in this one. */
  run: number;
  /** Waits for the next tick to begin a new run. */
  paused: boolean;
}

export class CatalogFeeds {
  readonly #options: FeedsOptions;
  readonly #feeds = new Map<Peer, Feed>();
  #connections = 0;
  #closed = false;

  constructor(options: FeedsOptions) {
    this.#options = options;
  }

  /** A catalog follows after `position`; null when it said so to this replica before it led. */
  follow(peer: Peer, position: number | null): void {
    const { exposure, nowMs } = this.#options;
    this.#drop(peer);
    const feed: Feed = {
      view: `${peer.identity.name}#${++this.#connections}`,
      peer,
      catalog: peer.calls(catalogContract),
      sent: position,
      calls: 0,
      run: 0,
      paused: false,
    };
    this.#feeds.set(peer, feed);
    exposure.join(feed.view, position, nowMs());
    this.#pump(feed);
  }

  /** The catalog's connection closed. */
  unfollow(peer: Peer): void {
    this.#drop(peer);
    this.#options.onExposed();
  }

  /** Sends what is committed and isn't sent yet, as far as each catalog's window allows. Once a turn. */
  flush(): void {
    for (const feed of this.#feeds.values()) {
      this.#pump(feed);
      feed.peer.flush(); // this is the turn's end already
    }
  }

  /** Every beat: forgets closed connections, resumes paused ones, gives up waiting for the late. */
  tick(): void {
    const { exposure, nowMs, log, onExposed } = this.#options;
    for (const feed of this.#feeds.values()) {
      if (!feed.peer.isOpen) this.#drop(feed.peer);
      else {
        feed.paused = false;
        this.#pump(feed);
      }
    }
    for (const view of exposure.expire(nowMs())) {
      log.warn({ view }, "A catalog doesn't answer in time; trades wait for it no longer");
    }
    onExposed();
  }

  /** The reign is over: nothing more is sent, no answer counts. */
  close(): void {
    this.#closed = true;
    this.#feeds.clear();
  }

  #pump(feed: Feed): void {
    const { exposure, source } = this.#options;
    if (feed.paused) return;
    if (feed.sent === null) {
      if (feed.calls === 0) this.#send(feed, []);
      return;
    }
    if (feed.sent >= exposure.commit || feed.calls >= FEED_CALLS_MAX) return;
    const entries = source.read(feed.sent, FEED_BYTES_MAX);
    const last = entries.at(-1);
    invariant(last !== undefined, "what is committed can be read", {
      sent: feed.sent,
      commit: exposure.commit,
    });
    this.#send(feed, entries);
    feed.sent = last.position;
  }

  #send(feed: Feed, entries: readonly CommittedEntry[]): void {
    const { replica: leader, epoch } = this.#options;
    const run = feed.run;
    const through = entries.at(-1)?.position ?? 0;
    feed.calls++;
    feed.catalog
      .committed({ leader, epoch, entries: [...entries] })
      .then(
        ({ applied }) => this.#answered(feed, run, through, applied),
        (error: unknown) => this.#failed(feed, run, error),
      )
      .catch(this.#options.onBroken);
  }

  #answered(feed: Feed, run: number, through: number, applied: number): void {
    if (this.#closed || this.#feeds.get(feed.peer) !== feed) return;
    const { exposure, nowMs, onExposed } = this.#options;
    exposure.answered(feed.view, applied, nowMs());
    if (run === feed.run) {
      feed.calls--;
      if (applied < through) this.#beginAgain(feed, applied);
      else if (feed.sent === null || feed.sent < applied) feed.sent = applied;
      this.#pump(feed);
    }
    onExposed();
  }

  #failed(feed: Feed, run: number, error: unknown): void {
    if (this.#closed || this.#feeds.get(feed.peer) !== feed || run !== feed.run) return;
    const { log, onExposed } = this.#options;
    if (feed.peer.isOpen) {
      const { name } = feed.peer.identity;
      log.warn({ catalog: name, err: error }, "A catalog didn't take committed entries");
      this.#beginAgain(feed, null);
    } else {
      this.#drop(feed.peer);
      onExposed();
    }
  }

  #beginAgain(feed: Feed, sent: number | null): void {
    feed.run++;
    feed.calls = 0;
    feed.sent = sent;
    feed.paused = true;
  }

  #drop(peer: Peer): void {
    const feed = this.#feeds.get(peer);
    if (feed === undefined) return;
    this.#feeds.delete(peer);
    this.#options.exposure.leave(feed.view);
  }
}
