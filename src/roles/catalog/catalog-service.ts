// What a catalog serves: lookups from its view, and the leader's committed
// entries into it.
//
// An entry is answered only when the view shows it and no front end holds a
// copy from before; the leader tells its client after that. The answer is a
// position, never more than is true: of the entries in the call, only those
// that followed without a gap count, and what a call beside it brought counts
// only once the front ends have dropped that as well.

import type { Logger } from "pino";
import type { Stock } from "../../core/market/types.ts";
import type { CommittedEntry } from "../../io/log/log.ts";
import { RpcError } from "../../io/rpc/error.ts";
import type { Invalidations } from "./invalidations.ts";
import type { Replicas } from "./replicas.ts";
import type { ChangedStocks, StockView } from "./stock-view.ts";
import type { StoreWriter } from "./store-writer.ts";

export interface CatalogServiceOptions {
  readonly view: StockView;
  readonly store: StoreWriter;
  readonly invalidations: Invalidations;
  readonly replicas: Replicas;
  readonly log: Logger;
  /** Something broke that must stop the process. */
  readonly onBroken: (reason: unknown) => void;
}

/** A batch of a leader's committed entries. */
export interface CommittedBatch {
  readonly leader: number;
  readonly epoch: number;
  readonly entries: readonly CommittedEntry[];
}

export class CatalogService {
  readonly #options: CatalogServiceOptions;
  /** Highest epoch seen; a lower one's leader is over and isn't answered. */
  #epoch = 0;
  #leader: number | null = null;
  /** Where a leader stood; lookups are answered from there on. Null before one was heard. */
  #levelAt: number | null = null;
  /** An entry was applied in part: nothing of the view may be shown any more. */
  #isBroken = false;

  constructor(options: CatalogServiceOptions) {
    this.#options = options;
  }

  /** The leader that feeds this catalog, and its epoch; null before the first. */
  get feeder(): { readonly leader: number | null; readonly epoch: number } {
    return { leader: this.#leader, epoch: this.#epoch };
  }

  /** A leader has committed everything up to `commitPosition`. */
  heardOfCommit(commitPosition: number): void {
    this.#levelAt ??= commitPosition;
  }

  /** Whether it answers lookups. */
  get isLevel(): boolean {
    return (
      !this.#isBroken && this.#levelAt !== null && this.#options.view.position >= this.#levelAt
    );
  }

  /** Stocks by name, null for an unknown one, all true at `position`. Throws while it isn't level. */
  lookup(names: readonly string[]): { stocks: (Stock | null)[]; position: number } {
    const { view } = this.#options;
    this.#expectLevel();
    return { stocks: names.map((name) => view.stock(name) ?? null), position: view.position };
  }

  /** All stocks by name. Throws while it isn't level. */
  stocks(): { stocks: Stock[]; position: number } {
    const { view } = this.#options;
    this.#expectLevel();
    return { stocks: view.stocks(), position: view.position };
  }

  /** Applies a batch; settles when everything up to `applied` shows everywhere. Rejects for a leader that is over. */
  async committed({ leader, epoch, entries }: CommittedBatch): Promise<{ applied: number }> {
    if (this.#isBroken) throw new RpcError("failed", "stopping");
    if (epoch < this.#epoch) {
      throw new RpcError("failed", `epoch ${epoch} is over, ${this.#epoch} has begun`);
    }
    this.#hear(leader, epoch);
    const { view, store, invalidations } = this.#options;
    const before = view.position;
    const changed = this.#apply(entries);
    const applied = view.position;
    if (applied > before) {
      store.add(applied, changed);
      if (changed.size > 0) invalidations.add(changed.keys(), applied);
    }
    await invalidations.dropped();
    return { applied };
  }

  /** An entry that can't be applied would be left out of the view for ever. */
  #apply(entries: readonly CommittedEntry[]): ChangedStocks {
    try {
      return this.#options.view.apply(entries);
    } catch (error) {
      this.#isBroken = true;
      this.#options.onBroken(error);
      throw error;
    }
  }

  #expectLevel(): void {
    if (!this.isLevel) throw new RpcError("failed", "still catching up with the order leader");
  }

  #hear(leader: number, epoch: number): void {
    const { replicas, log } = this.#options;
    if (epoch === this.#epoch && leader === this.#leader) return;
    this.#epoch = epoch;
    this.#leader = leader;
    replicas.heardOfLeader(leader);
    log.info({ leader, epoch }, "Following the order leader");
    if (this.#levelAt !== null) return;
    // What the leader sends doesn't say where it ends.
    replicas
      .of(leader)
      ?.calls.health({})
      .then(
        ({ leads, commitPosition }) => leads && this.heardOfCommit(commitPosition),
        () => {}, // the connection is gone; the next one asks again
      );
  }
}
