// Who may ask for what: API keys, and the right that each route needs.
//
// Without any key ever made (and no issuer of tokens) everybody may everything, as
// a bazaar on a machine of one's own should be; and nobody anything where the front
// end listens beyond it, unless --insecure says so: it can't refuse to start for
// want of a key, since keys are made while the bazaar runs. From the first key on every route
// but the open ones needs one, for ever: who revokes the last mustn't open it.
//
//   - Which keys there are is core/service/key-copy.ts's to say. While it can't,
//     a request waits, as it would for its answer.
//   - What is answered without the leader (`leaderless`) doesn't wait for it to say
//     which keys there are, as long as no key was known of: a bazaar without keys
//     whose replicas are down still answers from its catalogs, and shows that they
//     are down.
//   - A secret is compared by its digest, in a time that doesn't depend on where
//     they differ. Of it, or of what else came in Authorization, nothing is logged
//     or repeated.

import { hash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastifyInstance } from "fastify";
import { invariant } from "../../../core/invariant.ts";
import { isKeyName, type Right } from "../../../core/market/keys.ts";
import type { ApiKey } from "../../../core/market/types.ts";
import type { KeyCopy, KnownKeys } from "../../../core/service/key-copy.ts";
import type { AuditLog } from "../../../io/logging/audit-log.ts";
import { failure, type HttpAnswer, send, UNAVAILABLE } from "./http-answer.ts";
import type { LimitKey } from "./rate-limits.ts";

/** What a route asks of who calls it. */
export interface Need {
  /** Null: nothing. */
  readonly may: Right | null;
  /** It can be answered while no leader is reached: from a catalog, or by what this front end knows itself. */
  readonly leaderless?: true;
  /** It tells of all stocks: nothing for a key that is for some. */
  readonly ofAllStocks?: true;
}

const OPEN: Need = { may: null };

/** What each route needs. A route without a row is not let in by build(). */
export const NEEDS: Readonly<Record<string, Need>> = {
  "GET /stocks/:name": { may: "read", leaderless: true },
  "GET /stocks": { may: "read", leaderless: true, ofAllStocks: true },
  "GET /orders/:number": { may: "read" },
  "GET /orders": { may: "read", ofAllStocks: true },
  "POST /orders": { may: "trade" },
  "GET /get_order_leader": { may: "read", leaderless: true },
  "GET /events": { may: "read", leaderless: true, ofAllStocks: true },
  "GET /steps": { may: "read", leaderless: true, ofAllStocks: true },
  "GET /cache_invalid/:name": { may: "manage", leaderless: true },
  "POST /verify": { may: "manage", leaderless: true },
  "GET /playground": { may: "manage", leaderless: true },
  "POST /playground": { may: "manage", leaderless: true },
  "GET /metrics": { may: "metrics", leaderless: true },
  "GET /healthz": OPEN,
  "GET /readyz": OPEN,
  // The interface and the page, which are the same in every bazaar.
  "GET /openapi.json": OPEN,
  "GET /docs": OPEN,
  "GET /docs/": OPEN,
  "GET /docs/js/scalar.js": OPEN,
  "GET /": OPEN,
  "GET /icon.svg": OPEN,
  "GET /index.html": OPEN,
};
/** The page's files, whose names say what is in them. */
const ASSETS = "/assets/";

/** What a route needs; undefined for one without a row. HEAD is what GET is. */
export function needOf(method: string, route: string): Need | undefined {
  if (route.startsWith(ASSETS)) return OPEN;
  return NEEDS[`${method === "HEAD" ? "GET" : method} ${route}`];
}

/** Who was let in. */
export interface Grant {
  /** What requests and orders are named by; null: nobody in particular, in an open bazaar. */
  readonly owner: string | null;
  /** The only stocks that it is for; null: all. */
  readonly stocks: ReadonlySet<string> | null;
  readonly may: (right: Right) => boolean;
  /** Whether it would be let in at this moment. */
  readonly holds: () => boolean;
}

