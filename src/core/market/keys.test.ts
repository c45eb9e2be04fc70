import { describe, expect, test } from "vitest";
import { Audit } from "./audit.ts";
import { refusedInAnyMarket } from "./content.ts";
import { decide } from "./decide.ts";
import { KEYS_MAX, KeyBook, operatorRequestId, ownerOf, requestIdOf } from "./keys.ts";
import { MarketState } from "./state.ts";
import type { ApiKey, Command, Content } from "./types.ts";

const KEY: ApiKey = {
  name: "shop",
  digest: "ab".repeat(32),
  may: "read,trade",
  stocks: "",
  expiresAtMs: 0,
};

/** Decides and applies, as a leader does. */
function leader() {
  const market = new MarketState({
    stocks: [{ name: "FishCo", price: 1, quantity: 9 }],
    lastNumber: 0,
    older: { request: () => undefined },
  });
  const made: Command[] = [];
  return {
    market,
    made,
    ask(content: Content, requestId = operatorRequestId(String(made.length))) {
      const { outcome, command } = decide(market, { requestId, content, recordRefusal: false });
      if (command !== null) {
        market.apply(made.length + 1, [command]);
        made.push(command);
      }
      return outcome.kind === "refused" ? outcome.refusal.kind : outcome.kind;
    },
  };
}

const key = (name: string, more: Partial<ApiKey> = {}): Content => ({
  kind: "key",
  ...KEY,
  ...more,
  name,
});
const revoke = (name: string): Content => ({ kind: "revoke", name });

describe("keys", () => {
  test("are made and revoked once each, and a name is never given again", () => {
    const { market, ask } = leader();
    expect(ask(key("shop"))).toBe("key-made");
    expect(market.keys.all()).toEqual([KEY]);
    expect(ask(key("shop", { may: "read" }))).toBe("key-exists");
    expect(ask(revoke("shop"))).toBe("key-revoked");
    expect(market.keys.all()).toEqual([]);
    expect(ask(revoke("shop"))).toBe("unknown-key");
    expect(ask(key("shop"))).toBe("key-exists");
    expect(ask(revoke("other"))).toBe("unknown-key");
  });

  test("can't be made or revoked under a request id that a client can send", () => {
    const { ask, made } = leader();
    for (const id of ["mine", requestIdOf("shop", "mine"), requestIdOf(null, "mine")]) {
      expect(ask(key("other"), id)).toBe("invalid-key");
    }
    ask(key("shop"));
    expect(ask(revoke("shop"), requestIdOf("shop", "1"))).toBe("invalid-key");
    expect(made).toHaveLength(1);
  });

  test("are so many at most, and a revoked one gives its place", () => {
    const { ask } = leader();
    for (let index = 0; index < KEYS_MAX; index++) ask(key(`key-${index}`));
    expect(ask(key("more"))).toBe("too-many-keys");
    ask(revoke("key-0"));
    expect(ask(key("more"))).toBe("key-made");
  });

  test("a request's id says whose it is, and no two owners share one", () => {
    expect(ownerOf(requestIdOf("shop", "1"))).toBe("shop");
    expect(ownerOf(requestIdOf(null, "1"))).toBeNull();
    expect(ownerOf(operatorRequestId("1"))).toBeNull();
    expect(requestIdOf("a", "1")).not.toBe(requestIdOf("b", "1"));
    expect(requestIdOf(null, "1")).toBe("1");
  });

  test("the book is the same in whatever order its commands are told, and the version tells books apart", () => {
    const { ask, made, market } = leader();
    const versions = new Set<number>([market.keys.version]);
    for (const content of [key("a"), key("b"), revoke("a"), key("c"), revoke("c")]) {
      ask(content);
      versions.add(market.keys.version);
    }
    expect(versions.size).toBe(6);
    const told = new KeyBook(made.toReversed());
    expect(told.all()).toEqual(market.keys.all());
    expect(told.version).toBe(market.keys.version);
    expect(told.isTaken("a")).toBe(true);
  });

  test("a leader that begins with other keys is told from one that has these", () => {
    const { ask, market } = leader();
    const none = market.summary();
    expect(none).toMatch(/^0 orders, 1 stocks \(\w+\)$/); // as it was before there were keys
    ask(key("shop"));
    expect(market.summary()).not.toBe(none);
  });

  test("the audit of a journal finds a name given twice and a key revoked that there isn't", () => {
    const audit = new Audit();
    const command = (requestId: string): Command => ({ kind: "key", requestId, ...KEY });
    audit.feed(1, [
      command("1"),
      command("2"),
      { kind: "revoke", requestId: "3", name: "shop" },
      { kind: "revoke", requestId: "4", name: "shop" },
    ]);
    expect(audit.problems).toEqual([
      "M4: position 1 makes key shop a second time",
      "M4: position 1 revokes key shop, which there isn't",
    ]);
  });
});

test.each<[what: string, wrong: Partial<ApiKey>]>([
  ["a name with a dot", { name: "a.b" }],
  ["a name with a separator", { name: "a\u001fb" }],
  ["an empty name", { name: "" }],
  ["a long name", { name: "a".repeat(33) }],
  ["a digest that is none", { digest: "ab" }],
  ["an unknown right", { may: "read,own" }],
  ["no right", { may: "" }],
  ["rights in another order", { may: "trade,read" }],
  ["a stock that can't be", { stocks: "Fish Co" }],
  ["too many stocks", { stocks: Array(200).fill("Fish").join() }],
  ["a time that is none", { expiresAtMs: Number.NaN }],
  ["a time before all", { expiresAtMs: -1 }],
])("a key with %s is refused by every market", (_what, wrong) => {
  expect(refusedInAnyMarket({ kind: "key", ...KEY, ...wrong })).toMatchObject({
    kind: "invalid-key",
  });
  expect(refusedInAnyMarket({ kind: "key", ...KEY })).toBeNull();
});
