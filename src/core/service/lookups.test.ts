// The interleavings of fetches, holds, leases and lost catalogs, step by step.
// Longer than 400 lines because they are all told of the same bench.

import { describe, expect, test } from "vitest";
import { DEMAND_MS, LEASE_MS, LEASE_WAIT_MS } from "../coherence/limits.ts";
import type { Copies, Copy } from "../coherence/stored-copies.ts";
import { NAMES_PER_LOOKUP_MAX } from "./limits.ts";
import { A, B, Bench, fish, listOf, MapCopies } from "./test-lookups.ts";

describe("fetching", () => {
  test("lookups of one turn share one call, and those of one stock one fetch", () => {
    const bench = Bench.leased();
    const lookups = ["FishCo", "BoarCo", "FishCo"].map((name) => bench.lookup(name));
    bench.turn();
    expect(bench.asked.slice(1).map(({ names }) => names)).toEqual([["FishCo", "BoarCo"]]);
    bench.answer([fish(600), fish(1102, "BoarCo")], 2);
    expect(lookups.map(({ now }) => now())).toEqual(["600", "1102", "600"]);
  });

  test("a call names no more stocks than a catalog takes", () => {
    const bench = Bench.leased();
    for (let n = 0; n <= NAMES_PER_LOOKUP_MAX; n++) bench.lookup(`S${n}`);
    bench.turn();
    const sizes = bench.asked.slice(1).map(({ names }) => names.length);
    expect(sizes).toEqual([NAMES_PER_LOOKUP_MAX, 1]);
    bench.lookup("Later");
    bench.turn();
    expect(bench.call().names).toEqual(["Later"]);
  });

  test("a lookup joins the fetch that is under way", () => {
    const bench = Bench.leased();
    const first = bench.lookup();
    bench.turn();
    const second = bench.lookup();
    bench.turn();
    expect(bench.asked).toHaveLength(2);
    bench.answer([fish(600)], 2);
    expect([first.now(), second.now()]).toEqual(["600", "600"]);
  });

  test("a copy is served as it is, and counts as a hit only when it is served", () => {
    const bench = Bench.leased();
    bench.fill(600, 2);
    expect(bench.lookups.copied("FishCo")).toBe(bench.copies.get("FishCo"));
    expect(bench.lookups.counts).toEqual({ hits: 1, misses: 2 });
    bench.pass(LEASE_MS);
    bench.lookup();
    expect(bench.lookups.counts).toEqual({ hits: 1, misses: 3 });
  });

  test("an unknown name becomes no copy, so that nobody fills the cache with them (V3)", () => {
    const bench = Bench.leased();
    for (const times of [1, 2]) {
      const lookup = bench.lookup("Ash");
      bench.turn();
      expect(bench.asked).toHaveLength(1 + times);
      bench.answer([null], 2);
      expect(lookup.now()).toBe("unknown");
    }
    expect(bench.isCopied("Ash")).toBe(false);
  });

  test("the leader stands in for a catalog that doesn't answer, once for all, and its answer isn't kept", () => {
    const bench = Bench.leased();
    const lookups = [bench.lookup(), bench.lookup()];
    bench.turn();
    bench.fail("closed");
    bench.leader(fish(590));
    expect(lookups.map(({ now }) => now())).toEqual(["590", "590"]);
    expect(bench.ofLeader).toHaveLength(1);
    expect(bench.isCopied()).toBe(false);
  });

  test("the leader is asked for what an answer with too few stocks leaves out", () => {
    const bench = Bench.leased();
    const lookup = bench.lookup();
    bench.turn();
    bench.answer([], 2);
    bench.leader(fish(590));
    expect(lookup.now()).toBe("590");
  });

  test("a lookup without any answer says why", () => {
    const bench = new Bench();
    for (const kind of ["unavailable", "overloaded"] as const) {
      const lookup = bench.lookup();
      bench.leader({ kind });
      expect(lookup.now()).toBe(kind);
    }
  });

  test("an answer of the leader that is none to the question counts as no answer", () => {
    const bench = new Bench();
    const lookup = bench.lookup();
    bench.leader(listOf([], 5));
    const list = bench.list();
    bench.leader(fish(1));
    expect([lookup.now(), list.now()]).toEqual(["unavailable", "unavailable"]);
    expect(bench.told).toContain("lookup answered with stocks");
    expect(bench.told).toContain("stocks answered with stock");
  });

  test("lookups at the leader are never shared: nobody would say that they are old", () => {
    const bench = new Bench();
    bench.lookup();
    bench.lookup();
    expect(bench.ofLeader).toHaveLength(2);
  });
});