type Verdict = Grant | HttpAnswer;

export function isGrant(verdict: Verdict): verdict is Grant {
  return "owner" in verdict;
}

/** Whether a grant is for this stock. */
export function isFor({ stocks }: Grant, stock: string): boolean {
  return stocks === null || stocks.has(stock);
}

const UNRECORDED = failure(503, "The audit log can't be written. Ask again later");
const NO_ISSUER = failure(503, "The issuer of tokens doesn't answer. Ask again later");
const REALM = 'Bearer realm="bazaar"';
const HOW = "as Authorization: Bearer KEY";

const NO_KEY: HttpAnswer = {
  ...failure(401, `This bazaar asks for a key. Send one ${HOW}`),
  challenge: REALM,
};
const NONE_MADE: HttpAnswer = {
  ...failure(
    401,
    'This bazaar listens beyond its own machine, and has no key yet: "npx bazaar key add" makes one',
  ),
  challenge: REALM,
};
// RFC 6750, section 3.1.
const WRONG_KEY: HttpAnswer = {
  ...failure(401, "This key isn't known here, is revoked, or has expired"),
  challenge: `${REALM}, error="invalid_token"`,
};

function lacks(right: Right): HttpAnswer {
  return {
    ...failure(403, `This key may not do that: it lacks the right to ${right}`),
    challenge: `${REALM}, error="insufficient_scope", scope="${right}"`,
  };
}

/** What is said to who asks for a stock that its key isn't for. */
export const OTHER_STOCK: HttpAnswer = {
  ...failure(403, "This key is for some stocks only, and not for this one"),
  challenge: `${REALM}, error="insufficient_scope"`,
};
const ALL_STOCKS: HttpAnswer = {
  ...failure(403, "This key is for some stocks only: ask for each by its name"),
  challenge: `${REALM}, error="insufficient_scope"`,
};

/** Characters of an Authorization header that are looked at; of two headers Node makes one, which is none: a token of an issuer has some thousand. */
const AUTHORIZATION_LENGTH_MAX = 8_192;
/** RFC 6750, section 2.1; the scheme in any case. */
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;
const KEY = /^([^.]+)\.([^.]+)$/;

/** The issuer couldn't be asked for its keys: nobody knows whether a token is right. */
export class IssuerUnreachable extends Error {
  override readonly name = "IssuerUnreachable";
}

/** What is written down of who was let in, and who wasn't. */
export type Recorder = Pick<AuditLog, "isWritable" | "record">;

interface AccessOptions {
  /** Nothing is recorded unless told. */
  readonly audit?: Recorder;
  /** Tokens of an issuer are taken, too; a bazaar that does is never open. */
  readonly tokens?: { verify(token: string): Grant | null | Promise<Grant | null> };
  readonly keys: Pick<KeyCopy, "last" | "current" | "whenCurrent">;
  /** While nothing was heard of keys, it is taken that there are none. For a front end that listens on this machine alone. */
  readonly isOpenAtFirst: boolean;
  /** As long as there is no key, nobody is let in. Default: everybody is. */
  readonly needsKeys?: boolean;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
}

/** A key, made ready to compare with. */
interface ReadyKey {
  readonly digest: Buffer;
  readonly expiresAtMs: number;
  readonly grant: Grant;
}

/** Characters of a path that are written down: of a stock's name, and more. */
const PATH_LENGTH_MAX = 128;

/** What an answer that is none says. */
export function whyOf({ body }: HttpAnswer): string {
  return String(JSON.parse(String(body)).error?.message);
}

/** Whether who was recognized may do it. */
function allowed(need: Need, grant: Grant | null): Verdict {
  if (grant === null) return WRONG_KEY;
  if (need.may !== null && !grant.may(need.may)) return lacks(need.may);
  return need.ofAllStocks && grant.stocks !== null ? ALL_STOCKS : grant;
}

