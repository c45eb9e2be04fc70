// The machine and the programs that an evaluation is about.

import { arch, availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";
import product from "../../../package.json" with { type: "json" };
import type { About } from "./results.ts";

const BYTES_PER_GIB = 2 ** 30;

/** As it is now; `commands` are what was typed and what that runs. Names nobody and no host. */
export function aboutNow(commands: readonly string[]): About {
  const [loadBefore = 0] = loadavg();
  return {
    date: new Date().toISOString(),
    bazaar: product.version,
    node: process.version,
    system: `${type()} ${release()} ${arch()}`,
    processor: cpus()[0]?.model.trim() || "unknown",
    processors: availableParallelism(),
    memoryGiB: Math.round((totalmem() / BYTES_PER_GIB) * 10) / 10,
    loadBefore: Math.round(loadBefore * 100) / 100,
    commands,
  };
}
