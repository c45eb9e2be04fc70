import pino from "pino";
import { expect, test } from "vitest";
import { encodeCommands } from "../../core/market/codec.ts";
import { decide } from "../../core/market/decide.ts";
import type { Command } from "../../core/market/types.ts";
import { market, trade } from "./test-support.ts";
import { TradeLines } from "./trade-lines.ts";
import { TradeTrace, WRITTEN_WAIT_BEATS } from "./trade-trace.ts";

/** A log that keeps its messages. */
function recorded() {
  const messages: string[] = [];
  const log = pino(
    { level: "debug" },
    { write: (line: string) => messages.push((JSON.parse(line) as { msg: string }).msg) },
  );
  return { log, messages };
}

function traced() {
  const { log, messages } = recorded();
  const trace = new TradeTrace(log, [9090, 9092]);
  const state = market();
  let position = 1;
  const decided = (requestId: string, name: string, type: string, quantity: number): void => {
    const request = trade(requestId, name, type, quantity);
    if (request.kind !== "request") return;
    const found = state.stock(name);
    const decision = decide(state, request);
    if (decision.command !== null) state.apply(++position, [decision.command]);
    trace.decided(request, found, decision);
    if (decision.command !== null) trace.appended(position);
  };
  return { trace, messages, decided };
}

const FIRST = [
  'Received trade request - {"name":"FishCo","quantity":43,"type":"sell"}',
  "Calling lookup service - FishCo",
  'Received lookup response - 200 {"data":{"name":"FishCo","price":17.99,"quantity":600}}',
  "FishCo present in db",
  "Notifying 9092 replica of order leader - txn_num 1",
  "Response from replica - OK",
  "Notifying 9090 replica of order leader - txn_num 1",
  "Response from replica - OK",
  "Calling update service - FishCo",
  "Received update response - FishCo",
  'Executing - trade_code 200 - response {"data":{"transaction_number":1}}',
  "Executing sell trade for FishCo with 43 quantity",
];

test("a trade's lines come in the seed's order, whichever replica writes first", () => {
  const { trace, messages, decided } = traced();
  decided("a", "FishCo", "sell", 43);
  trace.written(9090, 2);
  trace.exposed(2);
  expect(messages).toEqual(FIRST.slice(0, 4));
  trace.written(9092, 2);
  expect(messages).toEqual(FIRST);
});

test("the lines of trades under way at once don't mix", () => {
  const { trace, messages, decided } = traced();
  decided("a", "FishCo", "sell", 43);
  decided("b", "Hey", "buy", 1);
  decided("c", "FishCo", "hold", 1);
  trace.exposed(1);
  expect(messages).toEqual(FIRST.slice(0, 4));
  trace.written(9090, 2);
  trace.written(9092, 2);
  trace.exposed(2);
  expect(messages).toEqual([
    ...FIRST,
    'Received trade request - {"name":"Hey","quantity":1,"type":"buy"}',
    "Calling lookup service - Hey",
    "Received lookup response - 400 Bad request. Hey stock not found in db",
    'Received trade request - {"name":"FishCo","quantity":1,"type":"hold"}',
  ]);
});

test("a replica that is away doesn't keep a trade out of the log, nor is it said to have written it", () => {
  const { trace, messages, decided } = traced();
  decided("a", "FishCo", "sell", 43);
  trace.written(9092, 2);
  trace.exposed(2);
  for (let beat = 1; beat < WRITTEN_WAIT_BEATS; beat++) trace.tick();
  expect(messages).toEqual(FIRST.slice(0, 4));
  trace.tick();
  expect(messages).toEqual(FIRST.toSpliced(7, 1));
});

test("the end of a reign leaves what is known of its trades, not what isn't", () => {
  const { trace, messages, decided } = traced();
  decided("a", "FishCo", "sell", 43);
  trace.written(9092, 2);
  trace.close();
  expect(messages).toEqual(FIRST.slice(0, 7));
});

test("a follower logs what it writes, and what the leader sent again, which is no part of a sync", () => {
  const { log, messages } = recorded();
  const lines = new TradeLines(log);
  const order = (number: number): Command & { kind: "order" } => ({
    kind: "order",
    number,
    requestId: `${number}`,
    name: "FishCo",
    type: "buy",
    quantity: 4,
    price: 17.99,
  });
  const stored = (number: number) => [
    { position: number, epoch: 1, at: 0, command: encodeCommands([order(number)]) },
  ];
  const written = (number: number) =>
    `Writing trade data from leader - {"transaction_number":${number},"stock_name":"FishCo","order_type":"buy","trade_quantity":4}`;
  lines.stored(stored(29)); // part of the sync
  lines.synced();
  lines.stored(stored(31));
  lines.alreadyHeld(stored(31));
  expect(messages).toEqual([
    written(31),
    "TXN_NUM is - 31",
    written(31),
    "No update required, since data is already captured",
  ]);
});
