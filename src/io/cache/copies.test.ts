// What any store of copies promises, on each of them; then what only one does.

import { type AddressInfo, createServer } from "node:net";
import pino, { type Logger } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { memoryCopies } from "./memory.ts";
import { type RedisCopies, redisCopies } from "./redis.ts";
import { type RedisServer, redisServer } from "./test-redis.ts";
import type { StockCopies, StockCopy } from "./types.ts";
import { noCopies } from "./types.ts";

vi.setConfig({ testTimeout: 30_000 }); // a failed wait should say what it waited for
const WAIT = { timeout: 10_000, interval: 10 };

interface Line {
  readonly level: number;
  readonly msg: string;
}

function recorder(): { readonly log: Logger; readonly lines: Line[] } {
  const lines: Line[] = [];
  const log = pino({ level: "info" }, { write: (text: string) => lines.push(JSON.parse(text)) });
  return { log, lines };
}

function copyAt(position: number): StockCopy {
  return { body: `{"data":{"name":"FishCo","price":17.99,"quantity":${position}}}`, position };
}

let server: RedisServer;
const opened: StockCopies[] = [];

async function openRedis(
  url = server.url,
  log = pino({ level: "silent" }),
  more: { maxmemory?: string; maxmemoryPolicy?: string; ttlMs?: number } = {},
): Promise<RedisCopies> {
  const copies = redisCopies({ url, log, ...more });
  opened.push(copies);
  await copies.tried;
  return copies;
}

beforeAll(async () => {
  server = await redisServer();
  await server.start();
});
afterEach(() => {
  for (const copies of opened.splice(0)) copies.close();
});
afterAll(() => server.remove());

const stores = {
  memory: async () => memoryCopies({ entriesMax: 100 }),
  redis: () => openRedis(),
} satisfies Record<string, () => Promise<StockCopies>>;

for (const [kind, open] of Object.entries(stores)) {
  describe(`copies in ${kind}`, () => {
    test("a copy comes back as it was put, with its position", async () => {
      const copies = await open();
      copies.put("FishCo", copyAt(7));
      expect(await copies.get("FishCo")).toEqual(copyAt(7));
      expect(await copies.get("BoarCo")).toBeUndefined();
    });

    test("a dropped copy doesn't come back, the others stay, and no copy that never was counts (K1)", async () => {
      const copies = await open();
      copies.put("FishCo", copyAt(7));
      copies.put("BoarCo", copyAt(8));
      copies.drop(["FishCo", "Never"]);
      expect(await copies.get("FishCo")).toBeUndefined();
      expect(await copies.get("BoarCo")).toEqual(copyAt(8));
      await vi.waitFor(() => expect(copies.stats().invalidations).toBe(1), WAIT);
    });

    test("nothing survives a clear, nor comes of a get that was under way (K1)", async () => {
      const copies = await open();
      copies.put("FishCo", copyAt(7));
      const underWay = Promise.resolve(copies.get("FishCo"));
      copies.clear();
      expect(await copies.get("FishCo")).toBeUndefined();
      if (kind === "redis") expect(await underWay).toBeUndefined();
      copies.put("FishCo", copyAt(9));
      expect(await copies.get("FishCo")).toEqual(copyAt(9));
    });
  });
}

