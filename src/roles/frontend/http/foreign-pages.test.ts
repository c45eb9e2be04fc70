import { expect, test } from "vitest";
import { FOREIGN_PAGE, foreignTo } from "./foreign-pages.ts";

const HOST = "127.0.0.1:8000";
const OWN = `http://${HOST}`;
const SHOP = "https://shop.example";
const EVIL = "https://evil.example";

type Headers = Parameters<ReturnType<typeof foreignTo>>[0]["headers"];

const foreign: readonly (readonly [what: string, headers: Headers])[] = [
  ["another site's", { origin: EVIL, host: HOST }],
  ["another port's of this host", { origin: "http://127.0.0.1:3000", host: HOST }],
  ["one whose address begins with this host", { origin: `${OWN}.evil.example`, host: HOST }],
  ["a sandboxed one", { origin: "null", host: HOST }],
  ["one that sends nothing as its origin", { origin: "", host: HOST }],
  ["one that names no host, nor does the request", { origin: "http://", host: HOST }],
  ["one in a request without a host", { origin: EVIL }],
  ["an image on another site's", { "sec-fetch-site": "cross-site", host: HOST }],
  ["an image on another port's", { "sec-fetch-site": "same-site", host: HOST }],
];
test.each(foreign)("a page may act here that mustn't: %s", (_what, headers) => {
  expect(foreignTo([])({ headers })).toBe(true);
  expect(foreignTo([SHOP])({ headers })).toBe(true);
  expect(foreignTo(["*"])({ headers })).toBe(false);
});

const own: readonly (readonly [what: string, headers: Headers])[] = [
  ["no page", { host: HOST }],
  ["the own page", { origin: OWN, host: HOST }],
  ["the own page, in other letters", { origin: "http://Market:8000", host: "mARKET:8000" }],
  ["the own page through an encrypting proxy", { origin: SHOP, host: "shop.example" }],
  [
    "the own page through a proxy that doesn't pass the host on",
    { origin: SHOP, host: HOST, "sec-fetch-site": "same-origin" },
  ],
  ["an address typed in", { host: HOST, "sec-fetch-site": "none" }],
];
test.each(own)("a program or the own page is kept out: %s", (_what, headers) => {
  expect(foreignTo([])({ headers })).toBe(false);
});

test("a named site is kept out, or lets others in", () => {
  const isForeign = foreignTo(["http://127.0.0.1:3000", SHOP]);
  const from = (origin: string) => ({
    headers: { origin, host: HOST, "sec-fetch-site": "cross-site" },
  });
  expect(isForeign(from(SHOP))).toBe(false);
  expect(isForeign(from(EVIL))).toBe(true);
  expect(FOREIGN_PAGE.status).toBe(403);
});
