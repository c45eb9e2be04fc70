// The interleavings of fetches, holds, leases and lost catalogs, each driven
// step by step: the test is the catalog and the leader. Longer than 400 lines
// because all interleavings are told with the same catalog and leader.

import pino from "pino";
import { beforeEach, describe, expect, test } from "vitest";
import { LEASE_MS } from "../../core/coherence/limits.ts";
import type { StocksAnswer, StocksQuestion } from "../../core/market/stock-lists.ts";
import type { Stock } from "../../core/market/types.ts";
import { memoryCopies } from "../../io/cache/memory.ts";
import type { StockCopies, StockCopy } from "../../io/cache/types.ts";
import type { CatalogLookup, Catalogs } from "./catalog-links.ts";
import type { Asked } from "./orders.ts";
import { type Lookup, StockCache, type StockList } from "./stock-cache.ts";

const log = pino({ level: "silent" });

/** A call to the catalog that waits for the test to answer it. */
interface Call {
  readonly names: readonly string[];
  readonly answer: (result: Omit<CatalogLookup, "kind"> | null) => void;
}

class Driven implements Catalogs {
  usable = true;
  readonly calls: Call[] = [];
  readonly listCalls: {
    readonly question: StocksQuestion;
    readonly answer: (result: StocksAnswer | null) => void;
  }[] = [];

  lookup(names: readonly string[]): Promise<CatalogLookup | null> {
    return new Promise((resolve) => {
      this.calls.push({
        names,
        answer: (result) => resolve(result && { kind: "stocks", ...result }),
      });
    });
  }

  stocks(question: StocksQuestion): Promise<StocksAnswer | null> {
    return new Promise((answer) => this.listCalls.push({ question, answer }));
  }
}

const allOf = (stocks: Stock[], position: number): StocksAnswer => ({
  kind: "stocks",
  stocks,
  next: null,
  total: stocks.length,
  position,
});

let catalog: Driven;
let leaderStock: Stock | null;
let leaderAsked: number;
let cache: StockCache;
let copies: StockCopies;
let nowMs: number;

function open(store: StockCopies = memoryCopies({ entriesMax: 100 })): void {
  copies = store;
  cache = new StockCache({
    copies,
    catalogs: catalog,
    orders: {
      async ask(question): Promise<Asked> {
        leaderAsked++;
        const answer =
          question.kind === "stocks"
            ? allOf(leaderStock ? [leaderStock] : [], 99)
            : { kind: "stock" as const, stock: leaderStock, position: 99 };
        return { kind: "answer", answer };
      },
    },
    log,
    nowMs: () => nowMs,
  });
  lease();
}

/** The catalog grants a lease, renewing the one there is. */
function lease(catalogName = "catalog", sent = 0): void {
  const { ask } = cache.askLease(catalogName);
  cache.granted(catalogName, { epoch: 1, ask, ms: LEASE_MS, exposed: 0, sent });
}

/** The catalog says that a stock changed at `position`. */
function hold(name: string, position: number): number | null {
  return cache.hold("catalog", 0, position, [name]);
}

beforeEach(() => {
  catalog = new Driven();
  nowMs = 0;
  leaderStock = fish(-1);
  leaderAsked = 0;
  open();
});

function fish(quantity: number, name = "FishCo"): Stock {
  return { name, price: 17.99, quantity };
}

/** What a lookup is answered with: the quantity, or the kind of answer that has none. */
async function quantity(lookup: StockCopy | Promise<Lookup>): Promise<number | string> {
  const found = await lookup;
  return "body" in found ? JSON.parse(found.body).data.quantity : found.kind;
}

/** The stocks in the body of a list's answer. */
function bodyOf(list: StockList | undefined): unknown {
  return list?.kind === "list" ? JSON.parse(list.body.toString()).data : list;
}

