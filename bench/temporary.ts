// Folders that are gone when the benchmark is, also after Ctrl-C: a history
// takes hundreds of megabytes.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A killed server may still be writing. */
const REMOVE_ATTEMPTS = 5;

export class TemporaryFolder implements Disposable {
  readonly path: string;
  readonly #remove = () =>
    rmSync(this.path, { recursive: true, force: true, maxRetries: REMOVE_ATTEMPTS });

  /** In the system's folder for such, or in TMPDIR. */
  constructor(name: string) {
    this.path = mkdtempSync(join(tmpdir(), `bazaar-bench-${name}-`));
    process.once("exit", this.#remove);
  }

  [Symbol.dispose](): void {
    process.off("exit", this.#remove);
    this.#remove();
  }
}