function allowedTo(
  need: Need,
  grant: Grant | null | Promise<Grant | null>,
): Verdict | Promise<Verdict> {
  if (!(grant instanceof Promise)) return allowed(need, grant);
  return grant.then(
    (verified) => allowed(need, verified),
    (error: unknown) => {
      if (error instanceof IssuerUnreachable) return NO_ISSUER;
      throw error;
    },
  );
}

/** The key or token in the header; null for none, or what can't be one. */
export function bearerOf(authorization: string | undefined): string | null {
  if (authorization === undefined || authorization.length > AUTHORIZATION_LENGTH_MAX) return null;
  return BEARER.exec(authorization)?.[1] ?? null;
}

/** A JWT in the header: three parts, where a key has two. */
function tokenOf(authorization: string | undefined): string | null {
  const token = bearerOf(authorization);
  return token?.split(".").length === 3 ? token : null;
}

/** The name that somebody says to have, which nothing proves; null for none. */
function claimedIn(authorization: string | undefined): string | null {
  const [, name = ""] = KEY.exec(bearerOf(authorization) ?? "") ?? [];
  return isKeyName(name) ? name : null;
}

export class Access {
  readonly #options: AccessOptions;
  #ready: { readonly of: KnownKeys; readonly keys: ReadonlyMap<string, ReadyKey> } | null = null;
  readonly #everybody: Grant;

  constructor(options: AccessOptions) {
    this.#options = options;
    this.#everybody = {
      owner: null,
      stocks: null,
      may: () => true,
      holds: () => this.#isOpen,
    };
  }

  /** Who is let in with this header to what needs that, or the answer for who isn't. At once where it can be. */
  judge(authorization: string | undefined, need: Need): Verdict | Promise<Verdict> {
    if (need.may === null) return this.#everybody;
    const { keys, tokens, audit } = this.#options;
    if (audit?.isWritable === false) return UNRECORDED;
    const token = tokens ? tokenOf(authorization) : null;
    if (token !== null && tokens) return allowedTo(need, tokens.verify(token));
    // Once closed, a bazaar is so for ever: no need to ask.
    const isClosed = tokens !== undefined || (keys.last?.version ?? 0) > 0;
    if (isClosed && authorization === undefined) return NO_KEY;
    if (this.#isOpen && (need.leaderless || keys.current !== null)) return this.#everybody;
    if (keys.current !== null) return this.#judged(keys.current, authorization, need);
    return new Promise((resolve) => {
      keys.whenCurrent(() => {
        const { current } = keys;
        resolve(current === null ? UNAVAILABLE : this.#judged(current, authorization, need));
      });
    });
  }

  /** No key was known of when the leader was heard last. */
  get #isOpen(): boolean {
    const { keys, tokens, needsKeys } = this.#options;
    const { last } = keys;
    if (tokens || needsKeys) return false;
    return last === null ? this.#options.isOpenAtFirst : last.version === 0;
  }

  #judged(known: KnownKeys, authorization: string | undefined, need: Need): Verdict {
    const { tokens, needsKeys } = this.#options;
    if (known.version === 0 && !tokens) return needsKeys ? NONE_MADE : this.#everybody;
    if (authorization === undefined) return NO_KEY;
    return allowed(need, this.#known(known, authorization));
  }

  /** Somebody wasn't let in to this: it is written down. */
  refused({ headers, socket }: IncomingMessage, route: string, answer: HttpAnswer): void {
    const { audit } = this.#options;
    const { status } = answer;
    if (status !== 401 && status !== 403) return;
    audit?.record({
      what: "refused",
      who: claimedIn(headers.authorization),
      from: socket.remoteAddress,
      route,
      status,
      why: whyOf(answer),
    });
  }

  /** Somebody acted on the bazaar itself: it is written down. */
  managed(route: string, { owner }: Grant, { url, socket }: IncomingMessage, status: number): void {
    const [path] = (url ?? "").split("?");
    this.#options.audit?.record({
      what: route,
      who: owner,
      from: socket.remoteAddress,
      path: path?.slice(0, PATH_LENGTH_MAX),
      status,
    });
  }

  #known(known: KnownKeys, authorization: string): Grant | null {
    const [, name = "", secret = ""] = KEY.exec(bearerOf(authorization) ?? "") ?? [];
    const key = this.#keysOf(known).get(name);
    if (key === undefined || !timingSafeEqual(hash("sha256", secret, "buffer"), key.digest)) {
      return null;
    }
    return this.#isOver(key) ? null : key.grant;
  }

  #isOver({ expiresAtMs }: Pick<ReadyKey, "expiresAtMs">): boolean {
    return expiresAtMs !== 0 && this.#options.wallMs() >= expiresAtMs;
  }

  #keysOf(known: KnownKeys): ReadonlyMap<string, ReadyKey> {
    if (this.#ready?.of !== known) {
      const keys = known.keys.map((key) => [key.name, this.#readyKey(key)] as const);
      this.#ready = { of: known, keys: new Map(keys) };
    }
    return this.#ready.keys;
  }

  #readyKey({ name, digest, may, stocks, expiresAtMs }: ApiKey): ReadyKey {
    const rights = new Set<string>(may.split(","));
    const holds = (): boolean => {
      const { current } = this.#options.keys;
      return current !== null && this.#keysOf(current).has(name) && !this.#isOver({ expiresAtMs });
    };
    return {
      digest: Buffer.from(digest, "hex"),
      expiresAtMs,
      grant: {
        owner: name,
        stocks: stocks === "" ? null : new Set(stocks.split(",")),
        may: (right) => rights.has(right),
        holds,
      },
    };
  }
}