describe("holds", () => {
  test("a trade takes its own stock's copy and no other", () => {
    const bench = Bench.leased();
    bench.fill(600, 2);
    bench.fill(1102, 2, "BoarCo");
    bench.lookups.hold(A, 0, 5, ["FishCo"]);
    expect(bench.isCopied()).toBe(false);
    expect(bench.lookup("BoarCo").now()).toBe("copy 1102");
    bench.fill(590, 5);
    expect(bench.lookup().now()).toBe("copy 590");
  });

  test("an answer from before the trade that comes after its hold isn't kept", () => {
    const bench = Bench.leased();
    const before = bench.lookup();
    bench.turn();
    bench.lookups.hold(A, 0, 5, ["FishCo"]);
    bench.answer([fish(600)], 4);
    expect(before.now()).toBe("600"); // it was asked before the trade was told
    expect(bench.isCopied()).toBe(false);
  });

  test("a lookup after the trade joins no fetch from before it", () => {
    const bench = Bench.leased();
    const before = bench.lookup();
    bench.turn();
    bench.lookups.hold(A, 0, 5, ["FishCo"]);
    const after = bench.lookup();
    bench.turn();
    expect(bench.asked).toHaveLength(3);
    bench.call(-2).settled({ kind: "stocks", stocks: [fish(600)], position: 4 });
    bench.answer([fish(590)], 5);
    expect([before.now(), after.now()]).toEqual(["600", "590"]);
    expect(bench.lookup().now()).toBe("copy 590");
  });

  test("a fetch that is to be sent at the turn's end isn't joined after a hold either", () => {
    const bench = Bench.leased();
    bench.lookup();
    bench.lookups.hold(A, 0, 5, ["FishCo"]);
    bench.lookup();
    bench.turn();
    expect(bench.call().names).toEqual(["FishCo", "FishCo"]);
  });

  test("a catalog that lags behind the one that sent the hold is overruled by the leader (V2)", () => {
    const bench = Bench.leased();
    bench.lookups.hold(B, 0, 5, ["FishCo"]);
    const lookup = bench.lookup();
    bench.turn();
    bench.answer([fish(600)], 4);
    bench.leader(fish(590));
    expect(lookup.now()).toBe("590");
    expect(bench.isCopied()).toBe(false);
  });

  test("a list and a page of a catalog that lags behind are the leader's instead", () => {
    const bench = Bench.leased();
    bench.lookups.hold(A, 0, 5, ["FishCo"]);
    const list = bench.list();
    bench.lists[0]?.settled(listOf([fish(600)], 4));
    bench.leader(listOf([fish(590)], 6));
    expect(list.now()).toBe("590 at 6");
    const told: unknown[] = [];
    for (const position of [4, 5]) {
      bench.lookups.page({ after: "", limit: 1 }, (page) => told.push(page));
      bench.lists.at(-1)?.settled(listOf([fish(600)], position));
      if (position === 4) bench.leader(listOf([fish(591)], 7));
    }
    expect(told).toEqual([listOf([fish(591)], 7), listOf([fish(600)], 5)]);
  });

  test("who asks for a list while one is under way gets the next, and all who do get the same", () => {
    const bench = Bench.leased();
    const first = bench.list();
    const others = [bench.list(), bench.list()];
    expect(bench.lists).toHaveLength(1);
    bench.lists[0]?.settled(listOf([fish(600)], 4));
    expect(first.now()).toBe("600 at 4");
    expect(bench.lists[1]?.question).toMatchObject({ list: null, known: 4 });
    bench.lists[1]?.settled(listOf([fish(599)], 5));
    expect(others.map(({ now }) => now())).toEqual(["599 at 5", "599 at 5"]);
  });

  test("what a client doubts is fetched anew, and not kept from a fetch before that", () => {
    const bench = Bench.leased();
    bench.fill(600, 2);
    bench.lookups.drop("FishCo");
    const lookup = bench.lookup();
    bench.turn();
    bench.lookups.drop("FishCo");
    bench.answer([fish(600)], 2);
    expect(lookup.now()).toBe("600");
    expect(bench.isCopied()).toBe(false);
  });

  test("floors that don't fit refuse good copies and serve no bad one", () => {
    const bench = Bench.leased(new MapCopies(), 1);
    bench.fill(1, 2, "AntCo");
    bench.lookups.hold(A, 0, 5, ["FishCo"]);
    bench.lookups.hold(A, 5, 6, ["BoarCo"]);
    expect(bench.lookups.copied("AntCo")).toBeUndefined();
  });

  test("holds are answered as far as they came without a gap", () => {
    const bench = Bench.leased();
    bench.lookups.hold(A, 0, 5, ["FishCo"]);
    bench.lookups.hold(A, 6, 7, ["FishCo"]);
    bench.lookups.hold(A, 5, 7, ["FishCo"]);
    expect(bench.held).toEqual([
      [A, 5],
      [A, 5],
      [A, 7],
    ]);
  });
});

