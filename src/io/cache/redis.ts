// Copies in a Redis, so that they outlive no front end but can be many more
// than fit in its memory.
//
// Keys carry a session (core/coherence/stored-copies.ts), so that two front ends
// on one server don't meet; what an old session left goes by its ttl.
//
// The server isn't believed. Whoever else may write to it, and whoever it is,
// the worst that comes of it is a store without copies (types.ts):
//
//   - A copy is sealed: an HMAC over its key, position and body, by a key that
//     comes from the cluster's secret. Nothing counts that this front end
//     didn't put under this very name in this session. An earlier copy of the
//     same stock is sealed as well; its position is below the floor by then.
//   - What may come over the connection is bounded (redis-connection.ts).
//   - A drop that is confirmed and wasn't done leaves an earlier copy, which is below its floor.
//
// A Redis that is down, hangs or answers nonsense is tried again in the
// background. Nothing is queued for a connection that isn't open.

import { createHmac, hkdfSync, randomUUID, timingSafeEqual } from "node:crypto";
import type { Logger } from "pino";
import { StoredCopies } from "../../core/coherence/stored-copies.ts";
import { Complaints } from "../rpc/complaints.ts";
import { within } from "../within.ts";
import {
  type Ended,
  type Form,
  RedisConnection,
  type RedisServerAddress,
  TEXT_BYTES_MAX,
  type Values,
} from "./redis-connection.ts";
import { COPY_TTL_MS, type CopyStats, type StockCopies, type StockCopy } from "./types.ts";

/** Connecting and greeting may take this long. */
const CONNECT_LIMIT_MS = 1_000;
/** Between attempts to connect: from, doubling, to; from the start again after a connection that lasted. */
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 2_000;
const LASTED_MS = 10_000;
/** Lines about one thing that goes wrong again and again: one in this time. */
const COMPLAINT_INTERVAL_MS = 60_000;
/** Characters of what a server said, in a log line. */
const SAID_LENGTH_MAX = 200;

export interface RedisCopiesOptions {
  /** `redis://[user@]host:port[/db]`, or `rediss://` for TLS; without the password. */
  readonly url: string;
  /** What the server asks for, if it does. */
  readonly password?: string | undefined;
  /** The cluster's secret. */
  readonly secret: string;
  readonly log: Logger;
  /** Set on the server at each connection, in its own notation; left alone unless told. */
  readonly maxmemory?: string | undefined;
  readonly maxmemoryPolicy?: string | undefined;
  /** How long each copy is kept, milliseconds; 600,000 unless told. */
  readonly ttlMs?: number;
}

export interface RedisCopies extends StockCopies {
  /** Settles when the first attempt to connect has ended, either way. Never rejects. */
  readonly tried: Promise<void>;
}

/** Makes a store and begins to connect it. Throws when the URL is none. */
export function redisCopies(options: RedisCopiesOptions): RedisCopies {
  return new Store(options);
}

/** Why a connection isn't used, for the log. */
class Unusable extends Error {
  override readonly name = "Unusable";
}

