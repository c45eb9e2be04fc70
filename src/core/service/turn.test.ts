import { expect, test } from "vitest";
import { decodeCommands } from "../market/codec.ts";
import { MarketState } from "../market/state.ts";
import type { Order } from "../market/types.ts";
import { ENTRY_BYTES_MAX, LETTERS_READ_PER_TURN_MAX, ROWS_READ_PER_TURN_MAX } from "./limits.ts";
import { market, noTables, trade } from "./test-support.ts";
import { decideTurn, type OrderTables, type TurnInput } from "./turn.ts";

function input(over: Partial<TurnInput>): TurnInput {
  return {
    market: market(),
    tables: noTables,
    statePosition: 10,
    nextPosition: 11,
    asks: [],
    observer: {},
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
    input({
      asks: [
        [
          { kind: "lookup", name: "Ash" },
          { kind: "stocks", after: "", limit: 10 },
        ],
      ],
    }),
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
      next: null,
      total: 2,
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

test("pages of orders and stocks can't stop the market: beyond a turn's share they are busy", () => {
  const page = (index: number) =>
    index % 2 === 0
      ? { kind: "orders" as const, after: 0, limit: 1_000 }
      : { kind: "stocks" as const, after: "", limit: 1_000 };
  const asks = Array.from({ length: ROWS_READ_PER_TURN_MAX / 1_000 + 2 }, (_, index) => [
    page(index),
  ]);
  const kinds = decideTurn(input({ asks })).asks.map(({ answers }) => answers[0]?.kind);
  expect(kinds.slice(-4)).toEqual(["orders", "stocks", "busy", "busy"]);
});

test("what is read in a turn never makes an answer too large to be sent: the rest is busy, and trades are decided", () => {
  const state = market();
  const name = "X".repeat(65_536);
  state.apply(9, [{ kind: "list", requestId: "l", name, price: 1, quantity: 5 }]);
  const asks = Array.from({ length: LETTERS_READ_PER_TURN_MAX / name.length + 2 }, () => [
    { kind: "lookup" as const, name },
  ]);
  const decided = decideTurn(
    input({ market: state, asks: [...asks, [trade("a", "FishCo", "buy", 1)]] }),
  );
  const kinds = decided.asks.map(({ answers }) => answers[0]?.kind);
  expect(kinds.filter((kind) => kind === "stock")).toHaveLength(asks.length - 2);
  expect(kinds.slice(-3)).toEqual(["busy", "busy", "outcome"]);
});

test("a page of orders of stocks with very long names has fewer, and says where to go on", () => {
  const name = "X".repeat(65_536);
  const orders = Array.from(
    { length: 40 },
    (_, index): Order => ({
      number: index + 1,
      requestId: `r${index}`,
      name,
      type: "buy",
      quantity: 1,
      price: 1,
    }),
  );
  const tables: OrderTables = { ...noTables, orders: () => orders };
  const state = new MarketState({
    stocks: [],
    lastNumber: 40,
    older: { request: () => undefined },
  });
  const asks = [[{ kind: "orders" as const, after: 0, limit: 1_000 }]];
  const [answer] = decideTurn(input({ market: state, tables, asks })).asks[0]?.answers ?? [];
  expect(answer).toMatchObject({ kind: "orders", next: 16 });
});
