// What only copies in Redis do, on a real server: outages, limits, seals, passwords.
// What it does when the server can't be trusted is in roles/frontend/stocks/hostile-redis.test.ts.

import { createHmac, hkdfSync } from "node:crypto";
import { type AddressInfo, createServer } from "node:net";
import pino, { type Logger } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { RedisServer } from "../../../lab/redis.ts";
import { type RedisCopies, type RedisCopiesOptions, redisCopies } from "./redis.ts";
import { type Form, RedisConnection, type Values } from "./redis-connection.ts";
import { copyOf } from "./test-hostile-redis.ts";
import type { StockCopies, StockCopy } from "./types.ts";

vi.setConfig({ testTimeout: 30_000 }); // a failed wait should say what it waited for
const SECRET = "5".repeat(64);
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

/** `text` under `key` as a front end of the cluster with this secret stores it. */
function sealedBy(secret: string, key: string, text: string): string {
  const sealKey = Buffer.from(hkdfSync("sha256", secret, "", "copies in Redis", 32));
  const seal = createHmac("sha256", sealKey).update(`${key}\n${text}`).digest("base64url");
  return `${seal} ${text}`;
}

function copyAt(position: number): StockCopy {
  return { body: `{"data":{"name":"FishCo","price":17.99,"quantity":${position}}}`, position };
}

let server: RedisServer;
const opened: StockCopies[] = [];

async function openRedis(
  url = server.url,
  log = pino({ level: "silent" }),
  more: Partial<RedisCopiesOptions> = {},
): Promise<RedisCopies> {
  const copies = redisCopies({ url, secret: SECRET, log, ...more });
  opened.push(copies);
  await copies.tried;
  return copies;
}

beforeAll(async () => {
  server = await RedisServer.prepare();
  await server.start();
});
afterEach(() => {
  for (const copies of opened.splice(0)) copies.close();
});
afterAll(() => server.kill());

