// Real connections to catalogs that are played by the test.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LEASE_ASK_MS, LEASE_MARGIN_MS, LEASE_MS } from "../../core/coherence/limits.ts";
import { BEAT_MS, CATALOG_TICK_MS } from "../../core/service/limits.ts";
import { connect } from "../../io/rpc/connect.ts";
import { rememberingLog, SECRET, TEST_CLUSTER, type TestLog } from "../../io/rpc/testing.ts";
import type { Link, Peer } from "../../io/rpc/types.ts";
import { CatalogLinks } from "./catalog-links.ts";
import { CATALOG_ANSWER_LIMIT_MS, CATALOG_UNLEASED_LIMIT_MS } from "./limits.ts";
import { RequestTraces } from "./request-traces.ts";
import { TestCatalog } from "./test-bazaar.ts";
import { TestMarket } from "./test-market.ts";

vi.setConfig({ testTimeout: 30_000 }); // a failed wait should say what it waited for
const WAIT = { timeout: 10_000, interval: 5 };
let log: TestLog;
let lost: number;
let nowMs: number;
let asks: number;
let catalogs: CatalogLinks;
const catalogNamed = (name = "catalog") => new TestCatalog(new TestMarket(), name);
const toClose: (() => unknown)[] = [];

beforeEach(() => {
  log = rememberingLog();
  lost = 0;
  asks = 0;
  nowMs = 0;
  catalogs = new CatalogLinks({
    traces: new RequestTraces(log.log),
    log: log.log,
    lost: () => lost++,
    asks: () => asks++,
    nowMs: () => nowMs,
  });
});
afterEach(async () => {
  catalogs.close();
  for (const close of toClose.splice(0).reverse()) await close();
});

async function connectTo(catalog: TestCatalog): Promise<Link> {
  await catalog.open();
  toClose.push(() => catalog.close());
  const opened = Promise.withResolvers<Peer>();
  const link = connect({
    host: "127.0.0.1",
    port: catalog.port,
    secret: SECRET,
    identity: { role: "frontend", name: "frontend", cluster: TEST_CLUSTER },
    contract: {},
    handlers: {},
    log: log.log,
    onOpen: (peer) => {
      catalogs.opened(peer);
      opened.resolve(peer);
    },
    onClose: (peer) => catalogs.closed(peer),
  });
  toClose.push(() => link.close());
  await opened.promise;
  return link;
}

test("without a catalog there is no answer, and no error", async () => {
  expect(catalogs.usable).toBe(false);
  expect(await catalogs.lookup(["FishCo"])).toBeNull();
  expect(await catalogs.stocks({ after: "", limit: 10 })).toBeNull();
});

test("of several catalogs the first is asked, and the next when it goes", async () => {
  const [first, second] = [catalogNamed(), catalogNamed("catalog-9097")];
  await connectTo(first);
  await connectTo(second);
  expect(await catalogs.lookup(["Ash"])).toEqual({ kind: "stocks", stocks: [null], position: 3 });
  await first.close();
  await vi.waitFor(() => expect(lost).toBe(1), WAIT);
  expect(catalogs.usable).toBe(true);
  await catalogs.lookup(["FishCo"]);
  expect([first.lookups.length, second.lookups.length]).toEqual([1, 1]);
  expect(asks).toBe(2);
  expect(catalogs.asked?.peer.identity.name).toBe("catalog-9097");
});

test("a catalog without a lease answers nothing, and isn't left aside for it", async () => {
  const catalog = catalogNamed();
  await connectTo(catalog);
  catalog.leased = false;
  expect(await catalogs.lookup(["Ash"])).toBeNull();
  expect(await catalogs.stocks({ after: "", limit: 10 })).toBeNull();
  expect(catalogs.usable).toBe(true);
  expect(lost).toBe(0);
});

test("a catalog that comes back doesn't take over from the one that served meanwhile", async () => {
  const [first, second] = [catalogNamed(), catalogNamed("catalog-9097")];
  await connectTo(first);
  await connectTo(second);
  await first.close();
  await vi.waitFor(() => expect(lost).toBe(1), WAIT);
  await first.open();
  await vi.waitFor(() => expect(log.count("Catalog connected")).toBe(3), WAIT);
  await catalogs.lookup(["FishCo"]);
  expect([first.lookups.length, second.lookups.length]).toEqual([0, 1]);
});

test("a catalog closing while it is asked is no answer, and all copies are suspect", async () => {
  const catalog = catalogNamed();
  await connectTo(catalog);
  catalog.hangs = true;
  const lookup = catalogs.lookup(["FishCo"]);
  await vi.waitFor(() => expect(catalog.lookups).toHaveLength(1), WAIT);
  await catalog.close();
  expect(await lookup).toBeNull();
  await vi.waitFor(() => expect(lost).toBe(1), WAIT);
  expect(catalogs.usable).toBe(false);
});