describe("the lease", () => {
  test("ends for a front end that slept past it, and the next one voids the copies (V1)", () => {
    const bench = Bench.leased();
    bench.fill(600, 2);
    bench.pass(LEASE_MS);
    const lookup = bench.lookup();
    bench.turn();
    bench.answer([fish(590)], 7);
    expect(lookup.now()).toBe("590");
    expect(bench.isCopied()).toBe(true); // from before, and void
    bench.lookups.askLease();
    bench.grant();
    expect(bench.isCopied()).toBe(false);
    bench.fill(590, 7);
    expect(bench.lookup().now()).toBe("copy 590");
  });

  test("keeps the copies when it is renewed in time", () => {
    const bench = Bench.leased();
    bench.fill(600, 2);
    bench.renew(3 * LEASE_MS);
    expect(bench.lookup().now()).toBe("copy 600");
    expect(bench.lookups.lease).toMatchObject({ grantor: A, ms: LEASE_MS });
  });

  test("runs from when it was asked for, not from when it came", () => {
    const bench = Bench.leased();
    bench.lookups.askLease();
    bench.pass(LEASE_MS);
    bench.grant();
    bench.lookup();
    expect(bench.lookups.lease).toBeNull();
  });

  test("isn't renewed over a hold that never came", () => {
    const bench = Bench.leased();
    bench.lookups.hold(A, 0, 5, ["FishCo"]);
    bench.fill(600, 5);
    bench.pass(LEASE_MS - 1);
    bench.lookups.askLease();
    expect(bench.leases.at(-1)?.held).toBe(5);
    bench.grant({ sent: 7 });
    bench.pass(1);
    expect(bench.lookups.copied("FishCo")).toBeUndefined();
  });

  test("is what a shared fetch rests on: without one nobody would say that it is old", () => {
    const bench = Bench.leased();
    bench.pass(LEASE_MS);
    bench.lookup();
    bench.lookup();
    bench.turn();
    expect(bench.call().names).toEqual(["FishCo", "FishCo"]);
  });

  test("is asked for as long as somebody reads, and no longer (V4)", () => {
    const bench = Bench.leased();
    bench.renew(DEMAND_MS - 1);
    const asked = bench.leases.length;
    bench.pass(1);
    bench.lookups.askLease();
    expect(bench.leases).toHaveLength(asked);
    expect(bench.lookups.isRead).toBe(false);
  });

  test("keeps being asked for while copies alone are read", () => {
    const bench = Bench.leased();
    bench.fill(600, 2);
    for (let readings = 0; readings < 3; readings++) {
      bench.renew(DEMAND_MS - 1);
      expect(bench.lookup().now()).toBe("copy 600");
    }
    expect(bench.lookups.isRead).toBe(true);
  });

  test("is waited for by who looks up first after long, and they fill the cache", () => {
    const bench = new Bench();
    bench.lookups.opened(A);
    const lookups = [bench.lookup(), bench.lookup()];
    bench.turn();
    expect(bench.asked).toEqual([]);
    expect(bench.leases).toHaveLength(1);
    bench.grant();
    bench.turn();
    expect(bench.call().names).toEqual(["FishCo"]);
    bench.answer([fish(600)], 2);
    expect(lookups.map(({ now }) => now())).toEqual(["600", "600"]);
    expect(bench.isCopied()).toBe(true);
  });

  test.each(["a refusal", "a failure", "no answer in time"])(
    "is waited for by nobody any more after %s",
    (what) => {
      const bench = new Bench();
      bench.lookups.opened(A);
      bench.lookup();
      const [asked] = bench.leases;
      if (what === "a refusal") asked?.settled({ kind: "answered", grant: null });
      else if (what === "a failure") asked?.settled({ kind: "failed", failure: "busy" });
      else bench.pass(LEASE_WAIT_MS);
      bench.turn();
      expect(bench.asked).toHaveLength(1);
      bench.lookup("BoarCo");
      bench.turn();
      expect(bench.asked).toHaveLength(2);
    },
  );

  test("isn't waited for where there is no catalog to grant one", () => {
    const bench = new Bench();
    bench.lookup();
    expect(bench.ofLeader).toHaveLength(1);
  });

  test("of another catalog voids the copies", () => {
    const bench = Bench.leased(undefined, undefined, A, B);
    bench.fill(600, 2);
    bench.lookups.closed(A);
    bench.grant();
    expect(bench.isCopied()).toBe(false);
    expect(bench.lookups.lease?.grantor).toBe(B);
  });
});