class Store implements RedisCopies {
  readonly kind = "redis";
  readonly tried: Promise<void>;
  readonly #options: RedisCopiesOptions;
  readonly #server: RedisServer;
  readonly #ttlMs: number;
  readonly #log: Logger;
  readonly #complaints: Complaints;
  readonly #sealKey: Buffer;
  readonly #stored: StoredCopies<string>;
  /** The connection in use or being opened; null between attempts. */
  #current: RedisConnection | null = null;
  #openSinceMs: number | null = null;
  #closed = false;
  #warned = false;
  #warnedAtMs = Number.NEGATIVE_INFINITY;
  #configLogged = false;
  #retryMs = RETRY_MIN_MS;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: RedisCopiesOptions) {
    this.#options = options;
    this.#server = redisServerOf(options.url);
    this.#ttlMs = options.ttlMs ?? COPY_TTL_MS;
    this.#log = options.log.child({ redis: `${this.#server.host}:${this.#server.port}` });
    this.#complaints = new Complaints(this.#log, COMPLAINT_INTERVAL_MS);
    this.#sealKey = Buffer.from(hkdfSync("sha256", options.secret, "", "copies in Redis", 32));
    this.#stored = new StoredCopies(`bazaar:${randomUUID()}`, {
      get: (key, then) => this.#get(key, then),
      put: (key, copy) => this.#put(key, copy),
      delete: (keys, then) => this.#delete(keys, then),
    });
    this.tried = this.#connect();
  }

  get(): undefined {}

  read(name: string, then: (copy: StockCopy | undefined) => void): void {
    this.#stored.read(name, then);
  }

  put(name: string, copy: StockCopy): void {
    this.#stored.put(name, copy);
  }

  drop(names: readonly string[]): void {
    this.#stored.drop(names);
  }

  clear(): void {
    this.#stored.clear();
  }

  stats(): CopyStats {
    return { size: null, evictions: null, invalidations: this.#stored.invalidations };
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#current?.close();
    this.#current = null;
    this.#openSinceMs = null;
  }

  // Commands; where there is no connection, the next one begins a session.

  #connection(): RedisConnection | null {
    return this.#openSinceMs === null ? null : this.#current;
  }

  #get(key: string, then: (copy: StockCopy | undefined) => void): void {
    const connection = this.#connection();
    if (!connection) {
      then(undefined);
      return;
    }
    connection.send("text", ["GET", key], (end) => {
      const value = this.#valueOf(end);
      then(value ? this.#unsealed(key, value) : undefined);
    });
  }

  #put(key: string, copy: StockCopy): void {
    const connection = this.#connection();
    if (!connection) return;
    const value = this.#sealed(key, copy);
    if (Buffer.byteLength(value) > TEXT_BYTES_MAX) return; // it would never be read
    connection.send("ok", ["SET", key, value, "PX", String(this.#ttlMs)], (end) => {
      this.#valueOf(end);
    });
  }

  #delete(keys: readonly string[], then: (count: number | undefined) => void): void {
    const connection = this.#connection();
    if (!connection) {
      then(0);
      return;
    }
    connection.send("count", ["DEL", ...keys], (end) => then(this.#valueOf(end)));
  }

  // Copies as they are stored: seal, position, body, with a space between.

  #sealed(key: string, { position, body }: StockCopy): string {
    const text = `${position} ${body}`;
    return `${this.#sealOf(key, text)} ${text}`;
  }

  #unsealed(key: string, value: string): StockCopy | undefined {
    const [seal = "", position = ""] = value.split(" ", 2);
    const text = value.slice(seal.length + 1);
    const right = Buffer.from(this.#sealOf(key, text));
    const given = Buffer.from(seal);
    if (given.length === right.length && timingSafeEqual(given, right)) {
      return { position: Number(position), body: text.slice(position.length + 1) };
    }
    this.#complaints.warn("seal", {}, "Redis gave back what wasn't put there");
    return undefined;
  }

  /** No key has a line feed in it, so no other key and text are the same to it. */
  #sealOf(key: string, text: string): string {
    return createHmac("sha256", this.#sealKey).update(`${key}\n${text}`).digest("base64url");
  }

  // The connection.

  /** What was replied; undefined when it was refused, or lost. */
  #valueOf<F extends Form>(end: Ended<F>): Values[F] | undefined {
    if (end.kind === "replied") return end.value;
    if (end.kind === "refused") {
      const reason = this.#shown(end.reason);
      this.#complaints.warn("refused", { reason }, "Redis refused a command");
    }
    return undefined;
  }

  async #connect(): Promise<void> {
    const opened = Promise.withResolvers<void>();
    const connection = new RedisConnection(this.#server, {
      onOpen: opened.resolve,
      onLost: (reason) => {
        opened.reject(new Unusable(reason));
        this.#lost(connection, reason);
      },
    });
    this.#current = connection;
    let reason = `not connected within ${CONNECT_LIMIT_MS} ms`;
    const work = opened.promise
      .then(() => this.#greet(connection))
      .then(() => this.#configure(connection))
      .then(
        () => true,
        (error: unknown) => {
          reason = error instanceof Error ? error.message : String(error);
          return false;
        },
      );
    const open = await within(work, CONNECT_LIMIT_MS);
    if (this.#current !== connection) return;
    if (!open) return this.#lost(connection, reason);
    this.#openSinceMs = performance.now();
    if (this.#warned) this.#log.info("Redis answers again");
    this.#warned = false;
  }

  /** Says who we are, and which database it is about. */
  async #greet(connection: RedisConnection): Promise<void> {
    const { user, database } = this.#server;
    const { password } = this.#options;
    if (password !== undefined) {
      const end = await asked(connection, "ok", [
        "AUTH",
        ...(user === null ? [] : [user]),
        password,
      ]);
      // Some servers repeat what they were sent.
      if (end.kind === "refused") throw new Unusable(`AUTH was refused: ${codeIn(end.reason)}`);
    }
    if (database === null) return;
    const end = await asked(connection, "ok", ["SELECT", database]);
    if (end.kind === "refused") throw new Unusable(`SELECT ${database}: ${end.reason}`);
  }

  /** Sets what was told to be set, and says once what the server has. Many a hosted Redis has no CONFIG. */
  async #configure(connection: RedisConnection): Promise<void> {
    const { maxmemory, maxmemoryPolicy } = this.#options;
    const settings = { maxmemory, "maxmemory-policy": maxmemoryPolicy };
    const shown: string[] = [];
    for (const [name, value] of Object.entries(settings)) {
      if (value === undefined) continue;
      const end = await asked(connection, "ok", ["CONFIG", "SET", name, value]);
      if (end.kind === "refused") return this.#configRefused(end.reason);
    }
    if (this.#configLogged) return;
    for (const name of Object.keys(settings)) {
      const end = await asked(connection, "texts", ["CONFIG", "GET", name]);
      if (end.kind === "refused") return this.#configRefused(end.reason);
      if (end.kind === "replied") shown.push(pairs(end.value.map((text) => this.#shown(text))));
    }
    this.#configLogged = true;
    this.#log.info(`Redis config : ${shown.join(" - ")}`);
  }

  #configRefused(reason: string): void {
    if (!this.#configLogged) {
      this.#log.warn({ reason: this.#shown(reason) }, "Redis config : refused");
    }
    this.#configLogged = true;
  }

  #lost(connection: RedisConnection, reason: string): void {
    if (this.#current !== connection || this.#closed) return;
    const nowMs = performance.now();
    if (this.#openSinceMs !== null && nowMs - this.#openSinceMs >= LASTED_MS) {
      this.#retryMs = RETRY_MIN_MS;
    }
    this.#current = null;
    this.#openSinceMs = null;
    this.#stored.clear();
    connection.close();
    // One that comes and goes doesn't fill the log.
    if (!this.#warned && nowMs - this.#warnedAtMs >= COMPLAINT_INTERVAL_MS) {
      this.#warned = true;
      this.#warnedAtMs = nowMs;
      const shown = this.#shown(reason);
      this.#log.warn({ reason: shown }, "Redis doesn't answer; going on without copies");
    }
    this.#retry = setTimeout(() => void this.#connect(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS);
  }

  /** What a server said, as a log line can have it: short, without what a terminal obeys, or the password. */
  #shown(said: string): string {
    const { password } = this.#options;
    const safe = password ? said.replaceAll(password, "…") : said;
    return safe.slice(0, SAID_LENGTH_MAX).replace(/[^\x20-\x7e…]/g, "?");
  }
}

/** A command's end as a promise; rejects when the connection is lost. */
function asked<F extends "ok" | "texts">(
  connection: RedisConnection,
  form: F,
  args: readonly string[],
): Promise<Exclude<Ended<F>, { kind: "lost" }>> {
  return new Promise((resolve, reject) => {
    connection.send(form, args, (end) => {
      if (end.kind === "lost") reject(new Unusable("the connection was lost"));
      else resolve(end as Exclude<Ended<F>, { kind: "lost" }>);
    });
  });
}

/** What a URL says of a server. */
interface RedisServer extends RedisServerAddress {
  readonly user: string | null;
  readonly database: string | null;
}

const PORT_DEFAULT = 6379;

function redisServerOf(url: string): RedisServer {
  const { protocol, hostname, port, username, pathname } = new URL(url);
  return {
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? PORT_DEFAULT : Number(port),
    tls: protocol === "rediss:",
    user: username === "" ? null : decodeURIComponent(username),
    database: pathname.length > 1 ? pathname.slice(1) : null,
  };
}

/** The first word of an error, `WRONGPASS` or `ERR`. */
function codeIn(reason: string): string {
  return /^[A-Z]{1,20}\b/.exec(reason)?.[0] ?? "without a reason";
}

/** The reference program's notation: {'maxmemory': '10485760'} */
function pairs(texts: readonly string[]): string {
  return texts.length === 2 ? `{'${texts[0]}': '${texts[1]}'}` : "{}";
}
