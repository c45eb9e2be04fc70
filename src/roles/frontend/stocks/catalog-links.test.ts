// Real connections to catalogs that are played by the test. Which of them is
// asked is tested beside core/service/catalogs.ts.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { memoryCopies } from "../../../io/cache/memory.ts";
import { rememberingLog, SECRET, TEST_CLUSTER, type TestLog } from "../../../io/rpc/testing.ts";
import type { Peer } from "../../../io/rpc/types.ts";
import { RequestTraces } from "../http/request-traces.ts";
import { TestCatalog } from "../test-bazaar.ts";
import { TestMarket } from "../test-market.ts";
import { CatalogLinks, PeerCalls } from "./catalog-links.ts";
import { Stocks } from "./stocks.ts";

vi.setConfig({ testTimeout: 30_000 }); // a failed wait should say what it waited for
const WAIT = { timeout: 10_000, interval: 5 };
let log: TestLog;
let market: TestMarket;
let catalog: TestCatalog;
let links: CatalogLinks;
let stocks: Stocks<Peer>;

beforeEach(async () => {
  log = rememberingLog();
  market = new TestMarket();
  catalog = new TestCatalog(market);
  await catalog.open();
  stocks = new Stocks({
    copies: memoryCopies({ entriesMax: 10 }),
    catalogs: new PeerCalls(new RequestTraces(log.log)),
    orders: market,
    log: log.log,
    nowMs: () => performance.now(),
  });
  links = new CatalogLinks();
  links.connect({
    catalogs: [{ host: "127.0.0.1", port: catalog.port, name: "catalog" }],
    credentials: { secret: SECRET, certificates: null },
    identity: { role: "frontend", name: "frontend", cluster: TEST_CLUSTER },
    log: log.log,
    lookups: stocks.lookups,
    onUnreachable: () => {},
    onInvariantViolation: () => {},
  });
  await vi.waitFor(() => expect(stocks.asked).toBe("catalog"), WAIT);
});
afterEach(async () => {
  stocks.close();
  links.close();
  await catalog.close();
});

test("a lookup wakes the lease, fills the cache, and a copy then answers without a promise", async () => {
  const found = await stocks.lookup("FishCo");
  expect(found).toEqual({
    kind: "known",
    body: '{"data":{"name":"FishCo","price":17.99,"quantity":600}}',
  });
  expect(stocks.lease).toEqual({ catalog: "catalog", ms: expect.any(Number) });
  expect(stocks.lookup("FishCo")).toMatchObject({ position: 3 });
  expect(market.questions).toEqual([]);
});

test("lists and pages come from the catalog, too", async () => {
  const list = await stocks.list();
  expect(list.kind === "list" && JSON.parse(list.body.toString()).data).toHaveLength(3);
  expect(await stocks.page({ after: "BoarCo", limit: 1 })).toMatchObject({
    stocks: [{ name: "FishCo" }],
    next: "FishCo",
  });
  expect(market.questions).toEqual([]);
});

test("what a catalog has held is dropped, and it is told so", async () => {
  await stocks.lookup("FishCo");
  await catalog.hold(["FishCo"], 4);
  expect(stocks.lookup("FishCo")).toBeInstanceOf(Promise);
});

test("a catalog without a lease of its own has the leader asked", async () => {
  catalog.leased = false;
  expect(await stocks.lookup("FishCo")).toMatchObject({ kind: "known" });
  expect(market.questions).toMatchObject([{ kind: "lookup", name: "FishCo" }]);
  expect(stocks.asked).toBe("catalog");
});

test("a catalog that hangs is left aside, and asked again once it answers", async () => {
  catalog.hangs = true;
  expect(await stocks.lookup("FishCo")).toMatchObject({ kind: "known" });
  expect(stocks.asked).toBe(null);
  expect(log.count("Catalog doesn't answer; left aside")).toBe(1);
  catalog.hangs = false;
  await vi.waitFor(() => expect(stocks.asked).toBe("catalog"), WAIT);
  expect(log.count("Catalog answers again")).toBe(1);
});

test("a catalog that closes while it is asked is no answer, and is connected again", async () => {
  await stocks.lookup("FishCo");
  catalog.hangs = true;
  const lookup = stocks.lookup("BoarCo");
  await vi.waitFor(() => expect(catalog.lookups).toHaveLength(2), WAIT);
  await catalog.close();
  expect(await lookup).toMatchObject({ kind: "known" });
  await vi.waitFor(() => expect(links.peer(0)).toBeNull(), WAIT);
  expect(stocks.lease).toBeNull();
  catalog.hangs = false;
  await catalog.open();
  await vi.waitFor(() => expect(stocks.asked).toBe("catalog"), WAIT);
});
