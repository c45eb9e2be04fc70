// Lookups through a front end's cache while its Redis answers in every wrong
// way there is a list of: each is answered, with what is so at that moment.

import pino from "pino";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { LEASE_MS } from "../../../core/coherence/limits.ts";
import type { Stock } from "../../../core/market/types.ts";
import { redisCopies } from "../../../io/cache/redis.ts";
import {
  copyOf,
  HONEST,
  HOSTILITIES,
  type HostileRedis,
  type Hostility,
  hostileRedis,
  LIES,
} from "../../../io/cache/test-hostile-redis.ts";
import { TEST_CLUSTER } from "../../../io/rpc/testing.ts";
import { Stocks } from "./stocks.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 }); // they run together, on a busy machine
const WAIT = { timeout: 60_000, interval: 20 };
const SECRET = "5".repeat(64);
const NAMES = ["FishCo", "BoarCo", "MenhirCo"];
const ROUNDS = 6;
const CATALOG = { identity: { role: "catalog", name: "catalog", cluster: TEST_CLUSTER } } as const;

interface Line {
  readonly level: number;
  readonly msg: string;
}

/** A front end's cache over `server`, and the market that it is about. */
function bazaarOver(server: HostileRedis) {
  const lines: Line[] = [];
  const log = pino({ level: "info" }, { write: (text: string) => lines.push(JSON.parse(text)) });
  const copies = redisCopies({ url: server.url, secret: SECRET, log });
  let position = 1;
  const stocks = new Map<string, Stock>(
    NAMES.map((name) => [name, { name, price: 17.99, quantity: 600 }]),
  );
  const cache = new Stocks<typeof CATALOG>({
    copies,
    catalogs: {
      lookup: (_catalog, names, settled) =>
        queueMicrotask(() =>
          settled({
            kind: "stocks",
            stocks: names.map((name) => stocks.get(name) ?? null),
            position,
          }),
        ),
      stocks() {},
      lease: (_catalog, { ask }, settled) =>
        queueMicrotask(() => {
          const grant = { epoch: 1, ask, ms: LEASE_MS, exposed: 0, sent: 0 };
          settled({ kind: "answered", grant });
        }),
      holding() {},
      probe() {},
    },
    orders: {
      async ask() {
        throw new Error("the catalog answers everything");
      },
    },
    log: pino({ level: "silent" }),
    nowMs: () => 0,
  });
  cache.lookups.opened(CATALOG);
  return {
    copies,
    cache,
    lines,
    /** As a trade does: every copy is dropped before it is told. */
    trade(name: string): void {
      const stock = stocks.get(name);
      if (!stock) throw new Error(`no ${name}`);
      const after = position++;
      cache.lookups.hold(CATALOG, after, position, [name]);
      stocks.set(name, { ...stock, quantity: stock.quantity - 1 });
    },
    async lookUp(name: string): Promise<void> {
      const found = await cache.lookup(name);
      if (!("body" in found)) throw new Error(`${name} is ${found.kind}`);
      expect(JSON.parse(found.body)).toEqual({ data: stocks.get(name) });
    },
  };
}

/** Looks up and trades while the server is hostile, from its start and with connections open. */
async function attempt(hostility: Hostility): Promise<readonly Line[]> {
  const server = await hostileRedis(HOSTILITIES.indexOf(hostility));
  server.be(hostility);
  const bazaar = bazaarOver(server);
  try {
    await bazaar.copies.tried;
    for (const turn of ["from the start", "again"]) {
      for (let round = 0; round < ROUNDS; round++) {
        for (const name of [...NAMES, ...NAMES]) await bazaar.lookUp(name);
        bazaar.trade(NAMES[round % NAMES.length] ?? "");
        bazaar.cache.drop(NAMES[1] ?? "");
        await Promise.all(NAMES.map((name) => bazaar.lookUp(name)));
        // Nothing of before a session's end, whatever is given back.
        if (round === 3) {
          bazaar.copies.clear();
          expect(await copyOf(bazaar.copies, "FishCo")).toBeUndefined();
        }
      }
      server.be(HONEST);
      await vi.waitFor(async () => {
        const { hits } = bazaar.cache.stats();
        for (const name of [...NAMES, ...NAMES]) await bazaar.lookUp(name);
        expect(bazaar.cache.stats().hits, `a hit after ${hostility.what} ${turn}`).toBeGreaterThan(
          hits,
        );
      }, WAIT);
      server.be(hostility);
    }
    return bazaar.lines;
  } finally {
    bazaar.copies.close();
    await server.close();
  }
}

describe("a lookup is answered as it is, at once or by a catalog, when Redis answers with", () => {
  const all = [...HOSTILITIES, ...LIES];
  let attempts: Map<Hostility, Promise<readonly Line[] | Error>>;

  beforeAll(() => {
    // All at once, since most of the time they wait.
    attempts = new Map(
      all.map((hostility) => [hostility, attempt(hostility).catch((error: Error) => error)]),
    );
  });

  test.each(all)("$what", async (hostility) => {
    const lines = await attempts.get(hostility);
    if (lines === undefined || lines instanceof Error) throw lines ?? new Error("not tried");
    // Few lines in a minute, and nothing in them that a terminal obeys.
    expect(lines.length).toBeLessThan(8);
    expect(JSON.stringify(lines)).not.toMatch(/\\u00|owned\\|</);
  });
});

test("an earlier copy of the same session is sealed like the newest, and yet below its stock's floor", async () => {
  const server = await hostileRedis();
  const { copies, cache, trade, lookUp } = bazaarOver(server);
  try {
    await copies.tried;
    await lookUp("FishCo");
    const first = await copyOf(copies, "FishCo");
    expect(first?.position).toBe(1);
    trade("FishCo");
    await lookUp("FishCo");
    expect((await copyOf(copies, "FishCo"))?.position).toBe(2);
    const earlier = HOSTILITIES.find(({ what }) => what === "an earlier copy of the same stock");
    if (!earlier) throw new Error("there is no such hostility");
    server.be(earlier);
    expect(await copyOf(copies, "FishCo")).toEqual(first); // authentic: the seal can't tell
    const { hits } = cache.stats();
    await lookUp("FishCo"); // 599, not the 600 of that copy
    expect(cache.stats().hits).toBe(hits);
  } finally {
    copies.close();
    await server.close();
  }
});