describe("copies in Redis", () => {
  test("two front ends on one server don't see each other's copies", async () => {
    const one = await openRedis();
    const other = await openRedis();
    one.put("FishCo", copyAt(7));
    expect(await copyOf(other, "FishCo")).toBeUndefined();
    other.clear();
    expect(await copyOf(one, "FishCo")).toEqual(copyAt(7));
  });

  test("a copy is gone after its time", async () => {
    const copies = await openRedis(server.url, undefined, { ttlMs: 20 });
    copies.put("FishCo", copyAt(7));
    expect(await copyOf(copies, "FishCo")).toEqual(copyAt(7));
    await vi.waitFor(async () => expect(await copyOf(copies, "FishCo")).toBeUndefined(), WAIT);
  });

  test("the server's memory limits are logged in the reference program's words, and left as they are", async () => {
    const { log, lines } = recorder();
    const own = await RedisServer.prepare(
      "--maxmemory",
      "10485760",
      "--maxmemory-policy",
      "volatile-ttl",
    );
    try {
      await own.start();
      await openRedis(own.url, log);
      expect(lines.map((line) => line.msg)).toEqual([
        "Redis config : {'maxmemory': '10485760'} - {'maxmemory-policy': 'volatile-ttl'}",
      ]);
    } finally {
      await own.kill();
    }
  });

  test("memory limits in the options are set on the server, again after it restarted without them", async () => {
    const { log, lines } = recorder();
    const own = await RedisServer.prepare();
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
      await own.kill();
    }
  });

  test("a killed Redis means misses and one warning; once it is back it serves again, logged once", async () => {
    const { log, lines } = recorder();
    const own = await RedisServer.prepare();
    try {
      await own.start();
      const copies = await openRedis(own.url, log);
      copies.put("FishCo", copyAt(7));
      expect(await copyOf(copies, "FishCo")).toEqual(copyAt(7));
      await own.kill();
      for (let i = 0; i < 100; i++) {
        copies.put("FishCo", copyAt(8));
        copies.drop(["BoarCo"]);
        expect(await copyOf(copies, "FishCo")).toBeUndefined();
      }
      await own.start();
      await filled(copies, copyAt(9));
      expect(lines.filter((line) => line.level === 40)).toHaveLength(1);
      expect(lines.filter((line) => line.msg === "Redis answers again")).toHaveLength(1);
    } finally {
      await own.kill();
    }
  });

  test("a copy whose drop a hanging server didn't confirm isn't served again", async () => {
    const own = await RedisServer.prepare();
    try {
      await own.start();
      const copies = await openRedis(own.url);
      await filled(copies, copyAt(7));
      own.pause();
      copies.drop(["FishCo"]);
      const startedMs = performance.now();
      expect(await copyOf(copies, "FishCo")).toBeUndefined();
      expect(performance.now() - startedMs).toBeLessThan(2_000); // nobody waits for it long
      own.resume();
      expect(await seenUntilOpen(copies, "FishCo")).toEqual([]);
    } finally {
      await own.kill();
    }
  });

  test("a copy dropped while there is no connection isn't served over the next one", async () => {
    const own = await RedisServer.prepare();
    try {
      await own.start();
      const copies = await openRedis(own.url);
      await filled(copies, copyAt(7));
      own.pause();
      expect(await copyOf(copies, "FishCo")).toBeUndefined(); // late, so the connection is given up
      copies.drop(["FishCo"]); // never sent: nothing is queued for a server that hangs
      own.resume();
      expect(await seenUntilOpen(copies, "FishCo")).toEqual([]);
    } finally {
      await own.kill();
    }
  });

  test("a Redis that stays away is warned of once, however often it is tried", async () => {
    const { log, lines } = recorder();
    let attempts = 0;
    const refusing = createServer((socket) => {
      attempts++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => refusing.listen(0, "127.0.0.1", resolve));
    const { port } = refusing.address() as AddressInfo;
    try {
      await openRedis(`redis://127.0.0.1:${port}`, log, { password: "topsecret" });
      await vi.waitFor(() => expect(attempts).toBeGreaterThan(3), WAIT);
      expect(lines.filter((line) => line.level === 40)).toHaveLength(1);
      expect(JSON.stringify(lines)).not.toContain("topsecret");
    } finally {
      refusing.close();
    }
  });

  test("a Redis that isn't there at the start is waited for shortly, and used once it comes", async () => {
    const { log, lines } = recorder();
    const own = await RedisServer.prepare();
    try {
      const copies = await openRedis(own.url, log);
      expect(await copyOf(copies, "FishCo")).toBeUndefined();
      await own.start();
      await filled(copies, copyAt(3));
      expect(lines.filter((line) => line.level === 40)).toHaveLength(1);
    } finally {
      await own.kill();
    }
  });

  test("a full Redis that refuses to write means misses and one warning", async () => {
    const { log, lines } = recorder();
    const own = await RedisServer.prepare("--maxmemory", "1", "--maxmemory-policy", "noeviction");
    try {
      await own.start();
      const copies = await openRedis(own.url, log);
      for (let i = 0; i < 10; i++) copies.put("FishCo", copyAt(i));
      expect(await copyOf(copies, "FishCo")).toBeUndefined();
      expect(lines.filter((line) => line.level === 40)).toHaveLength(1);
    } finally {
      await own.kill();
    }
  });

  test("a copy too long to be read back isn't put", async () => {
    const copies = await openRedis();
    copies.put("FishCo", { body: "x".repeat(2_000), position: 1 });
    expect(await copyOf(copies, "FishCo")).toBeUndefined();
    copies.put("FishCo", copyAt(2));
    expect(await copyOf(copies, "FishCo")).toEqual(copyAt(2));
  });

  test("a copy whose drop the server refused isn't served again", async () => {
    const own = await RedisServer.prepare(..."--user default on nopass ~* +@all -del".split(" "));
    try {
      await own.start();
      const { log, lines } = recorder();
      const copies = await openRedis(own.url, log);
      copies.put("FishCo", copyAt(7));
      expect(await copyOf(copies, "FishCo")).toEqual(copyAt(7));
      copies.drop(["FishCo"]);
      expect(await copyOf(copies, "FishCo")).toBeUndefined();
      expect(await copyOf(copies, "FishCo")).toBeUndefined();
      expect(copies.stats().invalidations).toBe(0);
      expect(lines.at(-1)?.msg).toBe("Redis refused a command");
      copies.put("FishCo", copyAt(8));
      expect(await copyOf(copies, "FishCo")).toEqual(copyAt(8));
    } finally {
      await own.kill();
    }
  });

  test("a drop of more stocks than a command may name drops them all", async () => {
    const copies = await openRedis();
    copies.put("FishCo", copyAt(7));
    copies.drop(Array.from({ length: 100_000 }, (_, i) => (i === 99_999 ? "FishCo" : `No${i}`)));
    expect(await copyOf(copies, "FishCo")).toBeUndefined();
  });

  test("a copy is served only under its own name, as it was put, and sealed by its own cluster", async () => {
    const own = await RedisServer.prepare();
    await own.start();
    const copies = await openRedis(own.url);
    const stored = stranger(own.url);
    copies.put("FishCo", copyAt(7));
    copies.put("BoarCo", copyAt(8));
    expect(await copyOf(copies, "BoarCo")).toEqual(copyAt(8));
    const [fish = "", boar = ""] = await stored.keysOf(copies, ["FishCo", "BoarCo"]);
    const value = await stored.get(fish);
    for (const wrong of [
      await stored.get(boar),
      `${value} `,
      value.replace(" 7 ", " 8 "),
      value.replace('"quantity":7', '"quantity":9'),
      value.slice(value.indexOf(" ") + 1),
      sealedBy("6".repeat(64), fish, value.slice(value.indexOf(" ") + 1)),
      " 7 {}",
      "",
    ]) {
      await stored.set(fish, wrong);
      expect(await copyOf(copies, "FishCo"), wrong).toBeUndefined();
    }
    expect(value).toBe(sealedBy(SECRET, fish, value.slice(value.indexOf(" ") + 1)));
    await stored.set(fish, value);
    expect(await copyOf(copies, "FishCo")).toEqual(copyAt(7));
    stored.close();
    await own.kill();
  });

  test("a password, a user and a database are told to the server, and the password isn't logged", async () => {
    const password = "pass word@:/?#ü";
    const fish = ["--user", "fish", "on", `>${password}`, "~*", "+@all"];
    const own = await RedisServer.prepare("--requirepass", password, ...fish);
    try {
      await own.start();
      for (const url of [own.url, `${own.url}/3`, own.url.replace("//", "//fish@")]) {
        const { log, lines } = recorder();
        const copies = await openRedis(url, log, { password });
        copies.put("FishCo", copyAt(7));
        expect(await copyOf(copies, "FishCo"), url).toEqual(copyAt(7));
        expect(JSON.stringify(lines)).not.toContain("pass word");
      }
      for (const wrong of [undefined, "another"]) {
        const { log, lines } = recorder();
        const copies = await openRedis(own.url, log, { password: wrong });
        copies.put("FishCo", copyAt(7));
        expect(await copyOf(copies, "FishCo")).toBeUndefined();
        expect(JSON.stringify(lines)).toContain(wrong ? "AUTH was refused: WRONGPASS" : "NOAUTH");
        expect(JSON.stringify(lines)).not.toContain("another");
      }
    } finally {
      await own.kill();
    }
  });
});

