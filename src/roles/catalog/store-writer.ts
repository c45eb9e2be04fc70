// Writes the view to its file, behind it.
//
// Nothing waits for the file: after a crash it is at an older position, and the
// view reads on from there. So what changed is collected for a while and
// written in one transaction, each stock once.

import type { Stock } from "../../core/market/types.ts";
import type { ChangedStocks } from "./stock-view.ts";

/** The file: io/journal's catalog store. */
export interface ViewFile {
  /** Writes stocks as they are at `position`, and the position, in one transaction. */
  save(position: number, stocks: readonly Stock[]): void;
}

export class StoreWriter {
  readonly #file: ViewFile;
  readonly #changed = new Map<string, Stock>();
  #position: number;
  #savedPosition: number;

  constructor(file: ViewFile, position: number) {
    this.#file = file;
    this.#position = position;
    this.#savedPosition = position;
  }

  /** The view is at `position` now. */
  add(position: number, changed: ChangedStocks): void {
    this.#position = position;
    for (const [name, stock] of changed) this.#changed.set(name, stock);
  }

  /** Writes what was added, if anything was. Throws what the file throws: the catalog must stop then. */
  flush(): void {
    if (this.#position === this.#savedPosition) return;
    this.#file.save(this.#position, [...this.#changed.values()]);
    this.#changed.clear();
    this.#savedPosition = this.#position;
  }
}
