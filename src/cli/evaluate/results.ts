// What an evaluation measured: the numbers behind its report, as results.json
// holds them. Times are milliseconds unless the name says otherwise.

import type { Blow, FailOverResult } from "../../../lab/fail-over.ts";
import type { LatencySummary } from "../../../lab/statistics.ts";
import type { Verdict } from "../../roles/verification.ts";
import type { LabResult } from "../lab-client.ts";

/** Where, when and how it was measured. */
export interface About {
  /** When it began, ISO 8601. */
  readonly date: string;
  readonly bazaar: string;
  readonly node: string;
  /** Operating system and its release. */
  readonly system: string;
  readonly processor: string;
  readonly processors: number;
  readonly memoryGiB: number;
  /** Processes that wanted to run, on average over the minute before. */
  readonly loadBefore: number;
  /** What was typed, and what that ran. */
  readonly commands: readonly string[];
}

/** The lab's clients at one probability of a trade, with the cache or without. `matched`: orders found as they were made, of `total`. */
export interface LoadCell
  extends Pick<LabResult, "requests" | "seconds" | "refusals" | "failures" | "matched" | "total"> {
  readonly hasCache: boolean;
  readonly probability: number;
  readonly requestsPerSecond: number;
  /** Lookups that the cache answered, and that it couldn't. */
  readonly hits: number;
  readonly misses: number;
  readonly lookup: LatencySummary;
  readonly trade: LatencySummary;
}

/** One request, and what was in the cache after it. */
export interface ReplacementStep {
  readonly action: "lookup" | "trade";
  readonly name: string;
  /** The most recently used first. */
  readonly cached: readonly string[];
}

export interface Replacement {
  /** How many stocks the cache holds at most. */
  readonly capacity: number;
  readonly stocks: readonly string[];
  readonly steps: readonly ReplacementStep[];
  /** Steps, from 1, after which it held something else than the rule says. */
  readonly unexpected: readonly number[];
}

export type Kill = Pick<Blow, "replica" | "led" | "atMs" | "gapMs" | "backMs">;

/** The file of a replica after everything was stopped. Digests are hex SHA-256. */
export interface ReplicaFile {
  /** `order-9094` */
  readonly role: string;
  readonly bytes: number;
  /** Of the file as it is on disk. */
  readonly fileDigest: string;
  /** Of what it holds at the position that `bazaar verify` compared. */
  readonly journalDigest: string;
  readonly ordersDigest: string;
  readonly stocksDigest: string;
  readonly requestsDigest: string;
  /** Position of its newest entry. */
  readonly last: number;
  /** What is wrong inside, in words. */
  readonly problems: readonly string[];
}

export interface FailOver
  extends Pick<
    FailOverResult,
    "refusals" | "failures" | "matched" | "total" | "latency" | "timeline"
  > {
  readonly clients: number;
  readonly kills: readonly Kill[];
  /** Lookups, trades and checks, each with all its attempts. */
  readonly calls: number;
  /** Attempts that the client library repeated by itself. */
  readonly repeated: number;
  /** What `bazaar verify` said at the end. */
  readonly verdict: Verdict;
  /** One for each replica. */
  readonly files: readonly ReplicaFile[];
}

export interface Evaluation {
  readonly about: About;
  readonly clients: number;
  readonly iterations: number;
  readonly load: readonly LoadCell[];
  readonly replacement: Replacement;
  readonly failOver: FailOver;
}

/** True when every promise held: every call answered, every order found, all copies and files the same. */
export function allHeld({ load, replacement, failOver }: Evaluation): boolean {
  return (
    [...load, failOver].every(
      ({ failures, matched, total }) => failures === 0 && matched === total,
    ) &&
    replacement.unexpected.length === 0 &&
    failOver.verdict.ok &&
    sameContents(failOver.files)
  );
}

const CONTENTS = ["journalDigest", "ordersDigest", "stocksDigest", "requestsDigest"] as const;

/** True when the files hold the same, and nothing is wrong inside one. */
export function sameContents(files: readonly ReplicaFile[]): boolean {
  return files.every(
    (file) =>
      file.problems.length === 0 && CONTENTS.every((field) => file[field] === files[0]?.[field]),
  );
}
