// The front end as a process would run it, on real ports: with an order
// replica and a catalog played by the test, and a real Redis.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { freePorts } from "../../../lab/ports.ts";
import { RedisServer } from "../../../lab/redis.ts";
import { OtherCluster } from "../../core/replication/members.ts";
import { listen } from "../../io/rpc/listen.ts";
import { rememberingLog, SECRET, type TestLog } from "../../io/rpc/testing.ts";
import type { ClusterConfig } from "../config.ts";
import type { RunningRole } from "../role.ts";
import { CLOSE_GRACE_MS } from "./limits.ts";
import { startFrontend } from "./main.ts";
import { REPLICA, TestCatalog, TestReplica } from "./test-bazaar.ts";
import { TestMarket } from "./test-market.ts";

vi.setConfig({ testTimeout: 30_000 }); // a failed wait should say what it waited for
const WAIT = { timeout: 10_000, interval: 10 };

let market: TestMarket;
let catalog: TestCatalog;
let replica: TestReplica;
let log: TestLog;
let url: string;
const toClose: (() => unknown)[] = [];

beforeEach(async () => {
  market = new TestMarket();
  catalog = new TestCatalog(market);
  replica = new TestReplica(market, catalog);
  log = rememberingLog();
  await Promise.all([catalog.open(), replica.open()]);
  toClose.push(() => Promise.all([catalog.close(), replica.close()]));
});
afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close();
});

async function start(
  cache: ClusterConfig["cache"] = { kind: "memory", entriesMax: 100 },
  port?: number,
): Promise<RunningRole> {
  const role = await startOnly(cache, port);
  // Copies are kept from the first lease on, which somebody has to ask for.
  await fetch(`${url}/stocks`);
  await vi.waitFor(() => expect(log.count("Cache begun anew under a new lease")).toBe(1), WAIT);
  return role;
}

async function startOnly(
  cache: ClusterConfig["cache"] = { kind: "memory", entriesMax: 100 },
  port?: number,
  replicas: readonly number[] = [REPLICA],
): Promise<RunningRole> {
  const host = "127.0.0.1";
  const place = { host, port: port ?? (await freePorts(1))[0] ?? 0, name: "frontend" };
  url = `http://${host}:${place.port}`;
  const config: ClusterConfig = {
    data: "/nowhere",
    frontends: [place],
    catalogs: [{ host, port: catalog.port, name: "catalog" }],
    replicas: replicas.map((id) => ({ host, port: replica.port, id, name: `order-${id}` })),
    stocks: "",
    cache,
    corsOrigins: [],
    tls: null,
    peerCertificate: null,
    ca: null,
    insecure: false,
    allowedHosts: [],
    rateLimit: { unitsPerS: 0, loopback: false },
    trustProxy: [],
    engine: { kind: "builtin" },
    drainMs: 0,
    logLevel: "debug",
  };
  const role = await startFrontend({
    config,
    name: "frontend",
    credentials: { secret: SECRET, certificates: null },
    log: log.log,
  });
  toClose.push(() => role.close());
  return role;
}

async function body(path: string): Promise<string> {
  return await (await fetch(url + path)).text();
}

async function trade(name: string, type: string, quantity: number): Promise<string> {
  const content = JSON.stringify({ name, quantity, type });
  const response = await fetch(`${url}/orders`, { method: "POST", body: content });
  return await response.text();
}

/** What the log says from now on, without fields; the access line without its time. */
function transcript(): () => string[] {
  const from = log.lines.length;
  return () =>
    log.lines.slice(from).map((line) => line.msg.replace(/\[\d.*?\]/, "[01/May/2023 15:15:06]"));
}

function fish(quantity: number): string {
  return `{"data":{"name":"FishCo","price":17.99,"quantity":${quantity}}}`;
}

const received = (path: string) => `Received GET request on url ${path}`;
const access = (line: string) => `127.0.0.1 - - [01/May/2023 15:15:06] "${line} HTTP/1.1" 200 -`;

function missLines(quantity: number): string[] {
  return [
    received("/stocks/FishCo"),
    "Checking Cache",
    "Cache response - None",
    "Calling lookup service",
    "Adding lookup response to cache",
    `Received lookup response - 200 ${fish(quantity)}`,
    access("GET /stocks/FishCo"),
    "Finished GET request",
  ];
}

function hitLines(quantity: number): string[] {
  return [
    received("/stocks/FishCo"),
    "Checking Cache",
    `Cache response - ${fish(quantity)}`,
    "Getting cache response",
    `Got lookup response from cache - ${fish(quantity)}`,
    `Received lookup response - 200 ${fish(quantity)}`,
    access("GET /stocks/FishCo"),
    "Finished GET request",
  ];
}