test("a catalog that hangs is asked once, then left aside until it answers again", async () => {
  const catalog = catalogNamed();
  await connectTo(catalog);
  catalog.hangs = true;
  expect(await Promise.all([catalogs.lookup(["A"]), catalogs.lookup(["B"])])).toEqual([null, null]);
  expect(lost).toBe(1); // it may have failed to push, too
  expect(catalogs.usable).toBe(false);
  expect(await catalogs.lookup(["C"])).toBeNull();
  expect(catalog.lookups).toHaveLength(2);
  catalog.hangs = false;
  await vi.waitFor(() => expect(catalogs.usable).toBe(true), WAIT);
  expect(await catalogs.lookup(["D"])).toEqual({ kind: "stocks", stocks: [null], position: 3 });
});

test("a catalog that hangs and then closes is forgotten, probes and all", async () => {
  const catalog = catalogNamed();
  await connectTo(catalog);
  catalog.hangs = true;
  expect(await catalogs.stocks({ after: "", limit: 10 })).toBeNull();
  await catalog.close();
  await vi.waitFor(() => expect(lost).toBe(2), WAIT);
  catalog.hangs = false;
  await catalog.open();
  await vi.waitFor(() => expect(catalogs.usable).toBe(true), WAIT);
  expect(log.count("Catalog answers again")).toBe(0);
});

test("a catalog that stays without a lease is asked for ever, though another has one", async () => {
  const [first, second] = [catalogNamed(), catalogNamed("catalog-9097")];
  await connectTo(first);
  await connectTo(second);
  first.leased = false;
  expect(await catalogs.lookup(["A"])).toBeNull();
  nowMs += CATALOG_UNLEASED_LIMIT_MS - 1;
  expect(await catalogs.lookup(["B"])).toBeNull();
  expect([lost, asks]).toEqual([0, 1]);
  nowMs += 1;
  expect(await catalogs.lookup(["C"])).toBeNull();
  expect([lost, asks]).toEqual([1, 2]);
  expect(catalogs.asked?.peer.identity.name).toBe("catalog-9097");
  expect(await catalogs.lookup(["D"])).toMatchObject({ kind: "stocks" });
  expect([first.lookups.length, second.lookups.length]).toEqual([3, 1]);
  // It is the last now, and asked when the others are gone.
  await second.close();
  await vi.waitFor(() => expect(catalogs.asked?.peer.identity.name).toBe("catalog"), WAIT);
});

test("a catalog that is without a lease now and then goes behind another", async () => {
  const [first, second] = [catalogNamed(), catalogNamed("catalog-9097")];
  await connectTo(first);
  await connectTo(second);
  for (const leased of [false, true, false]) {
    first.leased = leased;
    await catalogs.lookup(["A"]);
    nowMs += CATALOG_UNLEASED_LIMIT_MS;
  }
  expect(catalogs.asked?.peer.identity.name).toBe("catalog");
  expect(second.lookups).toEqual([]);
});

test("what the next in turn has shown before counts against it once it is asked", async () => {
  const [first, second] = [catalogNamed(), catalogNamed("catalog-9097")];
  await connectTo(first);
  await connectTo(second);
  first.leased = second.leased = false;
  await catalogs.lookup(["A"]);
  nowMs += CATALOG_UNLEASED_LIMIT_MS;
  await catalogs.lookup(["B"]);
  await catalogs.lookup(["C"]);
  expect(catalogs.asked?.peer.identity.name).toBe("catalog-9097");
  expect(second.lookups).toHaveLength(1);
});

test("a catalog alone is left because it has no lease", async () => {
  await connectTo(Object.assign(catalogNamed(), { leased: false }));
  for (let asked = 0; asked < 3; asked++) {
    expect(await catalogs.lookup(["A"])).toBeNull();
    nowMs += CATALOG_UNLEASED_LIMIT_MS;
  }
  expect(catalogs.usable).toBe(true);
  expect([lost, asks]).toEqual([0, 1]);
});

test("a catalog that waits for a dead view, or for the leases of the last leader, passes for a bad one", () => {
  const deadViewMs = LEASE_MS + LEASE_MARGIN_MS + BEAT_MS + CATALOG_TICK_MS;
  expect(CATALOG_ANSWER_LIMIT_MS).toBeGreaterThan(deadViewMs);
  expect(CATALOG_UNLEASED_LIMIT_MS).toBeGreaterThan(LEASE_MS + LEASE_MARGIN_MS + LEASE_ASK_MS);
});