/** Somebody else who has the server: sees and sets what is stored there. */
function stranger(url: string) {
  const { hostname, port } = new URL(url);
  const lost = (reason: string) => {
    throw new Error(reason);
  };
  const opened = Promise.withResolvers<void>();
  const address = { host: hostname, port: Number(port), tls: false };
  const connection = new RedisConnection(address, { onOpen: opened.resolve, onLost: lost });
  async function ask<F extends Form>(form: F, ...args: readonly string[]): Promise<Values[F]> {
    await opened.promise;
    return new Promise((resolve, reject) => {
      connection.send(form, args, (end) => {
        if (end.kind === "replied") resolve(end.value);
        else reject(new Error(JSON.stringify(end)));
      });
    });
  }
  return {
    get: async (key: string) => (await ask("text", "GET", key)) ?? "",
    set: (key: string, value: string) => ask("ok", "SET", key, value),
    /** The keys under which a store that was just filled keeps these names. */
    async keysOf(copies: StockCopies, names: readonly string[]): Promise<string[]> {
      const keys: string[] = [];
      for (const name of names) {
        const found = await ask("texts", "KEYS", `*${name}`);
        for (const key of found) keys.push(key);
      }
      expect(keys).toHaveLength(names.length);
      expect(await copyOf(copies, names[0] ?? "")).toBeDefined();
      return keys;
    },
    close: () => connection.close(),
  };
}

/** Puts until the copy comes back: until the store has a connection again. */
async function filled(copies: StockCopies, copy: StockCopy): Promise<void> {
  await vi.waitFor(async () => {
    copies.put("FishCo", copy);
    expect(await copyOf(copies, "FishCo")).toEqual(copy);
  }, WAIT);
}

/** What is found under a name until the store has a connection again, and right after. */
async function seenUntilOpen(copies: StockCopies, name: string): Promise<StockCopy[]> {
  const seen: (StockCopy | undefined)[] = [];
  await vi.waitFor(async () => {
    seen.push(await copyOf(copies, name));
    copies.put("AnyCo", copyAt(1));
    expect(await copyOf(copies, "AnyCo")).toEqual(copyAt(1));
  }, WAIT);
  seen.push(await copyOf(copies, name));
  return seen.filter((copy) => copy !== undefined);
}
