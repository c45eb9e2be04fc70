// Redis: GETs of values as long as a stock's answer, by its own redis-benchmark.
//
// Another protocol and another load than the others', so it is in no ratio: it
// says what a cache in memory behind a socket can do here.

import { freePorts } from "../../lab/ports.ts";
import { findProgram, Running, run } from "../../lab/process.ts";
import {
  CONNECTIONS,
  PREPARE_LIMIT_MS,
  REDIS_CALLS_PER_SECOND,
  START_LIMIT_MS,
  STOCKS,
} from "../limits.ts";
import type { Round, Sample, Subject } from "../round.ts";

const VALUE_BYTES = 66;
const SLOT = `redis.get.${CONNECTIONS}`;

export const redisSubject: Subject = {
  name: "redis",
  slots: [SLOT],
  missing() {
    if (findProgram("redis-server") === null) return "redis-server";
    return findProgram("redis-benchmark") === null ? "redis-tools" : null;
  },
  async run(round: Round) {
    const [port = 0] = await freePorts(1);
    const options = `--bind 127.0.0.1 --port ${port} --appendonly no --save`;
    const server = new Running("redis-server", [...options.split(" "), ""]);
    const benchmark = async (calls: number, test: string) => {
      const options = `-p ${port} -c ${CONNECTIONS} -n ${calls} -r ${STOCKS} -d ${VALUE_BYTES} -t ${test} --csv`;
      return run("redis-benchmark", options.split(" "), PREPARE_LIMIT_MS);
    };
    try {
      await server.ready("redis", () => /Ready to accept/.test(server.stdout), START_LIMIT_MS);
      await benchmark(REDIS_CALLS_PER_SECOND * round.timing.warmUpS, "set");
      const calls = Math.round(REDIS_CALLS_PER_SECOND * round.timing.slotS);
      const command = `redis-benchmark -p ${port} -c ${CONNECTIONS} -n ${calls} -r ${STOCKS} -d ${VALUE_BYTES} -t get --csv`;
      await round.measure(SLOT, command, async () =>
        parseRedisBenchmark(await benchmark(calls, "get")),
      );
    } finally {
      await server.stop();
    }
  },
};

/** The numbers of the GET line of `redis-benchmark --csv`. Throws when there is none. */
export function parseRedisBenchmark(csv: string): Sample {
  const rows = csv
    .split("\n")
    .filter((line) => line.startsWith('"'))
    .map((line) => line.split(",").map((field) => field.replaceAll('"', "")));
  const [names] = rows;
  const values = rows.find(([test]) => test === "GET");
  const number = (name: string) => {
    const value = Number(values?.[names?.indexOf(name) ?? -1]);
    if (!Number.isFinite(value)) throw new Error(`redis-benchmark printed no ${name}: ${csv}`);
    return value;
  };
  return {
    okPerSecond: number("rps"),
    p50Ms: number("p50_latency_ms"),
    p99Ms: number("p99_latency_ms"),
    maxMs: number("max_latency_ms"),
  };
}
