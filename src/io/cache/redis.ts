// Copies in a Redis, so that they outlive no front end but can be many more
// than fit in its memory.
//
// Keys carry a session, a prefix of this store's own that is never used again:
// two front ends on one server don't meet, and clear() is a new session; what
// the old one left goes by its ttl. A new session also begins whenever the
// connection is lost, because what was dropped meanwhile is still in there (K1).
//
// A Redis that is down, hangs or refuses is a store without copies (K2): a
// command gets COMMAND_LIMIT_MS, then the connection is given up and another
// is tried in the background. Nothing is queued for a connection that isn't
// open. The client library's own reconnecting isn't used: it repeats unsent
// commands and doesn't notice a server that accepts and never answers.

import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { createClient, ErrorReply } from "redis";
import { within } from "../within.ts";
import { COPY_TTL_MS, type CopyStats, type StockCopies, type StockCopy } from "./types.ts";

/** A lookup waits this long for Redis before it goes on without. */
const COMMAND_LIMIT_MS = 200;
/** Connecting and greeting may take this long. */
const CONNECT_LIMIT_MS = 1_000;
/** Between attempts to connect: from, doubling, to. */
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 2_000;
/** Commands under way at once; more are misses. */
const COMMANDS_MAX = 10_000;

export interface RedisCopiesOptions {
  /** `redis://[[user]:password@]host:port[/db]` */
  readonly url: string;
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

type Client = ReturnType<typeof connection>;

function connection(url: string) {
  return createClient({
    url,
    socket: { reconnectStrategy: false, connectTimeout: CONNECT_LIMIT_MS },
    disableOfflineQueue: true,
    commandsQueueMaxLength: COMMANDS_MAX,
    maintNotifications: "disabled",
  });
}

class Store implements RedisCopies {
  readonly kind = "redis";
  readonly tried: Promise<void>;
  readonly #options: RedisCopiesOptions;
  readonly #ttlMs: number;
  readonly #log: Logger;
  readonly #id = randomUUID();
  #sessions = 0;
  #prefix = "";
  /** The connection in use or being opened; null between attempts. */
  #current: Client | null = null;
  #open = false;
  #closed = false;
  #warned = false;
  #refusalWarned = false;
  #configLogged = false;
  #retryMs = RETRY_MIN_MS;
  #retry: NodeJS.Timeout | undefined;
  #invalidations = 0;

  constructor(options: RedisCopiesOptions) {
    this.#options = options;
    this.#ttlMs = options.ttlMs ?? COPY_TTL_MS;
    this.#log = options.log.child({ redis: withoutPassword(options.url) });
    this.#newSession();
    this.tried = this.#connect();
  }

  get(name: string): undefined | Promise<StockCopy | undefined> {
    const client = this.#client();
    return client ? this.#read(client, name) : undefined;
  }

  put(name: string, copy: StockCopy): void {
    const client = this.#client();
    if (!client) return;
    const text = `${copy.position} ${copy.body}`;
    void this.#limited(client, client.set(this.#prefix + name, text, { PX: this.#ttlMs }));
  }

  drop(names: readonly string[]): void {
    const client = this.#client();
    if (!client || names.length === 0) return; // the next connection starts a session
    const dropped = this.#limited(client, client.del(names.map((name) => this.#prefix + name)));
    void dropped.then((count) => {
      if (count === undefined)
        this.clear(); // who knows what is still there
      else this.#invalidations += count;
    });
  }

  clear(): void {
    this.#newSession();
  }

  stats(): CopyStats {
    return {
      size: null,
      evictions: null,
      invalidations: this.#invalidations,
    };
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#current?.destroy();
    this.#current = null;
    this.#open = false;
  }

  async #read(client: Client, name: string): Promise<StockCopy | undefined> {
    const prefix = this.#prefix;
    const text = await this.#limited(client, client.get(prefix + name));
    // A session that ended while we waited takes its copies along. K1
    return text && prefix === this.#prefix ? parseCopy(text) : undefined;
  }

