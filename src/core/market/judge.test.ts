import { describe, expect, test } from "vitest";
import { encodeCommands } from "./codec.ts";
import { recordedRequest } from "./content.ts";
import { type JudgeTables, MarketJudge } from "./judge.ts";
import type { Command, RecordedRequest, Stock } from "./types.ts";

const FISH: Stock = { name: "FishCo", price: 17.99, quantity: 600 };
const BOAR: Stock = { name: "BoarCo", price: 28.59, quantity: 20 };
const OLD: Command = order(3, { requestId: "old" });

function order(number: number, more: Partial<Extract<Command, { kind: "order" }>> = {}): Command {
  const requestId = `r${number}`;
  const { name, price } = FISH;
  return { kind: "order", number, requestId, name, price, type: "buy", quantity: 1, ...more };
}

function list(name: string, quantity: number): Command {
  return { kind: "list", requestId: `list ${name}`, name, price: 1, quantity };
}

/** Tables at position 10, with three orders. */
function judge(tables: Partial<JudgeTables> = {}): MarketJudge {
  const requests = new Map<string, RecordedRequest>([["old", recordedRequest(OLD)]]);
  return new MarketJudge(
    {
      appliedPosition: 10,
      lastNumber: 3,
      stocks: () => [FISH, BOAR],
      request: (requestId) => requests.get(requestId),
      keyCommands: () => [],
      readTogether: (read) => read(),
      ...tables,
    },
    ({ position, reason }) => new Error(`${position} ${reason}`),
  );
}

const BUY = { kind: "trade", name: "FishCo", type: "buy", quantity: 1 } as const;
const UNKNOWN = { kind: "unknown-stock", name: "FishCo" } as const;

const entry = (position: number, ...commands: readonly Command[]) => ({
  position,
  body: { kind: "command" as const, bytes: encodeCommands(commands) },
});
const reign = (position: number, state: string) => ({
  position,
  body: { kind: "reign" as const, state },
});

describe("an entry that follows", () => {
  test("is taken in, and the next one is judged by what it left", () => {
    const market = judge();
    expect(market.rewind()).toBe(10);
    expect(market.take([entry(11, order(4), order(5)), entry(12, list("ElmCo", 0))])).toBe(null);
    expect(market.take([entry(13, order(6, { name: "ElmCo", price: 1, type: "sell" }))])).toBe(
      null,
    );
    expect(market.market.lastNumber).toBe(6);
    expect(market.market.stock("ElmCo")?.quantity).toBe(1);
    expect(market.market.stock("FishCo")?.quantity).toBe(598);
  });

  test.each<[string, RegExp, Command[]]>([
    ["leaves a number out", /numbers have no gaps/, [order(5)]],
    ["gives a number out again", /numbers have no gaps/, [order(3)]],
    [
      "gives one of its own numbers out twice",
      /numbers have no gaps/,
      [order(4), order(4, { requestId: "x" })],
    ],
    ["buys more than there is", /never negative/, [order(4, { quantity: 601 })]],
    ["takes more away than there is", /never negative/, [adjust("BoarCo", -21)]],
    ["sells more than can be counted", /safe integer/, [sale(Number.MAX_SAFE_INTEGER)]],
    ["moves a stock that isn't listed", /names a listed stock/, [order(4, { name: "Oak" })]],
    ["lists a name a second time", /listed once/, [list("FishCo", 1)]],
    ["trades at another price", /at its stock's price/, [order(4, { price: 18 })]],
    ["uses a request id of the tables", /old has an outcome/, [order(4, { requestId: "old" })]],
    [
      "uses a request id of its own twice",
      /r4 has an outcome/,
      [order(4), order(5, { requestId: "r4" })],
    ],
    [
      "uses one for a refusal that an order has",
      /old has an outcome/,
      [{ kind: "refuse", requestId: "old", content: BUY, refusal: UNKNOWN }],
    ],
  ])("never %s", (_what, reason, commands) => {
    const market = judge();
    expect(market.take([entry(11), entry(12, ...commands)])).toEqual({
      position: 12,
      reason: expect.stringMatching(reason),
    });
    market.rewind();
    expect(market.take([entry(11, order(4))])).toBe(null);
  });

  test("is never one that can't be read", () => {
    const bytes = Uint8Array.of(99, 1);
    expect(judge().take([{ position: 11, body: { kind: "command", bytes } }])).toEqual({
      position: 11,
      reason: expect.stringContaining("can't be read"),
    });
  });
});

describe("a reign", () => {
  test("begins on the state that its followers have", () => {
    const leader = judge();
    const follower = judge({ stocks: () => [BOAR, FISH] });
    for (const each of [leader, follower]) each.take([entry(11, order(4))]);
    expect(follower.take([reign(12, leader.summary())])).toBe(null);
  });

  test.each<[string, Partial<JudgeTables>]>([
    ["the newest order is missing", { lastNumber: 2 }],
    ["a stock is missing", { stocks: () => [FISH] }],
    ["there is a stock too many", { stocks: () => [FISH, BOAR, { ...BOAR, name: "Elm" }] }],
    ["a quantity is another", { stocks: () => [FISH, { ...BOAR, quantity: 21 }] }],
    ["a price is another", { stocks: () => [{ ...FISH, price: 17.98 }, BOAR] }],
    [
      "two quantities are swapped",
      {
        stocks: () => [
          { ...FISH, quantity: 20 },
          { ...BOAR, quantity: 600 },
        ],
      },
    ],
  ])("is refused where %s", (_what, tables) => {
    const wrong = judge(tables);
    expect(judge().take([reign(11, wrong.summary())])).toEqual({
      position: 11,
      reason: `the leader begins with ${wrong.summary()}, this journal has ${judge().summary()}`,
    });
  });

  test("that tells nothing of its state is accepted", () => {
    expect(judge().take([reign(11, "")])).toBe(null);
  });
});

test("a replica's own entry that can't follow from its tables makes the error that the judge was given", () => {
  expect(judge().damage({ position: 12, reason: "no" }).message).toBe("12 no");
});

test("what the tables hold by now is kept in memory no longer", () => {
  let appliedPosition = 10;
  const market = new MarketJudge(
    {
      get appliedPosition() {
        return appliedPosition;
      },
      lastNumber: 3,
      stocks: () => [FISH],
      request: () => undefined,
      keyCommands: () => [],
      readTogether: (read) => read(),
    },
    ({ reason }) => new Error(reason),
  );
  market.take([entry(11, order(4)), entry(12, order(5))]);
  expect(market.market.tailSize).toBe(2);
  appliedPosition = 11;
  market.take([entry(13)]);
  expect(market.market.tailSize).toBe(1);
});

function adjust(name: string, by: number): Command {
  return { kind: "adjust", requestId: "adjusted", name, by };
}

function sale(quantity: number): Command {
  return order(4, { type: "sell", quantity });
}
