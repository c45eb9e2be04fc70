import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { listen } from "../io/rpc/listen.ts";
import { TEST_CLUSTER } from "../io/rpc/testing.ts";
import { type Health, orderContract } from "./contract.ts";
import { AGAIN_MS, findLeader, LeaderWait, SILENT_MS } from "./leader.ts";

const SECRET = "only-this-test-knows-it";
const HOST = "127.0.0.1";
const LIMIT_MS = 2_000;
const silent = pino({ level: "silent" });

/** A replica that answers `health` so, or never. */
async function replica(id: number, health: Partial<Health> | null) {
  const answer = { replica: id, leads: false, leader: null, epoch: 1, lastPosition: 9 };
  const listener = await listen({
    host: HOST,
    port: 0,
    credentials: { secret: SECRET, certificates: null },
    identity: { role: "order", name: `order-${id}`, cluster: TEST_CLUSTER },
    contract: { health: orderContract.health },
    handlers: {
      health: () =>
        health === null
          ? new Promise<Health>(() => {})
          : { ...answer, commitPosition: 8, ...health },
    },
    log: silent,
  });
  onTestFinished(() => listener.close());
  return { host: HOST, port: listener.port, id, name: `order-${id}` };
}

const search = (others: { host: string; port: number; id: number; name: string }[]) =>
  findLeader({
    replicas: others,
    identity: { role: "order", name: "order-9090", cluster: TEST_CLUSTER },
    credentials: { secret: SECRET, certificates: null },
    limitMs: LIMIT_MS,
  });

test("a leader is found, and how far it has committed", async () => {
  const others = [await replica(9092, {}), await replica(9094, { leads: true })];
  expect(await search(others)).toEqual({ replica: 9094, commitPosition: 8 });
});

test("a replica that follows somebody is not taken for a leader", async () => {
  const others = [await replica(9092, { leader: 9094 }), await replica(9094, {})];
  expect(await search(others)).toBeNull();
});

test("a replica that isn't up doesn't hold up the start", async () => {
  const up = await replica(9092, {});
  const startedAt = performance.now();
  expect(await search([up, { host: HOST, port: 1, id: 9094, name: "order-9094" }])).toBeNull();
  expect(performance.now() - startedAt).toBeLessThan(1_500);
});

test("a replica that hangs doesn't hide the leader, and holds up the start for two seconds at most", async () => {
  const hangs = await replica(9092, null);
  expect(await search([hangs, await replica(9094, { leads: true })])).toMatchObject({
    replica: 9094,
  });
  expect(await search([hangs])).toBeNull();
});

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