/** Of a bazaar without keys: for tests, and where there is no cluster to ask. */
export function openAccess(): Access {
  const known: KnownKeys = { version: 0, keys: [] };
  const keys = { last: known, current: known, whenCurrent: () => {} };
  return new Access({ keys, isOpenAtFirst: true, wallMs: Date.now });
}

/** The verdict on a request whose key may not ask for too much. */
export function withinLimit(
  verdict: Verdict,
  limitKey: LimitKey | null,
  request: IncomingMessage,
  response: ServerResponse,
): Verdict {
  if (limitKey === null || !isGrant(verdict) || verdict.owner === null) return verdict;
  return limitKey(verdict.owner, request, response) ?? verdict;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Set before any route runs. */
    grant: Grant | null;
  }
}

/** Has the router ask before each route; before the routes are registered. A route without a row throws. */
export function accessHook(app: FastifyInstance, access: Access, limitKey: LimitKey | null): void {
  app.decorateRequest("grant", null);
  app.addHook("onRoute", ({ method, url }) => {
    for (const each of [method].flat()) {
      if (needOf(each, url) === undefined) throw new Error(`no row of NEEDS for ${each} ${url}`);
    }
  });
  app.addHook("onRequest", (request, reply, done) => {
    // The request's own method: a route may have several.
    const { method } = request;
    const { url } = request.routeOptions;
    // What isn't there is told to everybody.
    const need = url === undefined ? OPEN : needOf(method, url);
    invariant(need !== undefined, "each route has a row", { method });
    const judged = (found: Verdict): void => {
      const verdict = withinLimit(found, limitKey, request.raw, reply.raw);
      if (isGrant(verdict)) {
        request.grant = verdict;
        done();
      } else {
        access.refused(request.raw, `${method} ${url}`, verdict);
        send(reply, verdict);
      }
    };
    const verdict = access.judge(request.headers.authorization, need);
    if (verdict instanceof Promise) verdict.then(judged, done);
    else judged(verdict);
  });
  app.addHook("onResponse", (request, reply, done) => {
    const { method } = request;
    const { url = "" } = request.routeOptions;
    if (request.grant && needOf(method, url)?.may === "manage") {
      access.managed(`${method} ${url}`, request.grant, request.raw, reply.statusCode);
    }
    done();
  });
}
