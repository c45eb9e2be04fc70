// Folders that are gone when the benchmark is, also after Ctrl-C: a history
// takes hundreds of megabytes.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A killed server's processes may still be writing: each try waits a little longer than the one before. */
const REMOVE = { recursive: true, force: true, maxRetries: 10, retryDelay: 50 } as const;

export class TemporaryFolder implements Disposable {
  readonly path: string;
  readonly #remove = () => rmSync(this.path, REMOVE);

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