describe("a catalog that goes", () => {
  test("takes all copies along, and the leader is asked until there is another", () => {
    const bench = Bench.leased();
    bench.fill(600, 2);
    bench.lookups.closed(A);
    expect(bench.told).toContain(`${A} lost`);
    for (const quantity of [580, 570]) {
      const lookup = bench.lookup();
      bench.leader(fish(quantity));
      expect(lookup.now()).toBe(`${quantity}`);
    }
    bench.lookups.opened(A);
    bench.grant();
    bench.fill(560, 9);
    expect(bench.lookup().now()).toBe("copy 560");
  });

  test("leaves fetches behind that are neither joined nor kept", () => {
    const bench = Bench.leased(undefined, undefined, A, B);
    const before = bench.lookup();
    bench.turn();
    bench.lookups.closed(A);
    bench.grant();
    const after = bench.lookup();
    bench.turn();
    bench.call(-2).settled({ kind: "stocks", stocks: [fish(600)], position: 4 });
    expect(before.now()).toBe("600");
    expect(bench.isCopied()).toBe(false);
    bench.answer([fish(590)], 5);
    expect(after.now()).toBe("590");
    expect(bench.isCopied()).toBe(true);
  });

  test("is asked nothing more after the end, nor is another", () => {
    const bench = Bench.leased();
    bench.lookups.close();
    bench.lookups.closed(A);
    bench.lookup();
    bench.turn();
    expect(bench.asked).toHaveLength(1);
    expect(bench.told).not.toContain("closed");
  });
});

describe("copies in a store elsewhere", () => {
  const old: Copy<string> = { body: "600", position: 4 };

  function stored() {
    const reading: ((copy: Copy<string> | undefined) => void)[] = [];
    const copies: Copies<string> = {
      get: () => undefined,
      read: (_name, then) => reading.push(then),
      put() {},
      drop() {},
      clear() {},
    };
    const bench = new Bench(copies);
    bench.lookups.opened(A);
    bench.lookup();
    reading.shift()?.(undefined);
    bench.grant();
    bench.turn();
    return { bench, read: (copy: Copy<string> | undefined) => reading.shift()?.(copy) };
  }

  test("are served when they were read", () => {
    const { bench, read } = stored();
    const lookup = bench.lookup();
    read(old);
    expect(lookup.now()).toBe("600");
    expect(bench.lookups.counts.hits).toBe(1);
  });

  test("aren't served that were held while they were read", () => {
    const { bench, read } = stored();
    const lookup = bench.lookup();
    bench.lookups.hold(A, 0, 5, ["FishCo"]);
    read(old);
    bench.turn();
    bench.answer([fish(590)], 5);
    expect(lookup.now()).toBe("590");
    expect(bench.lookups.counts.hits).toBe(0);
  });

  test("aren't served when the last catalog went while they were read", () => {
    const { bench, read } = stored();
    const lookup = bench.lookup();
    bench.lookups.closed(A);
    read(old);
    bench.leader(fish(580));
    expect(lookup.now()).toBe("580");
  });
});
