import { describe, expect, test } from "vitest";
import { memberArguments } from "./etcd.ts";
import { parsePgbench } from "./postgres.ts";
import { parseRedisBenchmark } from "./redis.ts";

describe("pgbench", () => {
  const PRINTED = `transaction type: trade.sql
number of clients: 64
number of transactions actually processed: 4
number of failed transactions: 1 (0.025%)
latency average = 19.1 ms
initial connection time = 80.1 ms
tps = 3344.556677 (without initial connection time)
`;
  const LOG = [1_000, 2_000, 3_000, 40_000]
    .map((latencyUs, index) => `${index} ${index} ${latencyUs} 0 1700000000 123456\n`)
    .join("");

  test("its latencies are microseconds, in the third column", () => {
    expect(parsePgbench(PRINTED, LOG)).toEqual({
      okPerSecond: 3344.556677,
      p50Ms: 2,
      p99Ms: 40,
      maxMs: 40,
      notOk: 1,
    });
  });

  test("a run that never connected is an error, not read as zero trades", () => {
    expect(() => parsePgbench("pgbench: error: connection refused", "")).toThrow("no tps");
  });
});

describe("redis-benchmark", () => {
  const HEAD =
    '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"';

  test("columns are found by their names", () => {
    const csv = `${HEAD}\n"GET","62111.80","0.585","0.072","0.471","1.183","1.655","4.647"\n`;
    expect(parseRedisBenchmark(csv)).toEqual({
      okPerSecond: 62111.8,
      p50Ms: 0.471,
      p99Ms: 1.655,
      maxMs: 4.647,
    });
  });

  test("an older one without latencies is refused, not read as zero", () => {
    expect(() => parseRedisBenchmark('"test","rps"\n"GET","62111.80"\n')).toThrow(
      "no p50_latency_ms",
    );
    expect(() => parseRedisBenchmark(`${HEAD}\n`)).toThrow("no rps");
  });
});

test("each member of etcd is told of all the others", () => {
  const members = memberArguments("data", [1, 2, 3, 4, 5, 6]);
  const cluster =
    "--initial-cluster=member0=http://127.0.0.1:4,member1=http://127.0.0.1:5,member2=http://127.0.0.1:6";
  for (const args of members) expect(args).toContain(cluster);
  expect(members.map(([name]) => name)).toEqual([
    "--name=member0",
    "--name=member1",
    "--name=member2",
  ]);
});
