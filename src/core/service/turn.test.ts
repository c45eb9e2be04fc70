import { expect, test } from "vitest";
import { decodeCommands } from "../market/codec.ts";
import type { Order } from "../market/types.ts";
import { ENTRY_BYTES_MAX, ORDERS_READ_PER_TURN_MAX } from "./limits.ts";
import { market, noTables, trade } from "./test-support.ts";
import { decideTurn, type OrderTables, type TurnInput } from "./turn.ts";

function input(over: Partial<TurnInput>): TurnInput {
  return {
    market: market(),
    tables: noTables,
    statePosition: 10,
    nextPosition: 11,
    asks: [],
    trace: null,
    ...over,
  };
}

test("two buyers of the last stocks don't both get them", () => {
  const { asks, entries } = decideTurn(
    input({
      asks: [
        [trade("a", "FishCo", "buy", 400), trade("b", "FishCo", "buy", 400)],
        [trade("c", "FishCo", "buy", 200)],
      ],
    }),
  );
  expect(asks.map((ask) => ask.answers)).toEqual([
    [
      { kind: "outcome", outcome: { kind: "accepted", number: 1 } },
      {
        kind: "outcome",
        outcome: { kind: "refused", refusal: { kind: "insufficient-volume", name: "FishCo" } },
      },
    ],
    [{ kind: "outcome", outcome: { kind: "accepted", number: 2 } }],
  ]);
  expect(entries).toHaveLength(1);
  expect(entries.flatMap(decodeCommands).map((command) => command.requestId)).toEqual(["a", "c"]);
});

test("only what no entry proves asks for a confirmation", () => {
  const { asks } = decideTurn(
    input({
      asks: [
        [trade("a", "FishCo", "buy", 1)],
        [trade("b", "FishCo", "buy", 1_000, true)],
        [trade("c", "FishCo", "buy", 1_000)],
        [trade("a", "FishCo", "buy", 1)],
        [trade("d", "FishCo", "buy", 1), { kind: "lookup", name: "FishCo" }],
      ],
    }),
  );
  expect(asks.map((ask) => ask.needsConfirm)).toEqual([false, false, true, true, true]);
});

test("a lookup between two changes of one entry isn't labelled with a position it isn't true at", () => {
  const { asks } = decideTurn(
    input({
      asks: [
        [trade("a", "FishCo", "buy", 100), { kind: "lookup", name: "FishCo" }],
        [trade("b", "FishCo", "sell", 7)],
      ],
    }),
  );
  expect(asks[0]?.answers[1]).toEqual({
    kind: "stock",
    stock: { name: "FishCo", price: 17.99, quantity: 507 },
    position: 11,
  });
});

test("what is only read is labelled with the newest state, not with an entry that never comes", () => {
  const { asks, entries } = decideTurn(
    input({ asks: [[{ kind: "lookup", name: "Ash" }, { kind: "stocks" }]] }),
  );
  expect(entries).toEqual([]);
  expect(asks[0]?.answers).toEqual([
    { kind: "stock", stock: null, position: 10 },
    {
      kind: "stocks",
      stocks: [
        { name: "BoarCo", price: 28.59, quantity: 1102 },
        { name: "FishCo", price: 17.99, quantity: 600 },
      ],
      position: 10,
    },
  ]);
});

test("an order query finds orders of the tables, of the tail and of this very turn", () => {
  const older: Order = {
    number: 1,
    requestId: "old",
    name: "BoarCo",
    type: "sell",
    quantity: 3,
    price: 28.59,
  };
  const tables: OrderTables = {
    ...noTables,
    order: (number) => (number === 1 ? older : undefined),
    orders: (after, limit) => (after < 1 && limit > 0 ? [older] : []),
  };
  const state = market();
  state.apply(9, [{ ...older, kind: "order" }]);
  state.releaseThrough(9);
  const { asks } = decideTurn(
    input({
      market: state,
      tables,
      asks: [
        [
          trade("a", "FishCo", "buy", 5),
          { kind: "order", number: 1 },
          { kind: "order", number: 2 },
          { kind: "order", number: 3 },
          { kind: "orders", after: 0, limit: 10 },
          { kind: "orders", after: 0, limit: 1 },
        ],
      ],
    }),
  );
  const first = { number: 1, name: "BoarCo", type: "sell", quantity: 3 };
  const second = { number: 2, name: "FishCo", type: "buy", quantity: 5 };
  expect(asks[0]?.answers.slice(1)).toEqual([
    { kind: "order", order: first },
    { kind: "order", order: second },
    { kind: "order", order: null },
    { kind: "orders", orders: [first, second], next: null },
    { kind: "orders", orders: [first], next: 1 },
  ]);
});

test("a turn of many commands doesn't make one huge entry, and positions count the entries", () => {
  const questions = Array.from({ length: 4_000 }, (_, index) =>
    trade(`${index}`.padStart(128, "0"), "x".repeat(64), "buy", 1, true),
  );
  const { asks, entries } = decideTurn(
    input({ asks: [questions, [{ kind: "lookup", name: "FishCo" }]] }),
  );
  expect(entries.length).toBeGreaterThan(3);
  for (const entry of entries) expect(entry.byteLength).toBeLessThan(ENTRY_BYTES_MAX * 1.1);
  expect(entries.flatMap(decodeCommands)).toHaveLength(4_000);
  expect(asks[1]?.answers[0]).toMatchObject({ position: 10 + entries.length });
});

test("lists of orders can't stop the market: beyond a turn's share they are busy", () => {
  const asks = Array.from({ length: ORDERS_READ_PER_TURN_MAX / 1_000 + 1 }, () => [
    { kind: "orders" as const, after: 0, limit: 1_000 },
  ]);
  const decided = decideTurn(input({ asks }));
  expect(decided.asks.at(-2)?.answers[0]?.kind).toBe("orders");
  expect(decided.asks.at(-1)?.answers[0]?.kind).toBe("busy");
});
