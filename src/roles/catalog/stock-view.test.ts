import { expect, test } from "vitest";
import { InvariantViolation } from "../../core/invariant.ts";
import { StockView } from "./stock-view.ts";
import { adjust, BOAR, decoded, FISH } from "./test-support.ts";

const view = () => new StockView({ position: 10, stocks: [FISH, BOAR] });

test("an entry sent twice counts once", () => {
  const stocks = view();
  stocks.apply([decoded(11, adjust("FishCo", 5))]);
  const changed = stocks.apply([
    decoded(11, adjust("FishCo", 5)),
    decoded(12, adjust("BoarCo", 1)),
  ]);
  expect([...changed.values()]).toEqual([{ ...BOAR, quantity: 1103 }]);
  expect(stocks.stock("FishCo")?.quantity).toBe(605);
  expect(stocks.position).toBe(12);
});

test("after a gap nothing is applied, so that no stock movement is left out", () => {
  const stocks = view();
  const changed = stocks.apply([
    decoded(11, adjust("FishCo", 5)),
    decoded(13, adjust("FishCo", 7)),
    decoded(14),
  ]);
  expect([...changed.keys()]).toEqual(["FishCo"]);
  expect(stocks.stock("FishCo")?.quantity).toBe(605);
  expect(stocks.position).toBe(11);
});

test("the log's own entries move the position, not a stock", () => {
  const stocks = view();
  expect(stocks.apply([decoded(11)]).size).toBe(0);
  expect(stocks.position).toBe(11);
});

test("a list asked for before a change doesn't hide the change from the next", () => {
  const stocks = view();
  expect(stocks.stocks()).toEqual([BOAR, FISH]);
  stocks.apply([
    decoded(11, adjust("BoarCo", -2), {
      kind: "list",
      requestId: "new",
      name: "Aal",
      price: 1,
      quantity: 2,
    }),
  ]);
  expect(stocks.stocks()).toEqual([
    { name: "Aal", price: 1, quantity: 2 },
    { ...BOAR, quantity: 1100 },
    FISH,
  ]);
});

test("an entry that no leader can have decided stops the catalog", () => {
  expect(() => view().apply([decoded(11, adjust("FishCo", -601))])).toThrow(InvariantViolation);
});