  #client(): Client | null {
    return this.#open ? this.#current : null;
  }

  #newSession(): void {
    this.#sessions++;
    this.#prefix = `bazaar:${this.#id}:${this.#sessions}:`;
  }

  /** The result of a command, or undefined when there is none in time. */
  #limited<T>(client: Client, command: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve) => {
      let settled = false;
      const settle = (result: T | undefined) => {
        settled = true;
        clearTimeout(timer);
        resolve(result);
      };
      // An answer that came while this process was busy is read before it is judged late.
      const timer = setTimeout(() => setImmediate(judge), COMMAND_LIMIT_MS);
      const judge = () => {
        if (settled) return;
        settle(undefined);
        this.#lost(client, `no answer within ${COMMAND_LIMIT_MS} ms`);
      };
      command.then(settle, (error: unknown) => {
        settle(undefined);
        if (error instanceof ErrorReply) this.#refused(error);
      });
    });
  }

  async #connect(): Promise<void> {
    const client = connection(this.#options.url);
    this.#current = client;
    client.on("error", (error: Error) => this.#lost(client, error.message));
    let reason = `not connected within ${CONNECT_LIMIT_MS} ms`;
    const work = client
      .connect()
      .then(() => this.#configure(client))
      .catch((error: unknown) => {
        reason = error instanceof Error ? error.message : String(error);
        return false;
      });
    const open = await within(work, CONNECT_LIMIT_MS);
    if (this.#current !== client) return;
    if (!open) return this.#lost(client, reason);
    this.#open = true;
    this.#retryMs = RETRY_MIN_MS;
    this.#refusalWarned = false;
    if (this.#warned) this.#log.info("Redis answers again");
    this.#warned = false;
  }

  /** Sets what was told to be set, and says once what the server has. */
  async #configure(client: Client): Promise<true> {
    const { maxmemory, maxmemoryPolicy } = this.#options;
    try {
      if (maxmemory !== undefined) await client.configSet("maxmemory", maxmemory);
      if (maxmemoryPolicy !== undefined) {
        await client.configSet("maxmemory-policy", maxmemoryPolicy);
      }
      if (this.#configLogged) return true;
      const memory = await client.configGet("maxmemory");
      const policy = await client.configGet("maxmemory-policy");
      this.#configLogged = true;
      this.#log.info(`Redis config : ${pairs(memory)} - ${pairs(policy)}`);
    } catch (error) {
      if (!(error instanceof ErrorReply)) throw error; // many a hosted Redis has no CONFIG
      if (!this.#configLogged) this.#log.warn({ reason: error.message }, "Redis config : refused");
      this.#configLogged = true;
    }
    return true;
  }

  #refused(error: ErrorReply): void {
    if (this.#refusalWarned) return;
    this.#refusalWarned = true;
    this.#log.warn({ reason: error.message }, "Redis refused a command");
  }

  #lost(client: Client, reason: string): void {
    if (this.#current !== client || this.#closed) return;
    this.#current = null;
    this.#open = false;
    this.#newSession();
    client.destroy();
    if (!this.#warned) {
      this.#warned = true;
      this.#log.warn({ reason }, "Redis doesn't answer; going on without copies");
    }
    this.#retry = setTimeout(() => void this.#connect(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS);
  }
}

function parseCopy(text: string): StockCopy | undefined {
  const space = text.indexOf(" ");
  const position = Number(text.slice(0, space));
  if (space < 1 || !Number.isSafeInteger(position)) return undefined; // not one of ours
  return { position, body: text.slice(space + 1) };
}

/** The seed's notation: {'maxmemory': '10485760'} */
function pairs(config: Readonly<Record<string, string>>): string {
  const inner = Object.entries(config).map(([key, value]) => `'${key}': '${value}'`);
  return `{${inner.join(", ")}}`;
}

function withoutPassword(url: string): string {
  const { host, pathname } = new URL(url);
  return host + pathname;
}
