import { pino } from "pino";
import { expect, test } from "vitest";
import { AGAIN_MS, LeaderWait, SILENT_MS } from "./leader-wait.ts";

test("a process that waits for a leader says so after a while, and again only at long intervals", () => {
  const said: string[] = [];
  const log = pino({}, { write: (line: string) => said.push(JSON.parse(line).msg) });
  let now = 1_000;
  const up = new Set([9090]);
  const replicas = [9090, 9092];
  const wait = new LeaderWait({ log, nowMs: () => now, replicas, isUp: (id) => up.has(id) });
  const pass = (ms: number, isLed: boolean) => {
    for (let at = 0; at < ms; at += 50, now += 50) wait.tick(isLed);
  };
  pass(SILENT_MS, false);
  expect(said).toEqual([]);
  pass(50, false);
  expect(said).toEqual(["Waiting for an order leader - 9090 up, 9092 down"]);
  up.add(9092);
  pass(AGAIN_MS, false);
  expect(said.slice(1)).toEqual(["Waiting for an order leader - 9090 up, 9092 up"]);
  pass(50, true);
  pass(SILENT_MS, false);
  expect(said).toHaveLength(2);
});
