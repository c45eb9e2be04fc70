import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Attempt } from "./history.ts";
import { mutations } from "./mutations.ts";
import { check, type Recorded } from "./operations.ts";
import { explainedByTrying } from "./test-brute-force.ts";
import { lookup, order, recordedByModel, STOCKS, trade } from "./testing.ts";

function problems(history: readonly Attempt[], orders: Recorded["orders"] = []) {
  return check({ stocks: STOCKS, history, orders }).problems;
}

const bought3 = trade("a", [0, 10], "buy", "FishCo", 3, 1);
const order1 = order(1, "buy", "FishCo", 3);

describe("a good history", () => {
  test("is called good, whatever overlaps", () => {
    const during = [lookup("b", [1, 9], "FishCo", 10), lookup("c", [2, 8], "FishCo", 7)];
    expect(problems([bought3, ...during, lookup("b", [11, 12], "FishCo", 7)], [order1])).toEqual(
      [],
    );
  });

  test("with a trade of unknown fate is good whether that happened or not", () => {
    const unknown = trade("a", [0, 10], "buy", "FishCo", 3, "unknown: no answer");
    expect(problems([unknown, lookup("b", [20, 30], "FishCo", 10)])).toEqual([]);
    expect(problems([unknown, lookup("b", [20, 30], "FishCo", 7)], [order1])).toEqual([]);
    const late = [lookup("b", [20, 30], "FishCo", 10), lookup("b", [31, 32], "FishCo", 7)];
    expect(problems([unknown, ...late], [order1])).toEqual([]);
  });

  test("with a trade that was told its number at the second attempt is good", () => {
    const attempts = [
      trade("a", [0, 10], "buy", "FishCo", 3, "unknown: 503", "k"),
      trade("a", [40, 50], "buy", "FishCo", 3, 1, "k"),
    ];
    expect(problems([...attempts, lookup("b", [20, 30], "FishCo", 7)], [order1])).toEqual([]);
  });

  test.each([1, 2, 3, 4, 5])("recorded by a model of the market is good (%i)", (seed) => {
    const recorded = recordedByModel(seed, 400, 8);
    expect(recorded.orders.length).toBeGreaterThan(50);
    expect(check(recorded).problems).toEqual([]);
  });
});

