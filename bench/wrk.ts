// wrk as the load: a process outside, one thread, keep-alive connections.
//
// What counts is an answer of 200. wrk counts every status above 399 as an error
// of its own, and none of the servers here answers anything between.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram, Running, TemporaryFolder } from "../lab/process.ts";
import { ANSWER_LIMIT_S, CONNECTIONS, STOP_LIMIT_MS } from "./limits.ts";
import { SEPARATOR } from "./requests.ts";
import type { Sample } from "./round.ts";

const SCRIPT = join(import.meta.dirname, "wrk.lua");
const REPORT = "wrk-report ";
const US_PER_S = 1_000_000;
const US_PER_MS = 1_000;

export interface Load {
  readonly port: number;
  /** Over TLS, whatever certificate is shown; no unless told. */
  readonly isTls?: boolean;
  readonly connections: number;
  readonly seconds: number;
  readonly requests: readonly string[];
  /** Look at each answer: 503s, and whether they have Retry-After. Slower. */
  readonly count?: boolean;
}

/** A load under way. */
export interface RunningLoad {
  /** The numbers, once its time is over. */
  readonly done: Promise<Sample>;
  /** Ends it early; what it did so far counts. */
  stop(): void;
}

/** Why no load can be made; null when it can. */
export function wrkMissing(): string | null {
  return findProgram("wrk") === null ? "wrk" : null;
}

/** The command as a person would type it, for the record. */
export function wrkCommand({ port, isTls, connections, seconds, count }: Load): string {
  const options = `-t1 -c${connections} -d${seconds}s --timeout ${ANSWER_LIMIT_S}s`;
  const rest = count ? " count" : "";
  return `wrk ${options} -s bench/wrk.lua ${isTls ? "https" : "http"}://127.0.0.1:${port} -- REQUESTS${rest}`;
}

/** Starts a load. */
export function startWrk(load: Load): RunningLoad {
  const folder = new TemporaryFolder("bench-wrk");
  const file = join(folder.path, "requests");
  writeFileSync(file, load.requests.join(SEPARATOR));
  const args = wrkCommand(load).split(" ").slice(1);
  const child = new Running(
    "wrk",
    args.map((arg) => (arg === "REQUESTS" ? file : arg === "bench/wrk.lua" ? SCRIPT : arg)),
  );
  const limitMs = (load.seconds + ANSWER_LIMIT_S) * 1_000 + STOP_LIMIT_MS;
  const done = (async () => {
    try {
      const { status, stdout } = await child.end(limitMs);
      if (status !== 0) throw new Error(child.printed);
      return parseWrk(stdout);
    } finally {
      child.signal("SIGKILL");
      folder[Symbol.dispose]();
    }
  })();
  return { done, stop: () => child.signal("SIGINT") };
}

/** Runs a load to its end. */
export function wrk(load: Load): Promise<Sample> {
  return startWrk(load).done;
}

/** The numbers in the line that wrk.lua prints. Throws when there is none. */
export function parseWrk(text: string): Sample {
  const line = text.split("\n").find((each) => each.startsWith(REPORT));
  if (line === undefined) throw new Error(`wrk printed no report: ${text.slice(-500)}`);
  const report: Record<string, number> = JSON.parse(line.slice(REPORT.length));
  const number = (name: string) => {
    const value = report[name];
    if (value === undefined) throw new Error(`wrk's report has no ${name}: ${line}`);
    return value;
  };
  const seconds = number("durationUs") / US_PER_S;
  const ok = number("requests") - number("statusErrors");
  const lost = ["connectErrors", "readErrors", "writeErrors", "timeouts"];
  return {
    okPerSecond: ok / seconds,
    p50Ms: number("p50Us") / US_PER_MS,
    p99Ms: number("p99Us") / US_PER_MS,
    maxMs: number("maxUs") / US_PER_MS,
    seconds,
    notOk: number("statusErrors"),
    lost: lost.reduce((sum, name) => sum + number(name), 0),
    unavailable: number("unavailable"),
    withoutRetryAfter: number("withoutRetryAfter"),
    other: number("other"),
  };
}

/** A load of the same kind that nobody looks at: compilers and caches settle. */
export async function warmUp(
  port: number,
  requests: readonly string[],
  seconds: number,
  isTls = false,
): Promise<void> {
  await wrk({ port, isTls, connections: CONNECTIONS, seconds, requests });
}
