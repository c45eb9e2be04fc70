import pino from "pino";
import { expect, test } from "vitest";
import { encodeCommands } from "../../core/market/codec.ts";
import { decide } from "../../core/market/decide.ts";
import { MarketState } from "../../core/market/state.ts";
import type { Command } from "../../core/market/types.ts";
import { FollowerLines, LeaderLines, StartLines, WRITTEN_WAIT_BEATS } from "./lab-lines.ts";
import { FISH, trade } from "./test-support.ts";

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
  const trace = new LeaderLines(log, [9090, 9092]);
  const state = new MarketState({
    stocks: [FISH],
    lastNumber: 0,
    older: { request: () => undefined },
  });
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

test("a trade's lines come in the lab's order, whichever replica writes first", () => {
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

test("a follower logs what it writes, and what the leader sent again", () => {
  const { log, messages } = recorded();
  const lines = new FollowerLines(log);
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
  lines.stored(stored(31));
  lines.alreadyHeld(stored(31));
  expect(messages).toEqual([
    written(31),
    "TXN_NUM is - 31",
    written(31),
    "No update required, since data is already captured",
  ]);
});

function starting(newest: number) {
  const { log, messages } = recorded();
  return { start: new StartLines(log, newest), messages };
}

const STARTED = [
  "Existing Order Log File Found.",
  "TXN_NUM is initialized as 14",
  "Loading order log",
  "Order replica just started. Trying to sync",
  "Checking for leader at startup time",
];

test("a replica that returns isn't called synced before it has all that the leader had", () => {
  const { start, messages } = starting(14);
  start.searched({ replica: 9092, commitPosition: 37 });
  start.tick(36, 14);
  expect(messages).toEqual([
    ...STARTED,
    "Leader found at startup time, syncing... 9092",
    "Calling get_order_log_diff from 9092 order leader",
  ]);
  expect(start.isOver).toBe(false);
  start.tick(40, 30);
  start.tick(40, 30);
  expect(messages.slice(7)).toEqual(["Sync done", "Updated TXN_NUM is 30", "Order service ready"]);
  expect(start.isOver).toBe(true);
});

test("without a leader a replica is ready at once", () => {
  const { start, messages } = starting(14);
  start.tick(20, 14);
  expect(start.isOver).toBe(false);
  start.searched(null);
  expect(messages).toEqual([
    ...STARTED,
    "No leader found at startup time, no sync required",
    "Order service ready",
  ]);
  expect(start.isOver).toBe(true);
});
