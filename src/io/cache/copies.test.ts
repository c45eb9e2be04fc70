// What any store of copies promises, on each of them; then what only one does.

import pino from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { RedisServer } from "../../../lab/redis.ts";
import { memoryCopies } from "./memory.ts";
import { redisCopies } from "./redis.ts";
import { copyOf } from "./test-hostile-redis.ts";
import type { StockCopies, StockCopy } from "./types.ts";
import { noCopies } from "./types.ts";

vi.setConfig({ testTimeout: 30_000 }); // a failed wait should say what it waited for
const WAIT = { timeout: 10_000, interval: 10 };

function copyAt(position: number): StockCopy {
  return { body: `{"data":{"name":"FishCo","price":17.99,"quantity":${position}}}`, position };
}

let server: RedisServer;
const opened: StockCopies[] = [];

beforeAll(async () => {
  server = await RedisServer.prepare();
  await server.start();
});
afterEach(() => {
  for (const copies of opened.splice(0)) copies.close();
});
afterAll(() => server.kill());

async function openRedis(): Promise<StockCopies> {
  const log = pino({ level: "silent" });
  const copies = redisCopies({ url: server.url, secret: "5".repeat(64), log });
  opened.push(copies);
  await copies.tried;
  return copies;
}

const stores = {
  memory: async () => memoryCopies({ entriesMax: 100 }),
  redis: () => openRedis(),
} satisfies Record<string, () => Promise<StockCopies>>;

for (const [kind, open] of Object.entries(stores)) {
  describe(`copies in ${kind}`, () => {
    test("a copy comes back as it was put, with its position", async () => {
      const copies = await open();
      copies.put("FishCo", copyAt(7));
      expect(await copyOf(copies, "FishCo")).toEqual(copyAt(7));
      expect(await copyOf(copies, "BoarCo")).toBeUndefined();
    });

    test("a dropped copy is gone, the others stay, and only copies that were there count as invalidated", async () => {
      const copies = await open();
      copies.put("FishCo", copyAt(7));
      copies.put("BoarCo", copyAt(8));
      copies.drop(["FishCo", "Never"]);
      expect(await copyOf(copies, "FishCo")).toBeUndefined();
      expect(await copyOf(copies, "BoarCo")).toEqual(copyAt(8));
      await vi.waitFor(() => expect(copies.stats().invalidations).toBe(1), WAIT);
    });

    test("after a clear no earlier copy is found, nor by a get that was under way", async () => {
      const copies = await open();
      copies.put("FishCo", copyAt(7));
      const underWay = copyOf(copies, "FishCo");
      copies.clear();
      expect(await copyOf(copies, "FishCo")).toBeUndefined();
      if (kind === "redis") expect(await underWay).toBeUndefined();
      copies.put("FishCo", copyAt(9));
      expect(await copyOf(copies, "FishCo")).toEqual(copyAt(9));
    });
  });
}

describe("copies in memory", () => {
  test("the least recently used copy is evicted first", async () => {
    const copies = memoryCopies({ entriesMax: 2 });
    copies.put("A", copyAt(1));
    copies.put("B", copyAt(2));
    copies.get("A");
    copies.put("C", copyAt(3));
    expect(copies.get("B")).toBeUndefined();
    expect(copies.get("A")).toEqual(copyAt(1));
    expect(copies.get("C")).toEqual(copyAt(3));
    expect(copies.stats()).toMatchObject({ size: 2, evictions: 1 });
  });

  test("a hit is returned at once, not as a promise", () => {
    const copies = memoryCopies({ entriesMax: 2 });
    const copy = copyAt(1);
    copies.put("A", copy);
    expect(copies.get("A")).toBe(copy);
  });

  test("a copy is gone after ten minutes, however often it was read", () => {
    let nowMs = 1;
    const copies = memoryCopies({ entriesMax: 2, now: () => nowMs });
    copies.put("A", copyAt(1));
    nowMs += 599_000;
    expect(copies.get("A")).toEqual(copyAt(1));
    nowMs += 2_000;
    expect(copies.get("A")).toBeUndefined();
  });
});

test("a store for no copies keeps and counts nothing", () => {
  const copies = noCopies();
  copies.put("A", copyAt(1));
  expect(copies.get("A")).toBeUndefined();
  copies.drop(["A"]);
  expect(copies.stats()).toEqual({ size: 0, evictions: 0, invalidations: 0 });
});