describe("the lab's first part", () => {
  test("a lookup misses and fills, the next one hits", async () => {
    await start();
    const said = transcript();
    expect(await body("/stocks/FishCo")).toBe(fish(600));
    expect(await body("/stocks/FishCo")).toBe(fish(600));
    expect(said()).toEqual([...missLines(600), ...hitLines(600)]);
    const first = log.lines.map((line) => line.msg);
    const leader = first.indexOf(`Order service leader found - ${REPLICA} order`);
    const open = first.indexOf(`Starting threaded httpd server on ${url.slice("http://".length)}`);
    expect(leader).toBeGreaterThanOrEqual(0);
    expect(open).toBeGreaterThan(leader);
  });

  test("a trade's invalidation comes before its answer; then miss, fill, hit", async () => {
    await start();
    await body("/stocks/FishCo");
    const said = transcript();
    expect(await trade("FishCo", "sell", 10)).toBe('{"data":{"transaction_number":1}}');
    expect(await body("/stocks/FishCo")).toBe(fish(610));
    expect(await body("/stocks/FishCo")).toBe(fish(610));
    expect(said()).toEqual([
      "Received POST request on url /orders",
      'data - {"name":"FishCo","quantity":10,"type":"sell"}',
      "Calling trade service",
      "Making Cache invalid",
      "Cache Invalidated in memory",
      'Received trade response - 200 {"data":{"transaction_number":1}}',
      access("POST /orders"),
      "Finished POST request",
      ...missLines(610),
      ...hitLines(610),
    ]);
    const invalidated = log.lines.find((line) => line.msg === "Making Cache invalid");
    expect(invalidated).toMatchObject({ stock: "FishCo", position: 4 });
  });

  test("a client's invalidation is a request like any other", async () => {
    await start();
    const said = transcript();
    expect(await body("/cache_invalid/FishCo")).toBe('{"data":"cache invalidation successful"}');
    expect(said()).toEqual([
      received("/cache_invalid/FishCo"),
      "Making Cache invalid",
      "Cache Invalidated in memory",
      access("GET /cache_invalid/FishCo"),
      "Finished GET request",
    ]);
  });
});

test("lookups go on through a catalog's death and return, and never show the past", async () => {
  await start();
  expect(await body("/stocks/FishCo")).toBe(fish(600));
  await catalog.close();
  await vi.waitFor(() => expect(log.count("Catalog connection closed")).toBe(1), WAIT);
  await trade("FishCo", "buy", 10); // no catalog tells of it
  expect(await body("/stocks/FishCo")).toBe(fish(590));
  await catalog.open();
  await vi.waitFor(() => expect(log.count("Catalog connected")).toBe(2), WAIT);
  expect(await body("/stocks/FishCo")).toBe(fish(590));
  await trade("FishCo", "buy", 10);
  expect(await body("/stocks/FishCo")).toBe(fish(580));
  expect(catalog.lookups).toHaveLength(3);
});

test("lookups with copies in Redis go on through its death and return, and never show the past", async () => {
  const redis = await RedisServer.prepare();
  toClose.push(() => redis.kill());
  await redis.start();
  await start({ kind: "redis", url: redis.url });
  const hits = () => log.count("Getting cache response");
  expect(await body("/stocks/FishCo")).toBe(fish(600));
  expect(await body("/stocks/FishCo")).toBe(fish(600));
  expect(hits()).toBe(1);
  await redis.kill();
  expect(await body("/stocks/FishCo")).toBe(fish(600));
  await trade("FishCo", "buy", 10);
  expect(await body("/stocks/FishCo")).toBe(fish(590));
  await redis.start();
  await vi.waitFor(async () => {
    expect(await body("/stocks/FishCo")).toBe(fish(590));
    expect(hits()).toBeGreaterThan(1);
  }, WAIT);
  expect(log.lines.filter((line) => line.level === 40)).toHaveLength(1);
  expect(log.lines.map((line) => line.msg)).toContain("Cache Invalidated in redis");
});

