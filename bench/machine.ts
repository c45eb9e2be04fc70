// What the numbers were measured on, and how long its disk takes for an fsync.

import { spawnSync } from "node:child_process";
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { percentile } from "../lab/statistics.ts";
import { FSYNC_BYTES, FSYNC_PROBES } from "./limits.ts";
import type { Sample } from "./round.ts";

const BYTES_PER_GIB = 2 ** 30;

/** For the record. */
export interface Machine {
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
}

export function machine(): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() || "unknown",
    cpus: processors.length,
    memoryGiB: Math.round((totalmem() / BYTES_PER_GIB) * 10) / 10,
    kernel: `${type()} ${release()}`,
    node: process.version,
  };
}

/** First line of `program --version`, for the record. */
export function versionOf(program: string, option: string): string {
  const { stdout, stderr } = spawnSync(program, [option], { encoding: "utf8" });
  return (stdout || stderr || "").split("\n")[0]?.trim() ?? "";
}

/** How many processes wanted a processor in the last minute. */
export function loadAverage(): number {
  return loadavg()[0] ?? 0;
}

/** Appends 4 KiB and fsyncs, again and again, in a file of its own in `folder`. */
export function fsyncProbe(folder: string): Sample {
  const own = mkdtempSync(join(folder, "fsync-"));
  const file = openSync(join(own, "probe"), "w");
  try {
    const bytes = Buffer.alloc(FSYNC_BYTES, 1);
    const timesMs = Array.from({ length: FSYNC_PROBES }, () => {
      const start = performance.now();
      writeSync(file, bytes);
      fsyncSync(file);
      return performance.now() - start;
    });
    return { p50Ms: percentile(timesMs, 50), p99Ms: percentile(timesMs, 99) };
  } finally {
    closeSync(file);
    rmSync(own, { recursive: true, force: true });
  }
}