describe("the check finds", () => {
  test("a stale lookup after an answered trade", () => {
    expect(problems([bought3, lookup("b", [11, 12], "FishCo", 10)], [order1])[0]).toContain(
      "no order of events explains b lookup FishCo 10",
    );
  });

  test("a lookup that goes back behind another one", () => {
    const back = [lookup("b", [1, 3], "FishCo", 7), lookup("c", [4, 6], "FishCo", 10)];
    expect(problems([bought3, ...back], [order1])).toHaveLength(1);
  });

  test("a lookup of one stock that goes back behind a lookup of another", () => {
    const second = trade("c", [0, 10], "buy", "BoarCo", 1, 2);
    const orders = [order1, order(2, "buy", "BoarCo", 1)];
    const back = [lookup("b", [1, 3], "BoarCo", 19), lookup("b", [4, 6], "FishCo", 10)];
    expect(problems([bought3, second, ...back], orders)).toHaveLength(1);
  });

  test("an answered order that is lost", () => {
    expect(problems([bought3])[0]).toMatch(/^lost: a trade FishCo buy #1 3/);
  });

  test("an order that was made twice", () => {
    const orders = [order1, order(2, "buy", "FishCo", 3)];
    expect(problems([bought3], orders)).toEqual(["order 2, buy 3 FishCo, is nobody's"]);
  });

  test("one number told to two calls, and two numbers told to one", () => {
    const other = trade("b", [0, 10], "buy", "FishCo", 3, 1);
    expect(problems([bought3, other], [order1])[0]).toContain("one order, two calls");
    const orders = [order1, order(2, "buy", "FishCo", 3)];
    const twice = [
      trade("a", [0, 10], "buy", "FishCo", 3, 1, "k"),
      trade("a", [20, 30], "buy", "FishCo", 3, 2, "k"),
    ];
    expect(problems(twice, orders)[0]).toContain("one call, two answers");
  });

  test("a trade that happens after its no", () => {
    const refused = trade("a", [0, 10], "buy", "FishCo", 30, "refused: insufficient volume", "k");
    const orders = [order(1, "buy", "FishCo", 30)];
    expect(problems([refused], orders)).toEqual(["order 1, buy 30 FishCo, is nobody's"]);
  });

  test("a refusal though there was enough", () => {
    const refused = trade("b", [11, 12], "buy", "FishCo", 7, "refused: insufficient volume");
    expect(problems([bought3, refused], [order1])).toHaveLength(1);
    const enough = trade("b", [11, 12], "buy", "FishCo", 8, "refused: insufficient volume");
    expect(problems([bought3, enough], [order1])).toEqual([]);
  });

  test("numbers against the order of time", () => {
    const first = trade("a", [0, 10], "buy", "FishCo", 3, 2);
    const second = trade("b", [11, 20], "sell", "FishCo", 1, 1);
    const orders = [order(1, "sell", "FishCo", 1), order(2, "buy", "FishCo", 3)];
    expect(problems([first, second], orders)[0]).toContain("the next not begun");
  });

  test("a gap in the numbers", () => {
    expect(problems([bought3], [order(2, "buy", "FishCo", 3)])[0]).toContain("stands where 1");
  });

  test("a list put together from two states", () => {
    const second = trade("c", [0, 10], "buy", "BoarCo", 1, 2);
    const orders = [order1, order(2, "buy", "BoarCo", 1)];
    const list = (fish: number, boar: number): Attempt => ({
      process: "b",
      kind: "lookup",
      stocks: [
        { name: "BoarCo", price: 2, quantity: boar },
        { name: "FishCo", price: 1, quantity: fish },
      ],
      start: 1,
      end: 9,
      outcome: "found",
    });
    expect(problems([bought3, second, list(7, 20)], orders)).toEqual([]);
    expect(problems([bought3, second, list(10, 19)], orders)).toHaveLength(1);
  });

  test("an answered order that a later query doesn't find, or finds as another", () => {
    const query: Attempt = {
      process: "b",
      kind: "query",
      number: 1,
      start: 11,
      end: 12,
      outcome: "not found",
    };
    expect(problems([bought3, query], [order1])).toHaveLength(1);
    const other = {
      ...query,
      name: "FishCo",
      type: "sell",
      quantity: 3,
      outcome: "found",
    } as const;
    expect(problems([bought3, other], [order1])[0]).toContain("isn't the order: buy 3 FishCo");
  });

  test("an adjustment that counts twice, or not at all", () => {
    const adjust: Attempt = {
      process: "a",
      kind: "adjust",
      name: "FishCo",
      quantity: 5,
      key: "k",
      start: 0,
      end: 10,
      outcome: "accepted",
    };
    expect(problems([adjust, lookup("b", [11, 12], "FishCo", 15)])).toEqual([]);
    expect(problems([adjust, lookup("b", [11, 12], "FishCo", 20)])).toHaveLength(1);
    expect(problems([adjust, lookup("b", [11, 12], "FishCo", 10)])).toHaveLength(1);
  });

  test("a new stock that isn't found after its listing, or with another price", () => {
    const list: Attempt = {
      process: "a",
      kind: "list",
      name: "NewCo",
      price: 9,
      quantity: 5,
      key: "k",
      start: 0,
      end: 10,
      outcome: "accepted",
    };
    expect(problems([list, lookup("b", [11, 12], "NewCo", 5)])).toEqual([]);
    expect(problems([list, lookup("b", [11, 12], "NewCo", null)])).toHaveLength(1);
    const price = { ...lookup("b", [11, 12], "NewCo", 5), price: 8 };
    expect(problems([list, price])).toHaveLength(1);
  });

  test("an answer that its call can't have", () => {
    const wrong = trade("a", [0, 10], "buy", "FishCo", 3, "wrong: 500 Internal server error");
    expect(problems([wrong])[0]).toMatch(/^can't be: /);
  });
});

test.each([1, 2, 3])("each spoilt copy of a good history is found to be spoilt (%i)", (seed) => {
  const recorded = recordedByModel(seed, 400, 8);
  const spoilt = mutations(recorded);
  expect(spoilt.map(({ what }) => what)).toEqual(
    expect.arrayContaining([
      "a stock as it was before the last trade",
      "a trade refused though there was enough",
    ]),
  );
  expect(spoilt.length).toBeGreaterThan(7);
  for (const { what, copy } of spoilt) expect([what, check(copy).problems]).not.toEqual([what, []]);
});

test("the search says of small histories what trying every order says", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.integer({ min: 2, max: 6 }),
      fc.integer({ min: 0, max: 5 }),
      fc.integer({ min: -4, max: 4 }),
      fc.integer({ min: 0, max: 11 }),
      (seed, calls, spoil, by, unanswered) => {
        const { stocks, history, orders } = recordedByModel(seed, calls, 4);
        const at = spoil % calls;
        const spoilt = history.map(
          (attempt, index): Attempt =>
            index === unanswered && attempt.kind !== "query" && attempt.kind !== "lookup"
              ? { ...attempt, outcome: "unknown: lost" }
              : index === at && attempt.kind === "lookup" && attempt.quantity !== undefined
                ? { ...attempt, quantity: attempt.quantity + by }
                : attempt,
        );
        const recorded = { stocks, history: spoilt, orders };
        expect(check(recorded).problems.length === 0).toBe(explainedByTrying(recorded));
      },
    ),
    { numRuns: 3_000 },
  );
}, 60_000);