/** The turn of the event loop is over: what was batched is sent. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function fill(name: string, amount: number, position: number): Promise<void> {
  const lookup = cache.lookup(name);
  await turn();
  catalog.calls.at(-1)?.answer({ stocks: [fish(amount, name)], position });
  expect(await quantity(lookup)).toBe(amount);
}

async function isCopied(name: string): Promise<boolean> {
  return (await copies.get(name)) !== undefined;
}

describe("fetching", () => {
  test("lookups of one turn share one call, and those of one stock one fetch", async () => {
    const lookups = ["FishCo", "BoarCo", "FishCo"].map((name) => cache.lookup(name));
    await turn();
    expect(catalog.calls.map((call) => call.names)).toEqual([["FishCo", "BoarCo"]]);
    catalog.calls[0]?.answer({ stocks: [fish(600), fish(1102, "BoarCo")], position: 2 });
    expect(await Promise.all(lookups.map(quantity))).toEqual([600, 1102, 600]);
  });

  test("a lookup joins the fetch that is under way", async () => {
    const first = cache.lookup("FishCo");
    await turn();
    const second = cache.lookup("FishCo");
    await turn();
    expect(catalog.calls).toHaveLength(1);
    catalog.calls[0]?.answer({ stocks: [fish(600)], position: 2 });
    expect(await quantity(first)).toBe(600);
    expect(await quantity(second)).toBe(600);
  });

  test("a copy in memory is answered without a promise", async () => {
    await fill("FishCo", 600, 2);
    expect(cache.lookup("FishCo")).toEqual({
      body: '{"data":{"name":"FishCo","price":17.99,"quantity":600}}',
      position: 2,
    });
  });

  test("a copy that mustn't be served counts as a hit", async () => {
    await fill("FishCo", 600, 2);
    cache.lookup("FishCo");
    expect(cache.stats()).toMatchObject({ hits: 1, misses: 1 });
    nowMs += 2 * LEASE_MS; // the lease is over
    void cache.lookup("FishCo");
    expect(cache.stats()).toMatchObject({ hits: 1, misses: 2 });
  });

  test("an unknown name is asked for every time, so that nobody fills the cache with them", async () => {
    for (const times of [1, 2]) {
      const lookup = cache.lookup("Ash");
      await turn();
      expect(catalog.calls).toHaveLength(times);
      catalog.calls.at(-1)?.answer({ stocks: [null], position: 2 });
      expect(await quantity(lookup)).toBe("unknown");
    }
    expect(copies.stats().size).toBe(0);
  });

  test("a catalog that fails to answer is stood in for by the leader, whose answer is not kept", async () => {
    const lookups = [cache.lookup("FishCo"), cache.lookup("FishCo")];
    await turn();
    leaderStock = fish(590);
    catalog.calls[0]?.answer(null);
    expect(await Promise.all(lookups.map(quantity))).toEqual([590, 590]);
    expect(leaderAsked).toBe(1);
    expect(await isCopied("FishCo")).toBe(false);
  });

  test("an answer with too few stocks leaves nobody waiting", async () => {
    const lookup = cache.lookup("FishCo");
    await turn();
    catalog.calls[0]?.answer({ stocks: [], position: 2 });
    expect(await quantity(lookup)).toBe(-1);
  });
});

describe("holds", () => {
  test("a trade takes its own stock's copy and no other", async () => {
    await fill("FishCo", 600, 2);
    await fill("BoarCo", 1102, 2);
    hold("FishCo", 5);
    expect(await isCopied("FishCo")).toBe(false);
    expect(await quantity(cache.lookup("BoarCo"))).toBe(1102);
    await fill("FishCo", 590, 5);
    expect(await quantity(cache.lookup("FishCo"))).toBe(590);
  });

  test("an answer from before the trade that comes after its invalidation isn't kept", async () => {
    const before = cache.lookup("FishCo");
    await turn();
    hold("FishCo", 5);
    catalog.calls[0]?.answer({ stocks: [fish(600)], position: 4 });
    expect(await quantity(before)).toBe(600); // it was asked before the trade was told
    expect(await isCopied("FishCo")).toBe(false);
  });

  test("a lookup after the trade doesn't join a fetch from before it", async () => {
    const before = cache.lookup("FishCo");
    await turn();
    hold("FishCo", 5);
    const after = cache.lookup("FishCo");
    await turn();
    expect(catalog.calls).toHaveLength(2);
    catalog.calls[0]?.answer({ stocks: [fish(600)], position: 4 });
    catalog.calls[1]?.answer({ stocks: [fish(590)], position: 5 });
    expect(await quantity(before)).toBe(600);
    expect(await quantity(after)).toBe(590);
    expect(await quantity(cache.lookup("FishCo"))).toBe(590);
  });

  test("a fetch that was queued but not sent isn't joined either", async () => {
    void cache.lookup("FishCo");
    hold("FishCo", 5);
    void cache.lookup("FishCo");
    await turn();
    expect(catalog.calls.flatMap((call) => call.names)).toEqual(["FishCo", "FishCo"]);
  });

  test("a catalog that lags behind the one that invalidated is overruled by the leader", async () => {
    hold("FishCo", 5);
    const lookup = cache.lookup("FishCo");
    await turn();
    leaderStock = fish(590);
    catalog.calls[0]?.answer({ stocks: [fish(600)], position: 4 });
    expect(await quantity(lookup)).toBe(590);
    expect(await isCopied("FishCo")).toBe(false);
  });

  test("a list from a catalog that lags behind is overruled too", async () => {
    hold("FishCo", 5);
    leaderStock = fish(590);
    const lagging = cache.list();
    await turn();
    catalog.listCalls[0]?.answer(allOf([fish(600)], 4));
    expect(bodyOf(await lagging)).toEqual([fish(590)]);
    const level = cache.list();
    await turn();
    catalog.listCalls[1]?.answer(allOf([fish(1, "Ant"), fish(591)], 5));
    expect(bodyOf(await level)).toEqual([fish(1, "Ant"), fish(591)]);
    const page = cache.page({ after: "", limit: 1 });
    await turn();
    catalog.listCalls[2]?.answer(allOf([fish(600)], 4));
    expect(await page).toMatchObject({ stocks: [fish(590)], next: null });
  });

  test("who asks for a list while one is under way gets the next, and all who do get the same", async () => {
    const first = cache.list();
    await turn();
    const others = [cache.list(), cache.list(), cache.list()];
    await turn();
    expect(catalog.listCalls).toHaveLength(1);
    catalog.listCalls[0]?.answer(allOf([fish(600)], 4));
    expect(bodyOf(await first)).toEqual([fish(600)]);
    await turn();
    expect(catalog.listCalls[1]?.question).toMatchObject({ list: null, known: 4 });
    catalog.listCalls[1]?.answer(allOf([fish(599)], 5));
    const [second, third, fourth] = await Promise.all(others);
    expect(bodyOf(second)).toEqual([fish(599)]);
    expect([third, fourth]).toEqual([second, second]);
    const body = (list: StockList | undefined) => list?.kind === "list" && list.body;
    expect(body(third)).toBe(body(second));
  });

  test("what a client doubts is fetched anew, and not kept from a fetch before that", async () => {
    await fill("FishCo", 600, 2);
    cache.drop("FishCo");
    const lookup = cache.lookup("FishCo");
    await turn();
    cache.drop("FishCo");
    catalog.calls.at(-1)?.answer({ stocks: [fish(600)], position: 2 });
    expect(await quantity(lookup)).toBe(600);
    expect(await isCopied("FishCo")).toBe(false);
  });

  test("floors that don't fit refuse good copies rather than serve bad ones", async () => {
    cache = new StockCache({
      copies,
      catalogs: catalog,
      orders: { ask: async () => ({ kind: "unavailable" }) },
      log,
      nowMs: () => nowMs,
      floorsMax: 1,
    });
    lease();
    await fill("AntCo", 1, 2);
    hold("FishCo", 5);
    hold("BoarCo", 6);
    const lookup = cache.lookup("AntCo");
    expect(lookup).toBeInstanceOf(Promise);
  });
});

describe("leases", () => {
  test("a front end that slept past its lease serves no copy from before", async () => {
    await fill("FishCo", 600, 2);
    nowMs += LEASE_MS;
    const lookup = cache.lookup("FishCo");
    await turn();
    catalog.calls.at(-1)?.answer({ stocks: [fish(590)], position: 7 });
    expect(await quantity(lookup)).toBe(590);
    expect(await isCopied("FishCo")).toBe(true); // from before, and void
    lease();
    expect(await isCopied("FishCo")).toBe(false);
    await fill("FishCo", 590, 7);
    expect(cache.lookup("FishCo")).not.toBeInstanceOf(Promise);
  });

  test("a lease that is renewed in time keeps the copies", async () => {
    await fill("FishCo", 600, 2);
    nowMs += LEASE_MS - 1;
    lease();
    nowMs += LEASE_MS - 1;
    expect(cache.lookup("FishCo")).not.toBeInstanceOf(Promise);
  });

  test("a lease that was asked for long ago doesn't run from when it came", async () => {
    const { ask } = cache.askLease("catalog");
    nowMs += LEASE_MS;
    cache.granted("catalog", { epoch: 1, ask, ms: LEASE_MS, exposed: 0, sent: 0 });
    await fill("FishCo", 600, 2);
    expect(cache.lookup("FishCo")).toBeInstanceOf(Promise);
  });

  test("a lease isn't renewed over a hold that never came", async () => {
    hold("FishCo", 5);
    await fill("FishCo", 600, 5);
    nowMs += LEASE_MS - 1;
    lease("catalog", 7);
    nowMs += 1;
    expect(cache.lookup("FishCo")).toBeInstanceOf(Promise);
  });

  test("without a lease nobody joins a fetch, since nobody would say that it is old", async () => {
    nowMs += LEASE_MS;
    void cache.lookup("FishCo");
    void cache.lookup("FishCo");
    await turn();
    expect(catalog.calls.flatMap((call) => call.names)).toEqual(["FishCo", "FishCo"]);
  });

  test("holds are answered as far as they came without a gap", () => {
    expect(hold("FishCo", 5)).toBe(5);
    expect(cache.hold("catalog", 6, 7, ["FishCo"])).toBe(5);
    expect(cache.hold("catalog", 5, 7, ["FishCo"])).toBe(7);
  });

  test("copies from one catalog don't outlive the change to another", async () => {
    await fill("FishCo", 600, 2);
    lease("catalog-9097");
    expect(await isCopied("FishCo")).toBe(false);
  });
});

describe("a cache smaller than the catalog", () => {
  test("the least recently used stock goes first", async () => {
    open(memoryCopies({ entriesMax: 2 }));
    await fill("FishCo", 600, 2);
    await fill("BoarCo", 1102, 2);
    expect(await quantity(cache.lookup("FishCo"))).toBe(600);
    await fill("GameStart", 100, 2);
    expect(cache.lookup("FishCo")).not.toBeInstanceOf(Promise);
    expect(cache.lookup("GameStart")).not.toBeInstanceOf(Promise);
    expect(cache.lookup("BoarCo")).toBeInstanceOf(Promise);
    expect(cache.stats()).toMatchObject({ size: 2, evictions: 1 });
  });
});

describe("catalogs that go", () => {
  test("with a catalog's connection all copies go, and the leader is asked until there is one", async () => {
    await fill("FishCo", 600, 2);
    catalog.usable = false;
    cache.catalogLost("catalog");
    leaderStock = fish(580);
    expect(await quantity(cache.lookup("FishCo"))).toBe(580);
    leaderStock = fish(570);
    expect(await quantity(cache.lookup("FishCo"))).toBe(570);
    catalog.usable = true;
    lease();
    await fill("FishCo", 560, 9);
    expect(await quantity(cache.lookup("FishCo"))).toBe(560);
  });

  test("lookups at the leader are never shared: nobody would say that they are old", async () => {
    catalog.usable = false;
    await Promise.all([quantity(cache.lookup("FishCo")), quantity(cache.lookup("FishCo"))]);
    expect(leaderAsked).toBe(2);
  });

  test("a fetch from before the connection was lost is neither joined nor kept", async () => {
    const before = cache.lookup("FishCo");
    await turn();
    cache.catalogLost("catalog");
    lease("catalog-9097"); // another catalog is there
    const after = cache.lookup("FishCo");
    await turn();
    catalog.calls[0]?.answer({ stocks: [fish(600)], position: 4 });
    expect(await quantity(before)).toBe(600);
    expect(await isCopied("FishCo")).toBe(false);
    catalog.calls[1]?.answer({ stocks: [fish(590)], position: 5 });
    expect(await quantity(after)).toBe(590);
    expect(await isCopied("FishCo")).toBe(true);
  });
});

describe("copies that are read later, as from Redis", () => {
  let found: (copy: StockCopy | undefined) => void;

  beforeEach(() => {
    const store = memoryCopies({ entriesMax: 10 });
    open({
      kind: "redis",
      get: () =>
        new Promise((resolve) => {
          found = resolve;
        }),
      put: (name, copy) => store.put(name, copy),
      drop: (names) => store.drop(names),
      clear: () => store.clear(),
      stats: () => store.stats(),
      close: () => store.close(),
    });
  });

  const old: StockCopy = { body: '{"data":{"quantity":600}}', position: 4 };

  test("a copy that was read is served", async () => {
    const lookup = cache.lookup("FishCo");
    found(old);
    expect(await quantity(lookup)).toBe(600);
  });

  test("a copy that was invalidated while it was read isn't served", async () => {
    const lookup = cache.lookup("FishCo");
    hold("FishCo", 5);
    found(old);
    await turn();
    await turn();
    catalog.calls[0]?.answer({ stocks: [fish(590)], position: 5 });
    expect(await quantity(lookup)).toBe(590);
    expect(cache.stats()).toMatchObject({ hits: 0, misses: 1 });
  });

  test("a copy isn't served when the last catalog went while it was read", async () => {
    const lookup = cache.lookup("FishCo");
    catalog.usable = false;
    cache.catalogLost("catalog");
    leaderStock = fish(580);
    found(undefined);
    expect(await quantity(lookup)).toBe(580);
  });
});
