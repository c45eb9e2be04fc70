// Has the front ends drop their copies of stocks that changed.
//
// All changes of one turn of the event loop go to each connected front end in
// one call. Who asks is answered when every front end has dropped everything up
// to that position, or is cut off: a front end that loses its connection here
// drops all its copies, so either way no copy from before is shown any more.
//
// A copy that a front end fetches meanwhile is no problem: it was either sent
// before the invalidation, on the same connection, and is dropped by it, or
// read after the change.

import type { Logger } from "pino";
import { errorText } from "../../io/rpc/error.ts";
import type { Calls, Peer } from "../../io/rpc/types.ts";
import { frontendContract, NAMES_PER_CALL_MAX } from "../contract.ts";
import { INVALIDATION_WAIT_MS } from "./limits.ts";

export interface InvalidationsOptions {
  readonly log: Logger;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

interface OpenCall {
  readonly peer: Peer;
  readonly sentAtMs: number;
}

export class Invalidations {
  readonly #options: InvalidationsOptions;
  readonly #frontends = new Map<Peer, Calls<typeof frontendContract>>();
  readonly #openCalls = new Set<OpenCall>();
  /** What changed in this turn; null when nothing did. */
  #batch: { readonly names: Set<string>; position: number } | null = null;
  /** Settles when everything that was ever added is dropped. */
  #dropped: Promise<unknown> = Promise.resolve();

  constructor(options: InvalidationsOptions) {
    this.#options = options;
  }

  /** A front end connected; it holds no copies of ours. */
  join(peer: Peer): void {
    this.#frontends.set(peer, peer.calls(frontendContract));
  }

  /** A front end's connection closed; it drops all its copies by itself. */
  leave(peer: Peer): void {
    this.#frontends.delete(peer);
  }

  /** Stocks changed; `position` is the newest entry that changed one. */
  add(names: Iterable<string>, position: number): void {
    if (this.#batch === null) {
      const batch = { names: new Set<string>(), position };
      this.#batch = batch;
      const sent = new Promise<void>((resolve) => {
        setImmediate(() => {
          this.#batch = null;
          resolve(this.#send([...batch.names], batch.position));
        });
      });
      this.#dropped = Promise.all([this.#dropped, sent]);
    }
    this.#batch.position = position;
    for (const name of names) this.#batch.names.add(name);
  }

  /** Settles once no front end holds a copy from before what was added so far. Never rejects. */
  async dropped(): Promise<void> {
    await this.#dropped;
  }

  /** Every TICK_MS: cuts off the front ends that are late. */
  tick(): void {
    const { nowMs, log } = this.#options;
    const due = nowMs() - INVALIDATION_WAIT_MS;
    for (const call of this.#openCalls) {
      if (call.sentAtMs > due || !call.peer.isOpen) continue;
      const frontend = call.peer.identity.name;
      log.warn({ frontend }, "Cutting off a front end that doesn't drop its copies in time");
      call.peer.close(); // rejects the call, which settles it
    }
  }

  async #send(names: string[], position: number): Promise<void> {
    const calls: Promise<void>[] = [];
    for (let start = 0; start < names.length; start += NAMES_PER_CALL_MAX) {
      const piece = names.slice(start, start + NAMES_PER_CALL_MAX);
      for (const [peer, frontend] of this.#frontends) {
        calls.push(this.#invalidate(peer, frontend, piece, position));
      }
    }
    for (const peer of this.#frontends.keys()) peer.flush(); // this is the turn's end already
    await Promise.all(calls);
  }

  async #invalidate(
    peer: Peer,
    frontend: Calls<typeof frontendContract>,
    names: string[],
    position: number,
  ): Promise<void> {
    const call: OpenCall = { peer, sentAtMs: this.#options.nowMs() };
    this.#openCalls.add(call);
    try {
      await frontend.invalidate({ names, position });
    } catch (error) {
      if (peer.isOpen) {
        const fields = { frontend: peer.identity.name, why: errorText(error) };
        this.#options.log.warn(fields, "Cutting off a front end that can't drop its copies");
        peer.close();
      }
    } finally {
      this.#openCalls.delete(call);
    }
  }
}
