import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { type Caller, refusedToPlay, TOKEN_HEADER } from "./playground.ts";

const TOKEN = "t".repeat(32);
const DIGEST = createHash("sha256").update(TOKEN).digest("hex");
const HEADERS = {
  host: "127.0.0.1:8000",
  origin: "http://127.0.0.1:8000",
  [TOKEN_HEADER]: TOKEN,
};
const PAGE: Caller = { address: "127.0.0.1", headers: HEADERS };

test("the page with the token may play, under whatever name of this machine", () => {
  expect(refusedToPlay(PAGE, DIGEST)).toBeNull();
  const named = { ...HEADERS, host: "localhost:8000", origin: "http://localhost:8000" };
  expect(refusedToPlay({ address: "::1", headers: named }, DIGEST)).toBeNull();
  expect(refusedToPlay({ ...PAGE, address: "::ffff:127.0.0.1" }, DIGEST)).toBeNull();
  // What a page asks of its own site with GET has no Origin.
  const { origin: _, ...read } = HEADERS;
  const headers = { ...read, "sec-fetch-site": "same-origin" };
  expect(refusedToPlay({ ...PAGE, headers }, DIGEST)).toBeNull();
});

test.each<[string, string | undefined, Caller["headers"]]>([
  ["another machine", "10.0.0.7", HEADERS],
  ["an address that only begins alike", "127.0.0.1.evil", HEADERS],
  ["no address", undefined, HEADERS],
  ["another site", "127.0.0.1", { ...HEADERS, origin: "https://evil.example" }],
  ["another port of this machine", "127.0.0.1", { ...HEADERS, origin: "http://127.0.0.1:9999" }],
  ["a page without origin", "127.0.0.1", { ...HEADERS, origin: "null" }],
])("%s may not play, though it has the token", (_who, address, headers) => {
  expect(refusedToPlay({ address, headers }, DIGEST)).toMatch(/may play|may not play/);
});

test.each<[string, string | undefined]>([
  ["no token", undefined],
  ["an empty token", ""],
  ["another token", "u".repeat(32)],
  ["a part of the token", TOKEN.slice(1)],
  ["the digest of the token", DIGEST],
])("the page with %s looks on, and is told which address to open", (_what, token) => {
  const headers = { ...HEADERS, [TOKEN_HEADER]: token };
  expect(refusedToPlay({ ...PAGE, headers }, DIGEST)).toContain("bazaar up printed");
  expect(refusedToPlay({ ...PAGE, headers }, "")).not.toBeNull();
});
