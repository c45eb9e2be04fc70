// The evaluation's own answers, in words, made from the measured numbers: where
// the numbers say no, so do the words.

import {
  type Evaluation,
  type FailOver,
  type Kill,
  type LoadCell,
  type Replacement,
  sameContents,
} from "./results.ts";

export interface Answer {
  readonly question: string;
  readonly text: string;
}

/** Means this close together are called the same: less than a run on a shared machine can tell. */
const SAME_WITHIN = 1.1;
/** Why digests of the files say nothing. */
const FILES_DIFFER =
  "The files themselves are not the same byte for byte, and can't be: each holds its replica's own id and promise, and SQLite lays out its pages as that replica's writes came.";

export function answersTo({ load, replacement, failOver }: Evaluation): readonly Answer[] {
  return [
    { question: "Can clients notice a failure?", text: noticed(failOver) },
    { question: "Do all replicas end with the same data?", text: sameData(failOver) },
    { question: "What does the cache bring?", text: cacheBrings(load) },
    { question: "What leaves a cache that is full?", text: leaves(replacement) },
  ];
}

/** `1.23 ms`, with as many digits as mean something; "-" when there was nothing to measure. */
export function milliseconds(ms: number | null): string {
  if (ms === null) return "-";
  return `${ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

export function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

function noticed(failOver: FailOver): string {
  const { kills, calls, failures, repeated, latency, matched, total } = failOver;
  const led = kills.filter((kill) => kill.led);
  const followed = kills.filter((kill) => !kill.led);
  const struck = `${count(kills.length, "replica")} ${kills.length === 1 ? "was" : "were"} killed, ${count(led.length, "time")} the leader`;
  const verdict =
    failures === 0
      ? `Not by an error: ${struck}, and each of ${calls} calls was answered.`
      : `Yes: ${struck}, and ${failures} of ${calls} calls had no answer.`;
  const waits = [
    led.length > 0 ? `${longest(led)} when the leader was killed` : "",
    followed.length > 0 ? `${longest(followed)} when a follower was` : "",
  ].filter(Boolean);
  return [
    verdict,
    `What a client can notice is a wait: the longest call took ${waits.join(", ")}; half of all calls took at most ${milliseconds(latency.p50)}, 99 of 100 at most ${milliseconds(latency.p99)}.`,
    repeated === 0
      ? "No attempt had to be repeated: the front ends held the calls until there was a leader again."
      : `The client library repeated ${count(repeated, "attempt")} by itself.`,
    matched === total
      ? `At the end the clients asked for each of their ${total} orders, and found all as they had made them.`
      : `At the end the clients asked for each of their ${total} orders, and did not find ${total - matched} of them as they had made them.`,
  ].join(" ");
}

/** One number, or from the least to the greatest. */
function longest(kills: readonly Kill[]): string {
  const gaps = kills.map(({ gapMs }) => gapMs);
  const [least, greatest] = [Math.min(...gaps), Math.max(...gaps)].map(milliseconds);
  return least === greatest ? `${least}` : `${least} to ${greatest}`;
}

function sameData({ kills, verdict, files }: FailOver): string {
  const when = `After ${count(kills.length, "kill")}`;
  if (verdict.ok && !sameContents(files)) {
    return `No. ${when} \`bazaar verify\` found no difference, but the files of the stopped replicas differ in what they hold, or hold something wrong: see their table.`;
  }
  if (verdict.ok) {
    return `Yes. ${when} all replicas and the catalog were compared at position ${verdict.position} of the journal: the same entries, the same ${verdict.orders} orders, the same stocks, byte by byte of their canonical form; and so were the replicas' files once all had stopped. ${FILES_DIFFER}`;
  }
  const [first = "nothing could be compared"] = verdict.differences;
  return `No. ${when} \`bazaar verify\` found ${count(verdict.differences.length, "difference")}; the first: ${first}.`;
}

function cacheBrings(load: readonly LoadCell[]): string {
  const probabilities = [...new Set(load.map(({ probability }) => probability))].sort(
    (a, b) => a - b,
  );
  const compared = [probabilities[0], probabilities.at(-1)]
    .filter((probability, index, all) => all.indexOf(probability) === index)
    .flatMap((probability) => {
      const cell = (hasCache: boolean) =>
        load.find((each) => each.hasCache === hasCache && each.probability === probability);
      const [on, off] = [cell(true), cell(false)];
      return on && off ? [comparison(on, off)] : [];
    });
  return compared.length > 0 ? compared.join(" ") : "Nothing was compared.";
}

function comparison(on: LoadCell, off: LoadCell): string {
  const asked = on.hits + on.misses;
  const share = asked > 0 ? percent(on.hits / asked) : "none";
  const means = `mean ${milliseconds(on.lookup.mean)} with it, ${milliseconds(off.lookup.mean)} without`;
  const rates = `${on.requestsPerSecond} requests/s with it, ${off.requestsPerSecond} without`;
  return `At p = ${percent(on.probability)} the cache answered ${share} of the lookups, which ${difference(on.lookup.mean, off.lookup.mean)} (${means}; ${rates}).`;
}

function difference(on: number | null, off: number | null): string {
  if (on === null || off === null || on <= 0 || off <= 0) return "could not be compared";
  if (off / on >= SAME_WITHIN) return `were ${(off / on).toFixed(1)} times as fast`;
  if (on / off >= SAME_WITHIN) return `were ${(on / off).toFixed(1)} times as slow`;
  return "were no faster and no slower than this run could tell";
}

function leaves({ capacity, steps, unexpected }: Replacement): string {
  const rule =
    "what was used last stays, the least recently used goes, and a trade takes out its own stock only";
  if (unexpected.length === 0) {
    return `The least recently used stock. After each of ${steps.length} requests a cache of ${capacity} stocks held exactly what the rule says: ${rule}.`;
  }
  return `Not always what the rule says (${rule}): after ${unexpected.length} of ${steps.length} requests the cache held something else, first after request ${unexpected[0]}.`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
