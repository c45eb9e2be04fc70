// Tokens of a real issuer: an HTTP server on loopback with keys of its own.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from "jose";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { IssuerUnreachable } from "./access.ts";
import { Tokens } from "./tokens.ts";

const AUDIENCE = "bazaar";
let server: Server;
let issuer: string;
let nowMs: number;
/** What the issuer has as its keys now, and how often it was asked for them. */
let keys: { readonly kid: string; readonly sign: CryptoKey; readonly jwk: object }[];
let asked: number;
let isUp: boolean;
let tokens: Tokens;

beforeEach(async () => {
  nowMs = Date.now();
  keys = [await keyPair("first")];
  asked = 0;
  isUp = true;
  server = createServer(({ url }, response) => {
    if (!isUp) {
      response.destroy();
      return;
    }
    if (url === "/jwks") asked += 1;
    const told =
      url === "/.well-known/openid-configuration"
        ? { issuer, jwks_uri: `${issuer}/jwks` }
        : { keys: keys.map(({ jwk }) => jwk) };
    response.setHeader("content-type", "application/json").end(JSON.stringify(told));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  tokens = new Tokens({ issuer, audience: AUDIENCE, claim: "scope", wallMs: () => nowMs });
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function keyPair(kid: string) {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  return { kid, sign: privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: "ES256" } };
}

async function token(
  more: { readonly [Claim in keyof JWTPayload]: unknown } = {},
  key = keys.at(-1),
): Promise<string> {
  if (key === undefined) throw new Error("no key");
  const seconds = Math.floor(nowMs / 1_000);
  return new SignJWT({
    iss: issuer,
    aud: AUDIENCE,
    sub: "ann",
    exp: seconds + 60,
    scope: "read trade",
    ...(more as JWTPayload),
  })
    .setProtectedHeader({ alg: "ES256", kid: key.kid })
    .sign(key.sign);
}

test("a token of the issuer allows what its claim says, in whichever way it says it", async () => {
  for (const scope of ["read trade own", ["trade", "read"]]) {
    const grant = await tokens.verify(await token({ scope }));
    expect(grant?.owner).toBe("jwt:ann");
    expect(
      ["read", "trade", "manage", "metrics"].map((right) => grant?.may(right as "read")),
    ).toEqual([true, true, false, false]);
  }
  const nothing = await tokens.verify(await token({ scope: undefined }));
  expect(nothing?.may("read")).toBe(false);
});

test("who was let in is known until the token expires, without asking or waiting", async () => {
  const text = await token();
  const grant = await tokens.verify(text);
  expect(tokens.verify(text)).toBe(grant);
  expect(grant?.holds()).toBe(true);
  nowMs += 66_000;
  expect(tokens.verify(text)).toBeNull();
  expect(grant?.holds()).toBe(false);
});

test("a token of another issuer, for another audience, expired, too early, or without what it needs is none", async () => {
  const seconds = Math.floor(nowMs / 1_000);
  for (const more of [
    { iss: "http://elsewhere" },
    { aud: "shop" },
    { exp: seconds - 10 },
    { nbf: seconds + 60 },
    { sub: undefined },
    { exp: undefined },
  ]) {
    expect(await tokens.verify(await token(more)), JSON.stringify(more)).toBeNull();
  }
});

test("a token that isn't signed, or by another's key under a known id, is none", async () => {
  const other = await keyPair("first");
  expect(await tokens.verify(await token({}, other))).toBeNull();
  const seconds = Math.floor(nowMs / 1_000);
  const unsigned = new UnsecuredJWT({ sub: "ann", scope: "read" })
    .setIssuer(issuer)
    .setAudience(AUDIENCE)
    .setExpirationTime(seconds + 60)
    .encode();
  expect(await tokens.verify(unsigned)).toBeNull();
  const secret = new TextEncoder().encode(JSON.stringify(keys[0]?.jwk).padEnd(64));
  const symmetric = await new SignJWT({ scope: "read" })
    .setProtectedHeader({ alg: "HS256", kid: "first" })
    .setIssuer(issuer)
    .setAudience(AUDIENCE)
    .setSubject("ann")
    .setExpirationTime(seconds + 60)
    .sign(secret);
  expect(await tokens.verify(symmetric)).toBeNull();
  for (const garbage of ["a.b.c", "..", "x"]) expect(await tokens.verify(garbage)).toBeNull();
});

test("the issuer's keys are fetched once for many tokens", async () => {
  for (const sub of ["a", "b", "c"])
    expect(await tokens.verify(await token({ sub }))).not.toBeNull();
  expect(asked).toBe(1);
});

test("an issuer that can't be reached is no verdict on a token, and it is asked again for the next", async () => {
  isUp = false;
  const text = await token();
  await expect(tokens.verify(text)).rejects.toBeInstanceOf(IssuerUnreachable);
  isUp = true;
  expect(await tokens.verify(text)).not.toBeNull();
});

test("a subject that can't stand in a request id does so as its digest", async () => {
  for (const sub of ["ann\u001fbob", "é", "x".repeat(100)]) {
    const grant = await tokens.verify(await token({ sub }));
    expect(grant?.owner).toMatch(/^jwt:[\w-]{43}$/);
  }
});

test("a key that the issuer made since is fetched, and tokens by one that it took back are none", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: nowMs });
  onTestFinished(() => void vi.useRealTimers());
  const [first] = keys;
  expect(await tokens.verify(await token())).not.toBeNull();
  keys = [await keyPair("second")];
  nowMs += 40_000;
  vi.setSystemTime(nowMs);
  expect(await tokens.verify(await token())).not.toBeNull();
  expect(await tokens.verify(await token({ sub: "bob" }, first))).toBeNull();
});
