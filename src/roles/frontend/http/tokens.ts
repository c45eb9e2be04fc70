// Tokens of an identity provider: JWTs (RFC 7519) that it signed for this bazaar,
// and what they allow.
//
//   - Only signatures with public keys, by the algorithms named here: what a token
//     says of its own algorithm chooses among these, and "none" isn't one.
//   - The issuer's keys are fetched when they are first needed, kept, and fetched
//     anew for a key id that isn't known, so that the issuer may change them at any
//     time; jose sees to it that strangers can't have them fetched all the time.
//   - Who was let in once is known by the token's digest until it expires, and
//     lookups with it are answered at once. A token can't be revoked: issuers make
//     them short-lived.

import { hash } from "node:crypto";
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from "jose";
import { LRUCache } from "lru-cache";
import { z } from "zod";
import { RIGHTS, type Right } from "../../../core/market/keys.ts";
import { type Grant, IssuerUnreachable } from "./access.ts";

export interface TokensOptions {
  /** As tokens name it in `iss`. */
  readonly issuer: string;
  /** What tokens for this bazaar have in `aud`. */
  readonly audience: string;
  /** The claim with the rights: a list, or words with blanks between. */
  readonly claim: string;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
}

const ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA"];
/** Clocks of an issuer and of this machine, seconds apart. */
const CLOCK_TOLERANCE_S = 5;
/** How long the issuer may take to say where its keys are, and which, milliseconds. */
const ISSUER_LIMIT_MS = 5_000;
const TOKENS_KEPT_MAX = 10_000;
/** Characters of a subject that stand in orders and logs as they are; a longer one as its digest. */
const SUBJECT = /^[\x21-\x7e]{1,64}$/;

const discovered = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

export class Tokens {
  readonly #options: TokensOptions;
  readonly #known: LRUCache<string, { readonly grant: Grant; readonly expiresAtMs: number }>;
  #keys: Promise<ReturnType<typeof createRemoteJWKSet>> | null = null;

  constructor(options: TokensOptions) {
    this.#options = options;
    this.#known = new LRUCache({ max: TOKENS_KEPT_MAX });
  }

  /** What a token allows; null for one that isn't right. Rejects with IssuerUnreachable. */
  verify(token: string): Grant | null | Promise<Grant | null> {
    const digest = hash("sha256", token);
    const known = this.#known.get(digest);
    if (known === undefined) return this.#verified(token, digest);
    return this.#options.wallMs() < known.expiresAtMs ? known.grant : null;
  }

  async #verified(token: string, digest: string): Promise<Grant | null> {
    const { issuer, audience, wallMs } = this.#options;
    try {
      this.#keys ??= this.#discover();
      const keys = await this.#keys.catch((error: unknown) => {
        this.#keys = null; // asked again for the next token
        throw error;
      });
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_TOLERANCE_S,
        currentDate: new Date(wallMs()),
        requiredClaims: ["exp", "sub"],
      });
      const expiresAtMs = ((payload.exp ?? 0) + CLOCK_TOLERANCE_S) * 1_000;
      const grant = this.#grant(payload, expiresAtMs);
      this.#known.set(digest, { grant, expiresAtMs });
      return grant;
    } catch (error) {
      if (error instanceof errors.JOSEError && !isOfIssuer(error)) return null;
      throw new IssuerUnreachable("the issuer's keys can't be fetched", { cause: error });
    }
  }

  /** OpenID Connect Discovery 1.0, section 4. */
  async #discover(): Promise<ReturnType<typeof createRemoteJWKSet>> {
    const { issuer } = this.#options;
    const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const signal = AbortSignal.timeout(ISSUER_LIMIT_MS);
    const response = await fetch(url, { signal, redirect: "error" });
    const told = discovered.parse(await response.json());
    if (told.issuer !== issuer) throw new Error(`${url} is of another issuer: ${told.issuer}`);
    return createRemoteJWKSet(new URL(told.jwks_uri), { timeoutDuration: ISSUER_LIMIT_MS });
  }

  #grant(payload: JWTPayload, expiresAtMs: number): Grant {
    const { claim, wallMs } = this.#options;
    const { sub = "" } = payload;
    const told = payload[claim];
    const words: unknown[] = typeof told === "string" ? told.split(" ") : [told].flat();
    const rights = new Set<Right>(RIGHTS.filter((right) => words.includes(right)));
    return {
      // No key's name has a colon.
      owner: `jwt:${SUBJECT.test(sub) ? sub : hash("sha256", sub, "base64url")}`,
      stocks: null,
      may: (right) => rights.has(right),
      holds: () => wallMs() < expiresAtMs,
    };
  }
}

/** Whether it says nothing of the token, but that the issuer's keys couldn't be had. */
function isOfIssuer(error: errors.JOSEError): boolean {
  return (
    error instanceof errors.JWKSTimeout ||
    error instanceof errors.JWKSInvalid ||
    error.code === "ERR_JOSE_GENERIC"
  );
}