describe("copies in memory", () => {
  test("the least recently used copy goes first", async () => {
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

  test("a hit is no promise, so that it costs no turn of the event loop", () => {
    const copies = memoryCopies({ entriesMax: 2 });
    const copy = copyAt(1);
    copies.put("A", copy);
    expect(copies.get("A")).toBe(copy);
  });

  test("a copy is gone after its ten minutes, however often it was read", () => {
    let nowMs = 1;
    const copies = memoryCopies({ entriesMax: 2, now: () => nowMs });
    copies.put("A", copyAt(1));
    nowMs += 599_000;
    expect(copies.get("A")).toEqual(copyAt(1));
    nowMs += 2_000;
    expect(copies.get("A")).toBeUndefined();
  });
});

test("a store that is told to keep nothing keeps, or counts, something", () => {
  const copies = noCopies();
  copies.put("A", copyAt(1));
  expect(copies.get("A")).toBeUndefined();
  copies.drop(["A"]);
  expect(copies.stats()).toEqual({ size: 0, evictions: 0, invalidations: 0 });
});

describe("copies in Redis", () => {
  test("two front ends on one server don't see each other's copies", async () => {
    const one = await openRedis();
    const other = await openRedis();
    one.put("FishCo", copyAt(7));
    expect(await other.get("FishCo")).toBeUndefined();
    other.clear();
    expect(await one.get("FishCo")).toEqual(copyAt(7));
  });

  test("a copy is gone after its time", async () => {
    const copies = await openRedis(server.url, undefined, { ttlMs: 20 });
    copies.put("FishCo", copyAt(7));
    expect(await copies.get("FishCo")).toEqual(copyAt(7));
    await vi.waitFor(async () => expect(await copies.get("FishCo")).toBeUndefined(), WAIT);
  });

  test("the server's limits are said as the seed does, and left alone", async () => {
    const { log, lines } = recorder();
    const own = await redisServer("--maxmemory", "10485760", "--maxmemory-policy", "volatile-ttl");
    try {
      await own.start();
      await openRedis(own.url, log);
      expect(lines.map((line) => line.msg)).toEqual([
        "Redis config : {'maxmemory': '10485760'} - {'maxmemory-policy': 'volatile-ttl'}",
      ]);
    } finally {
      await own.remove();
    }
  });

  test("the server's limits are set when told, again after it restarted without them", async () => {
    const { log, lines } = recorder();
    const own = await redisServer();
    try {
      await own.start();
      const limits = { maxmemory: "20971520", maxmemoryPolicy: "allkeys-lru" };
      const copies = await openRedis(own.url, log, limits);
      expect(lines[0]?.msg).toBe(
        "Redis config : {'maxmemory': '20971520'} - {'maxmemory-policy': 'allkeys-lru'}",
      );
      await own.kill();
      await own.start();
      await filled(copies, copyAt(1));
      const witness = recorder();
      await openRedis(own.url, witness.log);
      expect(witness.lines[0]?.msg).toBe(lines[0]?.msg);
    } finally {
      await own.remove();
    }
  });

  test("a killed Redis is misses and one warning; back, it serves again and says so once", async () => {
    const { log, lines } = recorder();
    const own = await redisServer();
    try {
      await own.start();
      const copies = await openRedis(own.url, log);
      copies.put("FishCo", copyAt(7));
      expect(await copies.get("FishCo")).toEqual(copyAt(7));
      await own.kill();
      for (let i = 0; i < 100; i++) {
        copies.put("FishCo", copyAt(8));
        copies.drop(["BoarCo"]);
        expect(await copies.get("FishCo")).toBeUndefined();
      }
      await own.start();
      await filled(copies, copyAt(9));
      expect(lines.filter((line) => line.level === 40)).toHaveLength(1);
      expect(lines.filter((line) => line.msg === "Redis answers again")).toHaveLength(1);
    } finally {
      await own.remove();
    }
  });

  test("a drop that a hanging server didn't confirm is as good as done", async () => {
    const own = await redisServer();
    try {
      await own.start();
      const copies = await openRedis(own.url);
      await filled(copies, copyAt(7));
      own.pause();
      copies.drop(["FishCo"]);
      const startedMs = performance.now();
      expect(await copies.get("FishCo")).toBeUndefined();
      expect(performance.now() - startedMs).toBeLessThan(2_000); // nobody waits for it long
      own.resume();
      expect(await seenUntilOpen(copies, "FishCo")).toEqual([]);
    } finally {
      await own.remove();
    }
  });

  test("what is dropped while there is no connection isn't served over the next one", async () => {
    const own = await redisServer();
    try {
      await own.start();
      const copies = await openRedis(own.url);
      await filled(copies, copyAt(7));
      own.pause();
      expect(await copies.get("FishCo")).toBeUndefined(); // late, so the connection is given up
      copies.drop(["FishCo"]); // never sent: nothing is queued for a server that hangs
      own.resume();
      expect(await seenUntilOpen(copies, "FishCo")).toEqual([]);
    } finally {
      await own.remove();
    }
  });

  test("a Redis that stays away is one warning, however often it is tried", async () => {
    const { log, lines } = recorder();
    let attempts = 0;
    const refusing = createServer((socket) => {
      attempts++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => refusing.listen(0, "127.0.0.1", resolve));
    const { port } = refusing.address() as AddressInfo;
    try {
      await openRedis(`redis://:secret@127.0.0.1:${port}`, log);
      await vi.waitFor(() => expect(attempts).toBeGreaterThan(3), WAIT);
      expect(lines.filter((line) => line.level === 40)).toHaveLength(1);
      expect(JSON.stringify(lines)).not.toContain("secret");
    } finally {
      refusing.close();
    }
  });

  test("a Redis that isn't there at the start is waited for shortly, and used once it comes", async () => {
    const { log, lines } = recorder();
    const own = await redisServer();
    try {
      const copies = await openRedis(own.url, log);
      expect(copies.get("FishCo")).toBeUndefined();
      await own.start();
      await filled(copies, copyAt(3));
      expect(lines.filter((line) => line.level === 40)).toHaveLength(1);
    } finally {
      await own.remove();
    }
  });

  test("a full Redis that refuses to write is a store without copies, not an error", async () => {
    const { log, lines } = recorder();
    const own = await redisServer("--maxmemory", "1mb", "--maxmemory-policy", "noeviction");
    try {
      await own.start();
      const copies = await openRedis(own.url, log);
      const big = { body: "x".repeat(300_000), position: 1 };
      for (let i = 0; i < 10; i++) copies.put(`Big${i}`, big);
      expect(await copies.get("Big9")).toBeUndefined();
      expect(lines.filter((line) => line.level === 40)).toHaveLength(1);
    } finally {
      await own.remove();
    }
  });
});

/** Puts until the copy comes back: until the store has a connection again. */
async function filled(copies: StockCopies, copy: StockCopy): Promise<void> {
  await vi.waitFor(async () => {
    copies.put("FishCo", copy);
    expect(await copies.get("FishCo")).toEqual(copy);
  }, WAIT);
}

/** What is found under a name until the store has a connection again, and right after. */
async function seenUntilOpen(copies: StockCopies, name: string): Promise<StockCopy[]> {
  const seen: (StockCopy | undefined)[] = [];
  await vi.waitFor(async () => {
    seen.push(await copies.get(name));
    copies.put("AnyCo", copyAt(1));
    expect(await copies.get("AnyCo")).toEqual(copyAt(1));
  }, WAIT);
  seen.push(await copies.get(name));
  return seen.filter((copy) => copy !== undefined);
}