test("the password of Redis comes from a file of the owner's alone, else the front end doesn't start", async () => {
  const redis = await RedisServer.prepare("--requirepass", "pass word");
  toClose.push(() => redis.kill());
  await redis.start();
  const folder = mkdtempSync(join(tmpdir(), "bazaar-password-"));
  toClose.push(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "redis");
  const cache = { kind: "redis", url: redis.url, password: { file } } as const;
  await expect(start(cache)).rejects.toThrow(`${file} is missing: put the password of Redis there`);
  writeFileSync(file, "pass word\n");
  chmodSync(file, 0o644);
  await expect(start(cache)).rejects.toThrow(
    `is open to other users (mode 0644): chmod 600 ${file}`,
  );
  chmodSync(file, 0o600);
  await start(cache);
  expect(await body("/stocks/FishCo")).toBe(fish(600));
  expect(await body("/stocks/FishCo")).toBe(fish(600));
  expect(log.count("Getting cache response")).toBe(1);
  writeFileSync(file, "\n");
  await expect(start(cache)).rejects.toThrow(`${file} holds no password of 1 to 512 characters`);
});

test("without a leader it opens all the same, and says that there is none", async () => {
  await replica.close();
  const startedMs = performance.now();
  await start();
  expect(performance.now() - startedMs).toBeGreaterThan(1_500);
  expect((await fetch(`${url}/get_order_leader`)).status).toBe(503);
  expect((await fetch(`${url}/readyz`)).status).toBe(503);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect(await body("/stocks/FishCo")).toBe(fish(600)); // a catalog will do for lookups
  await replica.open();
  await vi.waitFor(async () => {
    expect(await body("/get_order_leader")).toBe(`{"data":{"order_leader":${REPLICA}}}`);
  }, WAIT);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
});

test("a front end of other replicas than the bazaar's is refused, and told which those are", async () => {
  for (const replicas of [[9090], [9090, REPLICA]]) {
    const started = startOnly(undefined, undefined, replicas);
    await expect(started).rejects.toThrow(
      `belongs to a cluster of the replicas ${REPLICA}, and this process is configured with ${replicas}: give it --replicas ${REPLICA}`,
    );
    await expect(started).rejects.toBeInstanceOf(OtherCluster);
  }
});

test("a replica of another cluster doesn't stop a front end that the others accept", async () => {
  await catalog.close();
  const stray = await listen({
    host: "127.0.0.1",
    port: catalog.port,
    credentials: { secret: SECRET, certificates: null },
    identity: { role: "catalog", name: "catalog", cluster: { name: "other", members: [9090] } },
    contract: {},
    handlers: {},
    log: log.log,
  });
  toClose.push(() => stray.close());
  const role = await startOnly();
  await vi.waitFor(() => expect(log.count("Can't connect")).toBeGreaterThan(0), WAIT);
  expect(await Promise.race([role.failed, fetch(`${url}/readyz`)])).toMatchObject({ status: 200 });
});

test("a port in use is an error that names it, and nobody was connected to", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as AddressInfo;
  try {
    const error = await start(undefined, port).catch((reason) => reason);
    expect(error).toMatchObject({ code: "EADDRINUSE", port });
    expect(log.count("Connection opened")).toBe(0);
  } finally {
    other.close();
  }
});

test("a front end that the configuration doesn't name doesn't start", async () => {
  const config = { frontends: [] } as unknown as ClusterConfig;
  const options = {
    config,
    name: "frontend-8001",
    credentials: { secret: SECRET, certificates: null },
    log: log.log,
  };
  await expect(startFrontend(options)).rejects.toThrow("frontend-8001");
});

describe("closing", () => {
  test("a request under way is answered, and its connection doesn't hold the process", async () => {
    const role = await start();
    const agent = new Agent({ keepAlive: true });
    toClose.push(() => agent.destroy());
    catalog.hangs = true;
    const answer = new Promise<number | undefined>((resolve, reject) => {
      get(`${url}/stocks/FishCo`, { agent }, (response) => {
        response.resume();
        response.once("end", () => resolve(response.statusCode));
      }).once("error", reject);
    });
    await vi.waitFor(() => expect(catalog.lookups).toHaveLength(1), WAIT);
    const startedMs = performance.now();
    const closed = role.close();
    catalog.hangs = false;
    expect(await answer).toBe(200);
    await closed;
    expect(performance.now() - startedMs).toBeLessThan(CLOSE_GRACE_MS);
    await expect(fetch(url)).rejects.toThrow();
  });

  test("a trade that nobody answers is told so before the process goes", async () => {
    const role = await start();
    replica.hangs = true;
    const answer = fetch(`${url}/orders`, {
      method: "POST",
      headers: { "idempotency-key": "mine" },
      body: '{"name":"FishCo","quantity":1,"type":"buy"}',
    });
    await vi.waitFor(() => expect(log.count("Calling trade service")).toBe(1), WAIT);
    await role.close();
    const response = await answer;
    expect(response.status).toBe(503);
    expect(response.headers.get("idempotency-key")).toBe("mine");
  });
});
