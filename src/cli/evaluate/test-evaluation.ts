// A small evaluation for the tests, in which every promise held.

import type { Evaluation, LoadCell, ReplicaFile } from "./results.ts";

export function replicaFile(id: number, changes: Partial<ReplicaFile> = {}): ReplicaFile {
  return {
    role: `order-${id}`,
    bytes: 4_096 + id,
    fileDigest: `f${id}`.repeat(12),
    journalDigest: "1a".repeat(32),
    ordersDigest: "2b".repeat(32),
    stocksDigest: "3c".repeat(32),
    requestsDigest: "4d".repeat(32),
    last: 250,
    problems: [],
    ...changes,
  };
}

export function cell(hasCache: boolean, probability: number, meanMs: number): LoadCell {
  const lookup = { count: 100, mean: meanMs, p50: meanMs, p95: 2 * meanMs, p99: 3 * meanMs };
  const none = { count: 0, mean: null, p50: null, p95: null, p99: null };
  return {
    hasCache,
    probability,
    requests: 180,
    requestsPerSecond: Math.round(1_000 / meanMs),
    seconds: 1.2,
    refusals: 0,
    failures: 0,
    matched: 40,
    total: 40,
    hits: hasCache ? 75 : 0,
    misses: 25,
    lookup,
    trade: probability > 0 ? { ...lookup, mean: 5 } : none,
  };
}

export function evaluation(changes: Partial<Evaluation> = {}): Evaluation {
  return {
    about: {
      date: "2024-05-06T07:08:09.000Z",
      bazaar: "0.1.0",
      node: "v26.1.0",
      system: "Linux 6.1 x64",
      processor: "A | processor <fast>",
      processors: 2,
      memoryGiB: 4,
      loadBefore: 0.25,
      commands: ["npx bazaar evaluate --clients 5"],
    },
    clients: 5,
    iterations: 20,
    load: [cell(true, 0, 1), cell(true, 0.8, 3), cell(false, 0, 2), cell(false, 0.8, 3.1)],
    replacement: {
      capacity: 1,
      stocks: ["FishCo", "BoarCo"],
      steps: [
        { action: "lookup", name: "FishCo", cached: ["FishCo"] },
        { action: "lookup", name: "BoarCo", cached: ["BoarCo"] },
      ],
      unexpected: [],
    },
    failOver: {
      clients: 5,
      kills: [
        { replica: 9094, led: true, atMs: 1_000, gapMs: 150.25, backMs: 900 },
        { replica: 9090, led: false, atMs: 3_000, gapMs: 8, backMs: 800 },
        { replica: 9092, led: true, atMs: 5_000, gapMs: 210, backMs: 850 },
      ],
      calls: 1_000,
      refusals: 1,
      failures: 0,
      repeated: 0,
      matched: 300,
      total: 300,
      latency: { count: 700, mean: 4, p50: 3, p95: 9, p99: 12 },
      timeline: [
        { atMs: 0, answers: 10, worstMs: 4 },
        { atMs: 1_100, answers: 5, worstMs: 150.25 },
      ],
      verdict: { ok: true, position: 250, orders: 300, differences: [] },
      files: [9090, 9092, 9094].map((id) => replicaFile(id)),
    },
    ...changes,
  };
}
