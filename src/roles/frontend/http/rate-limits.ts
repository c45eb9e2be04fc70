// How much one client may ask of a front end: a token bucket for each address, and
// one for each API key, wherever it is used from.
//
// A bucket holds what may be asked at once, and fills at the limit's rate. Each
// request takes what it costs: a list takes more than a lookup, since it is more
// work. Who finds too little is told 429, before the body is read, with how long
// to wait; nothing is taken then. A window that is counted anew each second would
// be simpler, and let twice as much through at its edge.
//
//   - A request takes from its address's bucket before anything is looked at, so
//     that guessing keys is limited, too; and from its key's once that is known.
//     Who isn't limited by address isn't by key.
//   - An address is one client's: of IPv6 the first 64 bits, which is what one
//     subscriber has. Of a proxy that is named by --trust-proxy, it is the last
//     address in X-Forwarded-For that no such proxy has; whoever isn't named
//     could write there what it likes.
//   - There are RATE_ADDRESSES_MAX buckets at most. The one that was used least lately
//     goes first: whoever has more addresses than that isn't limited by a table.
//   - Headers of the draft are sent once less than half is left, and with each
//     429: to write them on every answer would cost more than the counting.

import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { BlockList, isIP, isIPv4, isIPv6, type Socket } from "node:net";
import { LRUCache } from "lru-cache";
import { isLoopback } from "../../../io/host-names.ts";
import { RATE_ADDRESSES_MAX, RATE_BURST_S } from "../limits.ts";
import { failure, type HttpAnswer, RATE_LIMITED, writeAnswer } from "./http-answer.ts";
import type { AnswerOrigin } from "./origins.ts";
import { beforeRequests } from "./request-gate.ts";

/** What a request takes, in units: a cached lookup is one. */
const COSTS = {
  lookup: 1,
  /** It goes through the journals of a majority. */
  trade: 5,
  /** Up to 1,000 rows of the leader's tables. */
  page: 20,
  /** It opens a stream that may be kept for days. */
  events: 20,
  /** All stocks, of which there may be 100,000. */
  list: 100,
  /** It has every replica read its whole journal. */
  verify: 1_000,
  other: 2,
} as const;

/** Asked by machines that must not be turned away: whoever limits these looks ill. */
const FREE: ReadonlySet<string> = new Set(["/healthz", "/readyz"]);

/** What a request takes, by its method and URL. */
export function costOf(method: string | undefined, url: string): number {
  if (method === "POST") return url.startsWith("/verify") ? COSTS.verify : COSTS.trade;
  if (url.startsWith("/stocks/")) return COSTS.lookup;
  if (FREE.has(url)) return 0;
  if (url.startsWith("/stocks")) return url.includes("?") ? COSTS.page : COSTS.list;
  if (url === "/orders" || url.startsWith("/orders?")) return COSTS.page;
  return url.startsWith("/events") ? COSTS.events : COSTS.other;
}

export interface RateLimitOptions {
  /** What one address may ask for, units a second; 0: all it likes. */
  readonly unitsPerS: number;
  /** Whether that holds for this machine's own addresses, too. */
  readonly loopback: boolean;
  /** Addresses, and ranges like 10.0.0.0/8, of proxies that say whom they ask for. */
  readonly trustProxy: readonly string[];
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs?: () => number;
}

/** What is left in a bucket, and when that was so. */
interface Bucket {
  units: number;
  atMs: number;
}

/** What became of a request's share: `units` are left, and in `fullInMs` all are. */
export interface Share {
  readonly units: number;
  readonly fullInMs: number;
  /** When there will be enough, milliseconds; 0 if it was taken. */
  readonly waitMs: number;
}

export class RateLimits {
  /** What a bucket holds. */
  readonly unitsMax: number;
  /** Requests that were refused. */
  refused = 0;
  readonly #unitsPerMs: number;
  readonly #loopback: boolean;
  readonly #proxies: BlockList | null;
  readonly #nowMs: () => number;
  readonly #clients = new WeakMap<Socket, string | null>();
  readonly #buckets = new LRUCache<string, Bucket>({ max: RATE_ADDRESSES_MAX });

  constructor(options: RateLimitOptions) {
    const { unitsPerS, loopback, trustProxy, nowMs = () => performance.now() } = options;
    this.unitsMax = unitsPerS * RATE_BURST_S;
    this.#unitsPerMs = unitsPerS / 1_000;
    this.#loopback = loopback;
    this.#proxies = trustProxy.length === 0 ? null : proxiesOf(trustProxy);
    this.#nowMs = nowMs;
  }

  /** Whom a request is counted for: who sent it, or had a trusted proxy send it. */
  addressOf({ socket, headers }: Pick<IncomingMessage, "socket" | "headers">): string {
    const sender = plain(socket.remoteAddress ?? "");
    const proxies = this.#proxies;
    if (proxies === null || !isIn(proxies, sender)) return sender;
    // Node joins a header that came several times with commas.
    const passed = String(headers["x-forwarded-for"] ?? "").split(",");
    let address = sender;
    for (let next = passed.pop(); next !== undefined; next = passed.pop()) {
      const named = plain(next.trim());
      if (isIP(named) === 0) return address;
      address = named;
      if (!isIn(proxies, address)) return address;
    }
    return address;
  }

  /** Takes a share for the address that a request is counted for; null when that isn't limited. */
  takeOfAddress(request: Pick<IncomingMessage, "socket" | "headers">, cost: number): Share | null {
    if (this.#unitsPerMs === 0 || cost === 0) return null;
    const client = this.#clientOf(request);
    return client === null ? null : this.#take(client, cost);
  }

  /** The same for the key that it was sent with. */
  takeOfKey(
    key: string,
    request: Pick<IncomingMessage, "socket" | "headers">,
    cost: number,
  ): Share | null {
    if (this.#unitsPerMs === 0 || cost === 0 || this.#clientOf(request) === null) return null;
    return this.#take(`key ${key}`, cost); // no address has a blank
  }

  /** A share that is larger than a bucket is a full one. */
  #take(client: string, cost: number): Share {
    const nowMs = this.#nowMs();
    let bucket = this.#buckets.get(client);
    if (bucket === undefined) {
      bucket = { units: this.unitsMax, atMs: nowMs };
      this.#buckets.set(client, bucket);
    }
    const filled = bucket.units + (nowMs - bucket.atMs) * this.#unitsPerMs;
    bucket.units = Math.min(this.unitsMax, filled);
    bucket.atMs = nowMs;
    const wanted = Math.min(cost, this.unitsMax);
    const lacking = Math.max(0, wanted - bucket.units);
    if (lacking === 0) bucket.units -= wanted;
    return {
      units: bucket.units,
      fullInMs: (this.unitsMax - bucket.units) / this.#unitsPerMs,
      waitMs: lacking / this.#unitsPerMs,
    };
  }

  /** The bucket's name; null for who isn't limited. */
  #clientOf(request: Pick<IncomingMessage, "socket" | "headers">): string | null {
    if (this.#proxies !== null) return this.#named(this.addressOf(request));
    // The same for all requests of a connection: to make it each time would be most of the cost.
    const { socket } = request;
    let client = this.#clients.get(socket);
    if (client === undefined) {
      client = this.#named(this.addressOf(request));
      this.#clients.set(socket, client);
    }
    return client;
  }

  #named(address: string): string | null {
    return !this.#loopback && isLoopback(address) ? null : clientOf(address);
  }
}

/** Says of a request with a key what is to be answered because the key asks for too much; null: nothing. */
export type LimitKey = (
  key: string,
  request: IncomingMessage,
  response: ServerResponse,
) => HttpAnswer | null;

export interface LimitRatesOptions {
  readonly limits: RateLimits;
  /** Says to a browser whether a page may read that it was refused; null: none may. */
  readonly answerOrigin: AnswerOrigin | null;
  /** Told of each refusal with what it is for, an address or a key. */
  readonly refused: (policy: Policy, name: string) => void;
}

type Policy = "address" | "key";

/** What limits requests by their keys. */
export function keyLimiter({ limits, refused }: LimitRatesOptions): LimitKey {
  return (key, request, response) => {
    const share = limits.takeOfKey(key, request, costOf(request.method, request.url ?? ""));
    const refusal = refusalOf("key", share, limits, response);
    if (refusal !== null) refused("key", key);
    return refusal;
  };
}

/** Limits requests by their addresses: puts itself before the listener that `server` has for them. */
export function limitAddresses(server: Server, options: LimitRatesOptions): void {
  const { limits, answerOrigin, refused } = options;
  beforeRequests(
    server,
    (next): RequestListener =>
      (request, response) => {
        const share = limits.takeOfAddress(request, costOf(request.method, request.url ?? ""));
        const refusal = refusalOf("address", share, limits, response);
        if (refusal === null) {
          next(request, response);
          return;
        }
        refused("address", limits.addressOf(request));
        if (!answerOrigin?.(request, response)) writeAnswer(response, refusal);
      },
  );
}

/** Puts the headers where there is something to tell, RFC 9651 items with the names of draft-ietf-httpapi-ratelimit-headers-10. */
function refusalOf(
  policy: Policy,
  share: Share | null,
  limits: RateLimits,
  response: ServerResponse,
): HttpAnswer | null {
  const { unitsMax } = limits;
  if (share === null || share.units >= unitsMax / 2) return null;
  const { units, fullInMs, waitMs } = share;
  const left = `r=${Math.floor(units)};t=${inSeconds(fullInMs)}`;
  response.setHeader("ratelimit-policy", `"${policy}";q=${unitsMax};qu="units";w=${RATE_BURST_S}`);
  response.setHeader("ratelimit", `"${policy}";${left}`);
  if (waitMs === 0) return null;
  limits.refused += 1;
  const waitS = inSeconds(waitMs);
  response.setHeader("retry-after", waitS);
  return failure(RATE_LIMITED, `Too many requests from your ${policy}. Ask again in ${waitS} s`);
}

function inSeconds(ms: number): number {
  return Math.ceil(ms / 1_000);
}

function proxiesOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", bits] = range.split("/");
    const family = isIPv4(address) ? "ipv4" : "ipv6";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

function isIn(list: BlockList, address: string): boolean {
  return isIP(address) !== 0 && list.check(address, isIPv4(address) ? "ipv4" : "ipv6");
}

/** An IPv4 address as such, also where a socket of both families has it as ::ffff:10.0.0.1. */
function plain(address: string): string {
  const mapped = address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
  return isIPv4(mapped) ? mapped : address;
}

/** What addresses of one client have in common. */
function clientOf(address: string): string {
  if (!address.includes(":") || !isIPv6(address)) return address;
  const [head = "", tail] = address.replace(/%.*$/, "").split("::");
  const groups = head === "" ? [] : head.split(":");
  const tailGroups = tail === undefined || tail === "" ? [] : tail.split(":");
  // `::` stands for as many zeros as are missing.
  if (tail !== undefined) {
    while (groups.length + tailGroups.length < 8) groups.push("0");
  }
  const prefix = [...groups, ...tailGroups].slice(0, 4);
  return `${prefix.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`;
}
